// The reference server, every option at its default; if BENCH_REDIS is the URL of
// a Redis, one of several with the Redis adapter; if BENCH_TLS is a folder with a
// certificate, with TLS.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { Server } from "socket.io";

const require = createRequire(import.meta.url);
const tls = process.env.BENCH_TLS;
const http = tls
  ? createSecureServer({ cert: readFileSync(`${tls}/cert.pem`), key: readFileSync(`${tls}/key.pem`) })
  : createServer();
const io = new Server(http, { serveClient: false });
const fleet = process.env.BENCH_REDIS;
if (fleet) {
  const { createAdapter } = await import("@socket.io/redis-adapter");
  const { createClient } = await import("redis");
  const clients = [createClient({ url: fleet }), createClient({ url: fleet })];
  await Promise.all(clients.map((client) => client.connect()));
  io.adapter(createAdapter(...clients));
}

io.on("connection", (socket) => {
  socket.on("echo", (s, ack) => ack(s));
  socket.on("json", (order, ack) => ack(order));
  socket.on("binary", (b, ack) => ack(b));
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("broadcast", (s) => io.emit("msg", s));
  socket.on("room", (room, s) => io.to(room).emit("msg", s));
});

// Like other servers' backlog; node's own would drop connections of a storm.
http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  const version = (name) => require(`${name}/package.json`).version;
  const adapter = fleet ? `, @socket.io/redis-adapter ${version("@socket.io/redis-adapter")}, redis ${version("redis")}` : "";
  console.log(`version socket.io ${version("socket.io")}, ws ${version("ws")}${adapter}, node ${process.version}`);
  console.log(`listening 127.0.0.1:${http.address().port}`);
});

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  if (line === "gc") {
    global.gc();
    console.log("ok");
  } else {
    console.log(`error unknown command ${line}`);
  }
});
lines.on("close", () => process.exit(0));
