// Talks to the test's server with the official client and parser, over the
// transport named in TRANSPORT, and checks every kind of packet and value.

import assert from "node:assert/strict";
import { io } from "socket.io-client";
import parser from "socket.io-msgpack-parser";

const { SERVER_URL, TRANSPORT } = process.env;
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] }[TRANSPORT];

let waiting = "nothing";
setTimeout(() => {
  console.error(`timed out waiting for ${waiting}`);
  process.exit(1);
}, 20_000).unref();

const sockets = [];
function open(namespace, token) {
  const socket = io(SERVER_URL + namespace, { parser, transports, forceNew: true, reconnection: false, auth: token && { token } });
  sockets.push(socket);
  return socket;
}
const next = (emitter, event) => {
  waiting = `event ${event}`;
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
};
const ask = (socket, ...args) => {
  waiting = `ack of ${args[0]}`;
  return new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer)));
};

const socket = open("/", "t");
const welcome = next(socket, "welcome");
await next(socket, "connect");
assert.deepEqual(await welcome, ["t"]);
assert.match(socket.id, /^[\w-]{27}$/);
if (TRANSPORT === "upgrade" && socket.io.engine.transport.name !== "websocket") await next(socket.io.engine, "upgrade");
assert.equal(socket.io.engine.transport.name, TRANSPORT === "polling" ? "polling" : "websocket");

// A struct with binary data in it, both ways, as event and as acknowledgement.
const data = Buffer.from([0, 1, 254, 255]);
const got = next(socket, "blob");
assert.deepEqual(await ask(socket, "blob", { name: "n", data }), [{ name: "n!", data }]);
assert.deepEqual(await got, [{ name: "n!", data }]);

// Every kind of value comes back as it was, or as JSON would have made it.
// (Integers beyond 2^64 do not: notepack.io, the encoder below, writes them wrong.)
const same = [
  null, true, false, 0, 1, -1, 127, 128, 255, 256, 65535, 65536, 2 ** 32, -32, -33, -128, -129, -32769, -(2 ** 31) - 1,
  Number.MAX_SAFE_INTEGER, 1.5, -0.1, 1.5e-300, "", "x", "é 日本 😀 \u0000 \"\\", "y".repeat(300), "z".repeat(70_000),
  [], [[], [[]]], {}, { a: { b: [1, { c: null }] }, "": 0, "é": "é" }, new Array(20).fill(7), data, Buffer.alloc(70_000, 3),
  { _placeholder: true, num: 0 },
];
for (const value of same) assert.deepEqual(await ask(socket, "any", value), [value]);
assert.deepEqual(await ask(socket, "any", 1, "two", [3]), [1, "two", [3]]);
assert.deepEqual(await ask(socket, "any"), []);
const date = new Date(1700000000123);
assert.deepEqual(await ask(socket, "any", undefined, { u: undefined, v: 1 }, [undefined], NaN, date), [
  null, { v: 1 }, [null], null, date.toJSON(),
]);
assert.deepEqual(await ask(socket, "any", new Uint8Array([1, 2, 3]).buffer), [Buffer.from([1, 2, 3])]);

// The server asks, the client acknowledges.
socket.once("question", (question, answer) => answer({ name: question, data }));
const answered = next(socket, "answered");
socket.emit("ask", "why?");
assert.deepEqual(await answered, [{ name: "why?", data }]);

// Other namespaces, refusals, and both ways to leave.
const chat = open("/chat");
await next(chat, "connect");
assert.deepEqual(await ask(chat, "where"), ["/chat"]);
chat.disconnect();
const [refusal] = await next(open("/", "wrong"), "connect_error");
assert.equal(refusal.message, "no");
assert.equal(refusal.data, 7);
const [unknown] = await next(open("/nowhere"), "connect_error");
assert.equal(unknown.message, "Invalid namespace");
const gone = next(socket, "disconnect");
socket.emit("kick");
assert.equal((await gone)[0], "io server disconnect");
for (const s of sockets) s.disconnect(); // node ends by itself unless something leaks
