// The scenarios of the side-by-side check share this file. A scenario acts through clients with
// names and records what each of them sees, in a form that lets two servers be compared: session ids are replaced by the clients' names,
// binary data is written out, long texts are shortened.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { io } from "socket.io-client-4";

// SERVER is the kind of server, "flask" or "go": it matters only for
// finding out that nothing more will happen, see Scenario.outcome.
const { SERVER_URL, SECOND_URL, SERVER, TRANSPORT, RESULTS } = process.env;
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] }[TRANSPORT];
const patience = 10_000; // ms until a scenario gives up, and names what it waited for

const groups = [];
const remaining = {}; // by server: the connections that stay

// group registers scenarios. prepare runs once before them. The function of each scenario gets a
// Scenario and the result of prepare.
export function group(name, prepare, scenarios) {
  groups.push({ name, prepare, scenarios });
}

// run runs all scenarios one after another and writes what they recorded. It gives up when
// several scenarios have timed out.
export async function run() {
  const results = {};
  let failures = 0;
  const anchor = new Scenario("anchor");
  await anchor.anchor();
  for (const { name, prepare, scenarios } of groups) {
    for (const [title, act] of Object.entries(scenarios)) {
      const s = new Scenario(`${name}: ${title}`);
      const start = Date.now();
      try {
        await act(s, await prepare(s));
        results[s.name] = { seen: s.report() };
      } catch (error) {
        results[s.name] = { error: String(error.stack), seen: s.report() };
        failures++;
      } finally {
        await s.end();
      }
      if (failures === 3) throw new Error(JSON.stringify(results, null, 1));
      console.log(`${s.name}: ${Date.now() - start} ms${results[s.name].error ? ", failed" : ""}`);
    }
  }
  writeFileSync(RESULTS, JSON.stringify(results, null, 1));
  console.log(`${Object.keys(results).length} scenarios, ${TRANSPORT}, ${SERVER}`);
}

// readable writes a value as JSON. It describes long values, and those that JSON does not have.
function readable(value) {
  if (value === undefined) return "undefined";
  return JSON.stringify(value, function (key) {
    const v = this[key]; // before toJSON, which Buffer has
    if (v instanceof ArrayBuffer || ArrayBuffer.isView(v)) {
      const bytes = v instanceof ArrayBuffer ? Buffer.from(v) : Buffer.from(v.buffer, v.byteOffset, v.byteLength);
      return `bytes ${brief(bytes.toString("hex"))}`;
    }
    return typeof v === "string" ? brief(v) : v;
  });
}

const brief = (text) =>
  text.length <= 200 ? text : `${text.length} long, sha1 ${createHash("sha1").update(text).digest("hex").slice(0, 8)}`;

const call = (name, args) => `${name}(${args.map(readable).join(",")})`;

// reachable reports whether a client can be asked: a broken connection may be reported late.
const reachable = (socket) => socket.connected && socket.io.engine.readyState === "open";

export class Scenario {
  logs = {}; // by client: what it saw
  #names = new Map(); // session id to name
  #sockets = [];
  #waiting = new Set(); // checks to repeat when something was seen

  constructor(name) {
    this.name = name;
  }

  // forget drops what was recorded during the preparations.
  forget() {
    for (const name of Object.keys(this.logs)) this.logs[name] = [];
  }

  #see(name, entry) {
    this.logs[name].push(entry);
    for (const check of this.#waiting) check();
  }

