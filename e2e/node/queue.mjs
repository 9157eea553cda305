// Uses clients of two servers that share a message queue: both servers must show what one of them
// does. FIRST and SECOND are the kinds of the servers, "go" or "flask"; WORKERS_URL leads to
// processes without clients. In the middle, the queue goes away and comes back.
import { createInterface } from "node:readline/promises";
import { ask, assert, connect, done, next, tell, until } from "./lib.mjs";

const { FIRST_URL, SECOND_URL, FIRST, SECOND, WORKERS_URL } = process.env;
const servers = [{ url: FIRST_URL, kind: FIRST }, { url: SECOND_URL, kind: SECOND }];
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function post(url, body) {
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, `${url} ${JSON.stringify(body)}: ${await answer.clone().text()}`);
}

// Fleet is two clients on each server, in one namespace: a and b on the first,
// c and d on the second.
class Fleet {
  clients = {};
  marks = 0;

  constructor(namespace) {
    this.namespace = namespace;
  }

  async join(name) {
    const server = servers["abcd".indexOf(name) >> 1];
    const socket = await connect(this.namespace, { url: server.url, query: { scenario: "queue" } });
    Object.assign(socket, { label: name, server, inbox: [], mark: 0, probes: new Set() });
    socket.on("disconnect", (reason) => socket.inbox.push(["disconnect", reason]));
    socket.onAny((event, ...args) => {
      if (event === "mark") socket.mark = args[0];
      else if (event === "probe") socket.probes.add(args[0]);
      else socket.inbox.push([event, ...args.filter((arg) => typeof arg !== "function")]);
    });
    socket.on("question", (...args) => args.pop()("yes", ...args));
    socket.on("empty question", (ack) => ack());
    this.clients[name] = socket;
    return socket;
  }

  // reached waits until each server reaches each client.
  async reached() {
    const all = Object.values(this.clients);
    for (const socket of all) socket.probes.clear();
    const timer = setInterval(() => {
      for (const name of "ac") this.clients[name].emit("server emit", { event: "probe", args: [name] });
    }, 50);
    await until("messages from each server", () => all.every((socket) => socket.probes.size === 2));
    clearInterval(timer);
  }

  // seen returns which clients saw what of an action. When all clients have seen the mark,
  // everything that the same server or worker published before has arrived.
  async seen(from, act) {
    for (const socket of Object.values(this.clients)) socket.inbox = [];
    await act();
    const n = ++this.marks;
    await from.mark(n);
    const all = Object.values(this.clients);
    await until(`mark ${n} from ${from.label}`, () => all.every((socket) => socket.mark === n || !socket.connected));
    return Object.fromEntries(all.filter((s) => s.inbox.length).map((s) => [s.label, s.inbox]));
  }

