// The reference server for the scenarios of package recovery: alone, or one of
// several on a Redis. It takes commands and keeps the journal that program.go of
// that package describes.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import { Server } from "socket.io";

const config = JSON.parse(process.env.RECOVERY_CONFIG);
const version = (name) => createRequire(import.meta.url)(`${name}/package.json`).version;

// One write for each line: what is written survives SIGKILL.
function print(line) {
  const bytes = Buffer.from(JSON.stringify(line) + "\n");
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done);
    } catch (err) {
      if (err.code !== "EAGAIN") throw err;
    }
  }
}
const note = (kind, line) => print({ kind, at: Date.now() * 1000, ...line });

const options = {
  serveClient: false,
  pingInterval: config.pingInterval,
  pingTimeout: config.pingTimeout,
  connectionStateRecovery: { maxDisconnectionDuration: config.window },
};
let name = "socket.io " + version("socket.io");
if (config.broker) {
  const { createClient } = await import("redis");
  const { createAdapter } = await import("@socket.io/redis-streams-adapter");
  const client = createClient({ url: config.broker });
  await client.connect();
  options.adapter = createAdapter(client);
  name += ", @socket.io/redis-streams-adapter " + version("@socket.io/redis-streams-adapter");
}

const http = createServer();
const io = new Server(http, options);
const sockets = {}; // by namespace and client: the newest
const rooms = {}; // by namespace and client: where the application wants it

for (const ns of config.namespaces) {
  sockets[ns] = new Map();
  rooms[ns] = new Map();
  io.of(ns).on("connection", (socket) => {
    const { client, rooms: first } = socket.handshake.auth;
    const who = { client, ns, sid: socket.id };
    note("arrived", { ...who, recovered: socket.recovered, rooms: [...socket.rooms].filter((room) => room !== socket.id) });
    sockets[ns].set(client, socket);
    if (!rooms[ns].has(client)) rooms[ns].set(client, new Set(first));
    if (!socket.recovered) socket.join([...rooms[ns].get(client)]);
    note("joined", { ...who, rooms: [...rooms[ns].get(client)] });
    socket.on("disconnect", (reason) => note("left", { ...who, reason }));
  });
}

let number = 0;

function emit(plan, to, client) {
  const n = ++number;
  const meta = { server: config.name, n, pad: plan.size && plan.event !== "binary" ? "x".repeat(plan.size) : undefined };
  const ns = io.of(plan.ns);
  note("emitted", { n, ns: plan.ns, to, client, volatile: plan.event === "volatile", question: plan.event === "question" });
  const socket = client && sockets[plan.ns].get(client);
  const target = client ? ns.to(socket.id) : to ? ns.to(to) : ns;
  switch (plan.event) {
    case "plain":
      target.emit("plain", meta);
      break;
    case "binary":
      target.emit("binary", meta, Buffer.alloc(plan.size, n % 251));
      break;
    case "volatile":
      target.volatile.emit("volatile", meta, "the last argument");
      break;
    case "question":
      socket.timeout(60_000).emit("question", meta, (err, answer) => note("answered", { n, ns: plan.ns, client, reason: err ? String(err) : answer === n ? "" : "another answer" }));
      break;
    default:
      throw new Error(`no event ${plan.event}`);
  }
}

function emitPlan(plan) {
  if (plan.each) for (const client of sockets[plan.ns].keys()) emit(plan, undefined, client);
  else if (plan.rooms) for (const room of plan.rooms) emit(plan, room);
  else emit(plan);
}

let timers = [];
const stop = () => {
  timers.forEach(clearInterval);
  timers = [];
};

const commands = {
  traffic: ({ plans }) => timers.push(...plans.map((plan) => setInterval(() => emitPlan(plan), plan.every))),
  stop,
  async burst({ plans, count }) {
    for (let i = 0; i < count; i++) {
      plans.forEach(emitPlan);
      if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
  move({ ns, client, room, from }) {
    note("moved", { ns, client, room, from });
    const { id } = sockets[ns].get(client);
    io.of(ns).in(id).socketsLeave(from);
    io.of(ns).in(id).socketsJoin(room);
    rooms[ns].get(client).delete(from);
    rooms[ns].get(client).add(room);
  },
};

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const command = JSON.parse(line);
  await commands[command.do](command);
  print({ kind: "done", n: command.id });
});
lines.on("close", () => process.exit(0));

process.on("SIGTERM", () => {
  stop();
  io.close();
  setTimeout(() => process.exit(0), 1000); // leaves time for what the adapter writes
});

http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => print({ kind: "listening", to: `127.0.0.1:${http.address().port}`, reason: name }));
