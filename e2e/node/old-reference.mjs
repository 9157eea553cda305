// The reference server with allowEIO3, and the handlers that oldServer has in Go as far as old-observe.mjs needs them.
import { createServer } from "node:http";
import { Server } from "socket.io";

const web = createServer();
const io = new Server(web, { allowEIO3: process.env.ALLOW !== "no", pingInterval: 400, pingTimeout: 60000 });
const echo = (...args) => args.pop()(...args);
io.on("connection", (socket) => {
  socket.emit("welcome", socket.id, socket.handshake.query.token ?? "");
  socket.on("echo", echo);
  socket.on("ask", (q) => socket.emit("question", q, Buffer.from([1, 2, 3, 4]), (answer, data) => socket.emit("answered", answer, data)));
  socket.on("number", (n) => socket.emit("number", n));
  socket.on("join and shout", (done) => {
    socket.join("room");
    io.to("room").emit("news", "näws", Buffer.from([1, 2, 3]));
    done();
  });
});
io.of("/chat").on("connection", (socket) => {
  socket.emit("welcome", socket.id, socket.handshake.auth);
  socket.on("echo", echo);
  socket.on("go", () => socket.disconnect());
});
io.of("/deny").use((socket, next) => next(new Error("denied")));
io.of("/data").use((socket, next) => next(Object.assign(new Error("denied"), { data: { code: 7 } })));
web.listen(0, "127.0.0.1", () => console.log("@http://127.0.0.1:" + web.address().port));
process.stdin.resume().on("end", () => process.exit(0));
