// Sends numbered events with acknowledgements in both directions, whatever the network does, until
// the end of standard input. Then each client connects once more, and prints a report. $CLIENTS and $TRANSPORTS are
// multiplied: there is a client for each pair, or $TIMES of them. With $RETRIES
// the client library sends a number again until it is acknowledged, one at a time.
import { tell, until } from "./lib.mjs";

const { SERVER_URL, CLIENTS, TRANSPORTS, TIMES = 1, RETRIES } = process.env;
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

// A client that sends numbers, each once in its life: the client library keeps
// those emitted while it is away and sends them when it is back. What it sent
// just before the connection broke may be lost; without $RETRIES nothing sends
// that again.
class Numbers {
  sent = 0;
  ticks = 0;
  acked = []; // ranges of the numbers that were acknowledged, as [first, last]
  sessions = []; // of each connection: sid, how many numbers came, how many acknowledgements
  reasons = []; // why connections ended
  problems = [];

  constructor(io, name, transport) {
    this.name = name;
    this.transport = transport;
    this.socket = io(SERVER_URL, {
      transports: transports[transport], forceNew: true, auth: { client: this.name },
      reconnectionDelay: 20, reconnectionDelayMax: 200, timeout: 1500,
      ...(RETRIES && { retries: Number(RETRIES), ackTimeout: 10_000 }),
    });
    this.socket.on("connect", () => {
      if (this.session) this.check(this.session.gone, "connected twice");
      this.session = { sid: this.socket.id, downs: 0, acks: 0 };
      this.sessions.push(this.session);
    });
    this.socket.on("disconnect", (reason) => {
      if (!this.session || this.session.gone) return; // the client had not joined yet
      this.session.gone = true;
      this.reasons.push(reason);
    });
    this.socket.on("down", (...args) => this.down(...args));
    this.socket.on("tick", (n) => this.tick(n));
    this.timer = setInterval(() => {
      for (let i = 0; i < 4; i++) {
        const waiting = this.sent - 1 - (this.acked.at(-1)?.[1] ?? -1);
        if (!RETRIES || waiting < 10) this.send();
      }
    }, 40);
  }

  check(good, problem) {
    if (!good) this.problems.push(problem);
  }

  // send emits the next number, connected or not, unless very many wait for
  // their acknowledgement. Every third is binary.
  send() {
    const { session } = this;
    if (session && !session.gone && session.sent - session.acks > 100) return;
    if (session) session.sent = (session.sent ?? 0) + 1;
    const n = this.sent++;
    const data = n % 3 ? "x".repeat(n % 1000) : Buffer.alloc(n % 1000, n);
    let answered = false;
    this.socket.emit("up", n, data, (...answer) => {
      this.check(!answered, `two acknowledgements of ${n}`);
      answered = true;
      if (RETRIES) this.check(answer.shift() === null, `no acknowledgement of ${n}`);
      this.answer(n, answer);
    });
  }

  answer(n, answer) {
    this.session.acks++;
    const last = this.acked.at(-1);
    this.check(answer.length === 1 && answer[0] === n, `acknowledgement of ${n} is ${answer}`);
    this.check(!last || n > last[1], `acknowledgement of ${n} after that of ${last?.[1]}`);
    if (last && n === last[1] + 1) last[1] = n;
    else this.acked.push([n, n]);
  }

  down(n, data, ack) {
    const { session } = this;
    this.check(n === session.downs, `number ${n} came instead of ${session.downs}`);
    const good = n % 3 ? data === "y".repeat(n % 1000) : Buffer.isBuffer(data) && data.equals(Buffer.alloc(n % 1000, n));
    this.check(good, `the data with number ${n} is wrong`);
    session.downs = n + 1;
    ack(n);
  }

  tick(n) {
    const { session } = this;
    this.check(session.tick === undefined || n === session.tick + 1, `tick ${n} came after ${session.tick}`);
    session.tick = n;
    this.ticks++;
  }

  // finish stops sending and resolves when a last number was acknowledged:
  // what the server sent on that connection has then come.
  async finish() {
    clearInterval(this.timer);
    for (;;) {
      await until(`${this.name}: connected`, () => this.socket.connected);
      const { session } = this;
      const last = this.sent;
      this.send();
      await until(`${this.name}: the last acknowledgement`, () => session.gone || this.acked.at(-1)?.[1] === last);
      if (session.gone) continue;
      this.check(session.downs === session.acks, `${session.acks} acknowledgements, but ${session.downs} numbers came`);
      this.check(this.ticks > 0, "no broadcast came");
      return;
    }
  }

  report() {
    const { name, transport, sent, acked, sessions, reasons, problems } = this;
    return { name, transport, sent, acked, sessions, reasons, problems: problems.slice(0, 10) };
  }

  async leave() {
    const { engine } = this.socket.io;
    this.socket.disconnect();
    await until(`${this.name}: its end`, () => engine.readyState === "closed");
  }
}

const all = [];
for (const version of CLIENTS.split(",")) {
  const { io } = await import(version);
  for (const transport of TRANSPORTS.split(",")) {
    for (let i = 0; i < TIMES; i++) all.push(new Numbers(io, `${version} ${transport} ${i}`, transport));
  }
}
await until("a first acknowledgement for each", () => all.every((c) => c.acked.length > 0));
tell("running");
await new Promise((resolve) => process.stdin.resume().once("end", resolve));
await Promise.all(all.map((c) => c.finish()));
for (const client of all) tell(JSON.stringify(client.report()));
await Promise.all(all.map((c) => c.leave()));
process.exit(); // requests that nobody will ever answer would keep it waiting
