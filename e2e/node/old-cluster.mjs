// A client of Socket.IO 1 or 2 at one server, one of today at another: one room, and acknowledgements across.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { io as today } from "socket.io-client-4";

const { OLD_URL, NEW_URL, CLIENT, TRANSPORT } = process.env;
setTimeout(() => (console.error("timed out"), process.exit(1)), 60_000);
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] }[TRANSPORT];
const event = (socket, name) => new Promise((resolve) => socket.once(name, (...args) => resolve(args)));
const ask = (socket, ...args) => new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer)));
const bytes = (b) => [...new Uint8Array(b)];

const old = createRequire(import.meta.url)(CLIENT)(OLD_URL, { transports, forceNew: true });
const fresh = today(NEW_URL, { transports });
const all = [old, fresh];
const sids = (await Promise.all(all.map((socket) => event(socket, "welcome")))).map(([sid]) => sid);
assert.equal(sids[0], old.id);
await Promise.all(all.map((socket) => ask(socket, "join")));
for (const socket of all) socket.on("question", (q, data, answer) => answer(q + "!", data));

for (const from of all) {
  const heard = all.map((socket) => event(socket, "news"));
  await ask(from, "join and shout");
  for (const [news, picture] of await Promise.all(heard)) assert.deepEqual([news, bytes(picture)], ["näws", [1, 2, 3]]);
}
for (const [from, to] of [[old, sids[1]], [fresh, sids[0]]]) {
  const [answer, data] = await ask(from, "ask another", to, "päge");
  assert.deepEqual([answer, bytes(data)], ["päge!", [1, 2, 3, 4]]);
}
process.exit(0);
