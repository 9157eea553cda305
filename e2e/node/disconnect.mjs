// Tries every way to leave, and checks the reason that each side sees.
import { ask, assert, connect, connected, done, next, openBeside, transport } from "./lib.mjs";

const observer = await connect();

// leaving runs act on a new client and checks the reasons on both sides.
async function leaving(act, clientReason, serverReason) {
  const socket = await connect();
  const { id } = socket;
  await ask(socket, "join", "leavers");
  const left = next(observer, "left");
  const gone = next(socket, "disconnect");
  act(socket);
  assert.equal((await gone)[0], clientReason);
  // The disconnect handler still sees the rooms.
  assert.deepEqual(await left, [id, serverReason, [id, "leavers"].sort()]);
}

await leaving((socket) => socket.emit("kick"), "io server disconnect", "server disconnect");
await leaving((socket) => socket.disconnect(), "io client disconnect", "client disconnect");
await leaving((socket) => socket.io.engine.close(), "forced close",
  transport === "polling" ? "client disconnect" : "transport close"); // polling clients send a close packet

// What was emitted before a server's disconnect still arrives, in order.
const socket = await connect();
const chat = openBeside(socket, "/chat");
await connected(chat);
const seen = [];
socket.on("last words", () => seen.push("last words"));
socket.on("disconnect", () => seen.push("disconnect"));
const gone = next(socket, "disconnect");
socket.emit("kick");
await gone;
assert.deepEqual(seen, ["last words", "disconnect"]);

// The connection stays open: for its other namespaces, and to join again.
assert.deepEqual(await ask(chat, "where"), ["/chat"]);
socket.connect();
await connected(socket);
assert.deepEqual(await ask(socket, "add", 1, 2), [3]);
done();
