// Connects through a proxy without WebSocket: a client that knows no other transport is refused at
// once, and one that may try polling gets in.
import { assert, connected, done, open, refused } from "./lib.mjs";

const error = await refused(open("/", { transports: ["websocket"] }));
assert.equal(error.message, "websocket error");

const socket = open("/", { transports: ["websocket", "polling"], tryAllTransports: true });
await connected(socket);
assert.equal(socket.io.engine.transport.name, "polling");
done();
