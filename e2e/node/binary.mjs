// Sends binary data at any depth, both ways, in events and acknowledgements.
import { ask, assert, connect, done, next } from "./lib.mjs";

const bytes = (...list) => Buffer.from(list);
const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

// plain makes what arrives comparable: binary data of any type becomes a Buffer.
function plain(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return Buffer.from(value.buffer ?? value, value.byteOffset ?? 0, value.byteLength);
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value;
}

const socket = await connect();
const values = [all, { deep: [{ er: bytes(1) }, bytes(2, 3)], text: "t" }, [], bytes()];

socket.emit("echo", ...values);
assert.deepEqual(plain(await next(socket, "echo")), values);
assert.deepEqual(plain(await ask(socket, "return", ...values)), values);

// Typed: a Go struct with []byte fields, nested in a slice and a map.
const blob = { name: "b", data: all, parts: [{ name: "p", data: bytes(9), parts: null, more: null }], more: { x: bytes(8) } };
assert.deepEqual(plain(await ask(socket, "blob", blob)), [blob]);

// Server to client: binary in the question and in the answer.
socket.on("question", (a, b, answer) => answer(b, { again: a }));
socket.emit("ask", all, bytes(7));
assert.deepEqual(plain(await next(socket, "answered")), [bytes(7), { again: all }]);

// Text and binary events keep their order.
const order = [];
socket.on("echo", (value) => order.push(typeof value === "number" ? value : plain(value)[0]));
for (let i = 0; i < 100; i++) socket.emit("echo", i % 2 ? i : bytes(i));
await ask(socket, "nothing");
assert.deepEqual(order, Array.from({ length: 100 }, (_, i) => i));
done();
