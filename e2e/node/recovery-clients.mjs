// All clients for the scenarios of package recovery, in one process. It reads one command a line,
// prints what happens to connections at once, and at the end what each client has received.
import { createInterface } from "node:readline";

const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const clients = []; // one for each client and namespace
const managers = [];
let received = 0;
const problems = [];

// A history lists what a client received, in order: [server, first, last] for consecutive numbers.
function record(client, { server, n }) {
  received++;
  const last = client.history.at(-1);
  if (last && last[0] === server && last[2] === n - 1) last[2] = n;
  else client.history.push([server, n, n]);
}

function listen(client, socket) {
  const wrong = (what) => problems.length < 100 && problems.push(`${client.name} ${client.ns}: ${what}`);
  let connects = 0;
  socket.on("connect", () => {
    connects++;
    client.connected = true;
    print({ kind: "connected", client: client.name, ns: client.ns, n: connects, sid: socket.id, recovered: !!socket.recovered, reason: socket.io.engine.transport.name });
  });
  socket.on("disconnect", (reason) => {
    client.connected = false;
    print({ kind: "disconnected", client: client.name, ns: client.ns, reason });
  });
  socket.on("connect_error", (err) => {
    if (!/xhr|websocket|timeout/.test(err.message)) wrong(`connect_error ${err.message}`);
  });
  socket.on("plain", (meta, ...rest) => {
    record(client, meta);
    if (rest.length > 1 || (rest.length === 1 && typeof rest[0] !== "string")) wrong(`arguments ${JSON.stringify(rest)} of ${meta.n}`);
  });
  socket.on("binary", (meta, bytes) => {
    record(client, meta);
    if (!bytes.every?.((b) => b === meta.n % 251)) wrong(`bytes of ${meta.n}`);
  });
  socket.on("volatile", (meta, text) => {
    record(client, meta);
    if (text !== "the last argument") wrong(`argument of ${meta.n}`);
  });
  socket.on("question", (meta, answer) => {
    record(client, meta);
    if (typeof answer !== "function") wrong(`question ${meta.n} without callback`);
    else answer(meta.n);
  });
}

const commands = {
  async open({ clients: list }) {
    for (const { name, url, lib, transports, namespaces, rooms } of list) {
      const { Manager } = await import(lib);
      const manager = new Manager(url, { transports, reconnectionDelay: 50, reconnectionDelayMax: 300, timeout: 20_000 });
      managers.push(manager);
      // Each connection has an engine of its own, which reports that the upgrade begins.
      manager.on("open", () => manager.engine.on("upgrading", () => print({ kind: "upgrading", client: name })));
      for (const ns of namespaces) {
        const client = { name, ns, history: [], connected: false };
        clients.push(client);
        listen(client, manager.socket(ns, { auth: { client: name, rooms } }));
      }
    }
  },
  count: () => print({ kind: "count", n: received }),
  report() {
    for (const { name, ns, history } of clients) print({ kind: "received", client: name, ns, history });
    problems.forEach((reason) => print({ kind: "problem", reason }));
  },
};

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const command = JSON.parse(line);
  await commands[command.do](command);
  print({ kind: "done", n: command.id });
});
lines.on("close", () => process.exit(0));
print({ kind: "listening" });
