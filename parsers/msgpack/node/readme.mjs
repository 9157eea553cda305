// The client of the README, as the module PAGE, on a page that came from SERVER_URL.
import assert from "node:assert/strict";

globalThis.location = new URL(process.env.SERVER_URL);
const { socket } = await import(process.env.PAGE);
await new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
const data = Buffer.from([1, 2, 3]);
assert.deepEqual(await socket.emitWithAck("blob", { name: "a", data }), { name: "a!", data });
socket.disconnect();