  report() {
    const names = [...this.#names];
    const known = (entry) => names.reduce((text, [sid, name]) => text.replaceAll(sid, `<${name}>`), entry);
    return Object.fromEntries(
      Object.entries(this.logs).filter(([, log]) => log.length).map(([name, log]) => [name, log.map(known)]),
    );
  }

  // end closes the connections of the scenario and waits until the server has
  // forgotten them: Flask-SocketIO changes its rooms without locks, so clients
  // that connect while others leave may get lost. If it never forgets a connection, end waits for
  // that one only once.
  async end() {
    for (const socket of this.#sockets) socket.disconnect();
    for (const server of ["main", "second"]) {
      const deadline = Date.now() + 1000;
      const left = async () => (await this.post("/sessions", {}, { server })).answer;
      let n = await left();
      while (n > remaining[server] && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        n = await left();
      }
      remaining[server] = n;
    }
  }

  // anchor connects a client to every namespace, to stay. Flask-SocketIO deletes empty namespaces,
  // and two clients that connect at the same moment would both create one.
  async anchor() {
    for (const server of ["main", "second"]) {
      const socket = await this.connect(`anchor of ${server}`, { server });
      for (const namespace of ["/chat", "/other", "/auth", "/handled", "/catch", "/any", "/class", "/mixed"]) {
        await this.connect(`${namespace} of ${server}`, { namespace, beside: socket, sync: false });
      }
      remaining[server] = (await this.post("/sessions", {}, { server })).answer;
    }
  }

  // until resolves when condition holds. It checks whenever a client sees something.
  until(what, condition) {
    return this.#wait(what, (resolve) => {
      const check = () => condition() && (this.#waiting.delete(check), resolve());
      this.#waiting.add(check);
      check();
    });
  }

  #wait(what, executor) {
    let timer;
    return Promise.race([
      new Promise(executor),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`timed out waiting for ${what}; seen: ${JSON.stringify(this.logs)}`)), patience);
      }),
    ]).finally(() => clearTimeout(timer));
  }

  // open starts to connect a client. options: namespace; server: "second";
  // query, auth, headers; beside: a client whose connection it shares.
  open(name, { namespace = "/", server, query, auth, headers, beside } = {}) {
    const url = server === "second" ? SECOND_URL : SERVER_URL;
    const socket = beside
      ? beside.io.socket(namespace, { auth })
      : io(url + namespace, {
          transports, auth, extraHeaders: headers, forceNew: true, reconnection: false,
          query: { scenario: this.name, ...query },
        });
    socket.label = name;
    socket.url = url;
    this.logs[name] ??= [];
    this.#sockets.push(socket);
    socket.on("connect", () => {
      this.#names.set(socket.id, name);
      this.#see(name, "connect");
    });
    socket.on("connect_error", (error) => this.#see(name, call("connect_error", [error.message, error.data].filter((v) => v !== undefined))));
    socket.on("disconnect", (reason) => this.#see(name, call("disconnect", [reason])));
    socket.onAny((event, ...args) => this.#see(name, call(event, args.filter((arg) => typeof arg !== "function"))));
    return socket;
  }

  // connect resolves when the client has joined, confirmed by a round trip, and has ended its
  // upgrade to the transport under test. Namespaces that do not know
  // the event "sync" need sync: false.
  async connect(name, { sync = true, ...options } = {}) {
    const socket = this.open(name, options);
    await this.until(`${name} to connect`, () => socket.connected);
    if (sync) await this.#roundTrip(socket);
    return this.settled(socket);
  }

  async settled(socket) {
    const { engine } = socket.io;
    if (TRANSPORT === "upgrade" && engine.transport.name !== "websocket") {
      await this.#wait(`the upgrade of ${socket.label}`, (resolve) => engine.once("upgrade", resolve));
    }
    return socket;
  }

  // saw resolves when the client has seen an event so many times.
  saw(socket, event, times = 1) {
    const seen = () => this.logs[socket.label].filter((entry) => entry === event || entry.startsWith(event + "(")).length;
    return this.until(`${socket.label} to see ${event}`, () => seen() >= times);
  }

  // ask emits an event and records its acknowledgement.
  ask(socket, event, ...args) {
    return this.#wait(`the ack of ${event}`, (resolve) => this.later(socket, event, ...args).then(resolve));
  }

  // later is ask for questions that may get no answer.
  later(socket, event, ...args) {
    return new Promise((resolve) => {
      socket.emit(event, ...args, (...answer) => {
        this.#see(socket.label, call(`ack ${event}`, answer));
        resolve(answer);
      });
    });
  }

  // rooms records the rooms of a client, or of the client with the sid, sorted by name.
  async rooms(socket, sid) {
    const rooms = await this.#wait("the rooms", (resolve) => socket.emit("rooms", ...(sid ? [sid] : []), resolve));
    this.note(socket.label, "rooms", rooms.map((room) => this.#names.get(room) ?? room).sort());
  }

  // do emits an event and resolves when everything that follows from it has been seen.
  async do(socket, event, ...args) {
    socket.emit(event, ...args);
    await this.settle();
  }

  // settle resolves when everything that the clients have sent was handled, and what the
  // handlers emitted has arrived: it arrives before the acknowledgement of a later event.
  async settle() {
    await this.#sync();
    await this.post("/idle");
    await this.#sync();
  }

  #sync() {
    return Promise.all(this.#sockets.filter(reachable).map((socket) => this.#roundTrip(socket)));
  }

  #roundTrip(socket) {
    return this.#wait(`the round trip of ${socket.label}`, (resolve) => {
      socket.emit("sync", resolve);
      socket.once("disconnect", resolve);
    });
  }

  // outcome resolves when the outcome of an attempt to connect is known. beside is a client in the
  // main namespace of the same connection. Flask-SocketIO handles the attempt before it reads on,
  // and may not answer it; our server handles namespaces in parallel, and answers.
  async outcome(socket, main) {
    const decided = () => this.logs[socket.label].some((entry) => /^(connect|connect_error|disconnect)\b/.test(entry));
    if (SERVER === "go") await this.until(`${socket.label} to hear of the outcome`, decided);
    if (reachable(main)) await this.#roundTrip(main);
  }

  // sent resolves when the client has sent everything that it had to send.
  async sent(socket) {
    const { engine } = socket.io;
    while (engine.writeBuffer.length > 0) await this.#wait("the packets to be sent", (resolve) => engine.once("drain", resolve));
  }

  // cleared records a number that our server resets to 0 after it has emitted an event about it.
  // Flask-SocketIO resets it before it handles anything else, or never.
  async cleared(name, what, read) {
    const deadline = Date.now() + patience;
    let value = await read();
    while (SERVER === "go" && value !== 0 && Date.now() < deadline) value = await read();
    this.note(name, what, value);
  }

  // raw sends a packet that the client library would not send.
  raw(socket, packet) {
    socket.io.engine.write(packet);
  }

  // post sends a request to a route of the app; its answer is returned, not recorded.
  async post(path, body, { cookie, server } = {}) {
    const url = new URL(path, server === "second" ? SECOND_URL : SERVER_URL);
    url.searchParams.set("scenario", this.name);
    const response = await fetch(url, {
      method: "POST",
      body: JSON.stringify(body ?? {}),
      headers: { "Content-Type": "application/json", ...(cookie && { Cookie: cookie }) },
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    const set = response.headers.get("set-cookie");
    return { answer: await response.json(), cookie: set?.split(";")[0] };
  }

  // note records something that the scenario itself has found out.
  note(name, what, ...values) {
    this.logs[name] ??= [];
    this.#see(name, call(what, values));
  }

  // journal waits until the server's side has noted so many entries and records them.
  async journal(count, { server, from = 0 } = {}) {
    const url = new URL("/journal", server === "second" ? SECOND_URL : SERVER_URL);
    url.searchParams.set("scenario", this.name);
    const read = async () => (await fetch(url)).json();
    const deadline = Date.now() + patience;
    let entries = await read();
    while (entries.length < count) {
      if (Date.now() > deadline) throw new Error(`timed out waiting for the server to note ${count} entries: ${JSON.stringify(entries)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      entries = await read();
    }
    for (const [what, ...values] of entries.slice(from)) this.note("server", what, ...values);
  }
}
