// Checks the order: nothing is lost, repeated or overtaken, across the upgrade, too.
import { ask, assert, connected, done, open, transport, until } from "./lib.mjs";

const total = 1000;
const socket = open();
const received = [];
let receivedBefore; // the number of echoes before the upgrade completed
socket.on("echo", (i) => received.push(i));
socket.io.engine.once("upgrade", () => (receivedBefore = received.length));
await connected(socket);

// Begin at once: the test holds the WebSocket handshake back until the server
// has seen a hundred messages. Go on until well after the upgrade, so that
// messages are under way in both directions while the transport changes.
let sent = 0;
let sentAfter = 0;
await until("the upgrade, and messages after it", () => {
  for (let i = 0; i < 10; i++) socket.emit("echo", sent++);
  if (transport !== "upgrade" || receivedBefore !== undefined) sentAfter += 10;
  return sentAfter >= total / 2 && sent >= total;
});
await ask(socket, "nothing");

assert.equal(received.length, sent);
received.forEach((value, i) => assert.equal(value, i));
if (transport === "upgrade") {
  assert.equal(socket.io.engine.transport.name, "websocket");
  assert.ok(receivedBefore > 0, "no message came back before the upgrade");
  assert.ok(receivedBefore < sent, "no message was left for after the upgrade");
}

// Checks what the server saw, and a burst of the server's own messages.
assert.deepEqual(await ask(socket, "in order"), [sent]);
received.length = 0;
await ask(socket, "burst", total);
assert.equal(received.length, total);
received.forEach((value, i) => assert.equal(value, i));
done();