  async check(what, from, act, want) {
    const got = await this.seen(from, act);
    assert.deepEqual(got, want, `${what}, ${this.namespace}, ${from.label}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
  }

  // by is a client that gives orders to its server.
  by(name) {
    const socket = this.clients[name];
    const { namespace } = this;
    return {
      label: `by ${name} on ${socket.server.kind}`,
      kind: socket.server.kind,
      mark: (n) => ask(socket, "server emit", { event: "mark", args: [n] }),
      emit: (spec) => ask(socket, "server emit", spec),
      send: (spec) => post(`${socket.server.url}/send`, { ...spec, namespace }),
      join: (sid, room) => ask(socket, "join", room, sid),
      leave: (sid, room) => ask(socket, "leave", room, sid),
      close: (room) => ask(socket, "close", room),
      disconnect: (sid) => post(`${socket.server.url}/disconnect`, { sid, namespace }),
    };
  }

  // worker is a process without clients.
  worker(kind) {
    const send = (op, spec) => post(`${WORKERS_URL}/${kind}`, { op, namespace: this.namespace, ...spec });
    return {
      label: `by a worker, ${kind}`,
      kind,
      mark: (n) => send("emit", { event: "mark", args: [n] }),
      emit: (spec) => send("emit", spec),
      send: (spec) => send("send", spec),
      join: (sid, room) => send("join", { sid, room }),
      leave: (sid, room) => send("leave", { sid, room }),
      close: (room) => send("close", { room }),
      disconnect: (sid) => send("disconnect", { sid }),
    };
  }

  // everything has a client or worker do everything that can be done to clients of both servers.
  async everything(from) {
    const { a, b, c, d } = this.clients;
    const to = (names, ...event) => Object.fromEntries([...names].map((name) => [name, [event]]));
    const emit = (spec) => () => from.emit({ event: "news", args: ["x"], ...spec });
    await this.check("everyone", from, emit({}), to("abcd", "news", "x"));
    await this.check("to a sid", from, emit({ to: a.id }), to("a", "news", "x"));
    await this.check("to a sid", from, emit({ to: d.id }), to("d", "news", "x"));
    await this.check("to sids", from, emit({ to: [b.id, c.id, "nobody"] }), to("bc", "news", "x"));
    await this.check("skip_sid", from, emit({ skip_sid: [b.id, d.id] }), to("ac", "news", "x"));
    await this.check("send", from, () => from.send({ data: "hi" }), to("abcd", "message", "hi"));
    await this.check("send json", from, () => from.send({ data: { a: 1 }, json: true, to: c.id }), to("c", "json", { a: 1 }));

    await this.check("join", from, async () => {
      for (const { id } of [a, c, d]) await from.join(id, "red");
      await from.join(d.id, "blue");
    }, {});
    await this.check("to a room", from, emit({ to: "red" }), to("acd", "news", "x"));
    await this.check("to rooms", from, emit({ to: ["red", "blue", b.id], skip_sid: [a.id] }), to("bcd", "news", "x"));
    await this.check("leave", from, async () => {
      for (const { id } of [a, d]) await from.leave(id, "red");
    }, {});
    await this.check("to a room that some left", from, emit({ to: "red" }), to("c", "news", "x"));
    await this.check("close", from, () => from.close("red"), {});
    await this.check("to a closed room", from, emit({ to: ["red", "blue"] }), to("d", "news", "x"));
    await from.close("blue");

    for (const args of [
      [], [1, "two", true, null, 2.5, -1e300], [[1, [2, []]]], [[]], [{ a: { b: [null] } }, {}], [0], [""], [false], [null, null],
      ["é ␞ \0 😀 \u2028 \u007f \"\\/"], [9007199254740991, 1e21], ["y".repeat(200_000)],
    ]) {
      await this.check("arguments", from, emit({ to: [a.id, c.id], args }), to("ac", "news", ...args));
    }

    const gone = from.label.startsWith("by c") ? b : d; // a client of the other server
    const { id } = gone;
    gone.inbox = [];
    await from.disconnect(id);
    await until("the disconnect", () => !gone.connected);
    assert.deepEqual(gone.inbox, [["disconnect", "io server disconnect"]], from.label);
    await this.join(gone.label);
    await this.reached();
    await this.check("who has left", from, emit({ to: id }), {});
  }

  // conversation tests what a client's own server does for it.
  async conversation(name, other) {
    const me = this.clients[name], there = this.clients[other];
    const from = this.by(name);
    const all = ["a", "b", "c", "d"];
    const to = (names, ...event) => Object.fromEntries([...names].map((who) => [who, [event]]));
    const emit = (spec) => () => ask(me, "emit", { event: "said", args: [1, "x"], ...spec });
    await this.check("the sender", from, emit({}), to(name, "said", 1, "x"));
    await this.check("broadcast", from, emit({ broadcast: true }), to(all, "said", 1, "x"));
    await this.check("include_self", from, emit({ broadcast: true, include_self: false }), to(all.filter((n) => n !== name), "said", 1, "x"));
    await this.check("to", from, emit({ to: there.id }), to(other, "said", 1, "x"));

    // The queue is not needed for what a client does itself, which must work nevertheless.
    await ask(there, "join", "green");
    await ask(me, "join", "green");
    await this.check("to a room", from, emit({ to: "green" }), to(name + other, "said", 1, "x"));
    await ask(there, "leave", "green");
    await this.check("to a room that one left", from, emit({ to: "green" }), to(name, "said", 1, "x"));
    await ask(me, "close", "green");

    // Binary data.
    const bytes = Buffer.from([0, 1, 0xfe, 0xff]);
    for (const args of [[bytes], [{ a: [bytes, { b: Buffer.alloc(0) }], c: "three" }, Buffer.alloc(100_000, 7)]]) {
      await this.check("binary", from, emit({ args, broadcast: true }), to(all, "said", ...args));
    }

    // Acknowledgements.
    const question = (spec) => ({ event: "question", args: [1, { two: [2] }], to: there.id, ...spec });
    assert.deepEqual(await ask(me, "call", question()), ["answer", ["yes", 1, { two: [2] }]], from.label);
    assert.deepEqual(await ask(me, "call", question({ event: "empty question", args: [] })), ["answer", []], from.label);
    const answered = next(me, "answered");
    me.emit("ask", question());
    assert.deepEqual(await answered, ["yes", 1, { two: [2] }], from.label);
    if (me.server.kind === "go" && there.server.kind === "go") {
      assert.deepEqual(await ask(me, "call", question({ args: [bytes] })), ["answer", ["yes", bytes]]);
    } else if (me.server.kind === "flask") { // it does not know which answers are binary: they arrive as base64
      assert.deepEqual(await ask(me, "call", question({ args: [bytes] })), ["answer", ["yes", bytes.toString("base64")]]);
    }

    // A server announces that a client of its own leaves.
    await ask(me, "join", "watchers of queue");
    const left = next(me, "left"), { id } = there;
    there.disconnect();
    assert.deepEqual(await left, [id]);
    await ask(me, "leave", "watchers of queue");
    await this.join(other);
    await this.reached();
  }
}

const fleets = [];
for (const namespace of ["/", "/chat"]) {
  const fleet = new Fleet(namespace);
  for (const name of "abcd") await fleet.join(name); // one by one: Flask-SocketIO needs that
  await fleet.reached();
  fleets.push(fleet);
}

async function all() {
  for (const fleet of fleets) {
    for (const name of "ac") await fleet.everything(fleet.by(name));
    for (const kind of new Set(["go", FIRST, SECOND])) await fleet.everything(fleet.worker(kind));
    await fleet.conversation("a", "c");
    await fleet.conversation("c", "a");
    await fleet.conversation("a", "b"); // at the same time
  }
}

await all();
tell("running");
assert.equal((await lines.next()).value, "down");
for (const { clients, namespace } of fleets) {
  for (const [me, beside] of ["ab", "cd"].map((pair) => [...pair].map((name) => clients[name]))) {
    me.inbox = [], beside.inbox = [];
    const started = Date.now();
    await ask(me, "emit", { event: "local", args: [1], broadcast: true });
    await ask(me, "join", "local", beside.id);
    await ask(me, "emit", { event: "local", args: [2], to: "local" });
    assert.deepEqual(await ask(me, "call", { event: "question", args: [3], to: beside.id }), ["answer", ["yes", 3]]);
    await until("local events", () => beside.inbox.length >= 3);
    assert.deepEqual(beside.inbox, [["local", 1], ["local", 2], ["question", 3]], namespace);
    assert.deepEqual(me.inbox, [["local", 1]], namespace);
    console.log(`${namespace} ${me.server.kind}: ${Date.now() - started} ms without the queue`);
    await ask(me, "close", "local");
  }
}
tell("local");
assert.equal((await lines.next()).value, "up");
for (const fleet of fleets) await fleet.reached();
tell("back");
await all();
done();
process.stdin.destroy();
