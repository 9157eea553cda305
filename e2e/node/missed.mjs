// Clients get the events that their server missed while it was cut off from the broker: each once,
// in order.
import { assert, connect, done, tell, until } from "./lib.mjs";

const received = [];
const sockets = [];
for (let i = 0; i < Number(process.env.CLIENTS); i++) {
  const socket = await connect();
  received.push([]);
  socket.on("e", (n) => received[i].push(n));
  sockets.push(socket);
}
tell("ready");
const total = Number(process.env.EVENTS);
await until("the last event", () => received.every((list) => list.at(-1) === total - 1));
for (const list of received) {
  assert.deepEqual(list, Array.from({ length: total }, (_, n) => n));
}
for (const socket of sockets) assert.ok(socket.connected);
done();
