// Connecting, events in both directions, acknowledgements in both directions.
import { ask, assert, connect, connected, done, next, open, settled, transport } from "./lib.mjs";

const socket = open();
const welcome = next(socket, "welcome"); // emitted by the connect handler
await connected(socket);
assert.deepEqual(await welcome, [socket.id]);
assert.match(socket.id, /^[\w-]{20,}$/);
await settled(socket);
assert.deepEqual(await ask(socket, "transport"), [transport === "polling" ? "polling" : "websocket"]);

const values = [1, -2.5, "é ␞ \u0000 😀", true, null, [1, [2, []]], { a: { b: [] }, "": 0 }];
socket.emit("echo", ...values);
assert.deepEqual(await next(socket, "echo"), values);
socket.emit("echo");
assert.deepEqual(await next(socket, "echo"), []);

// Client to server: the handler's return values.
assert.deepEqual(await ask(socket, "add", 2, 3), [5]);
assert.deepEqual(await ask(socket, "return", ...values), values);
assert.deepEqual(await ask(socket, "nothing"), []);
assert.deepEqual(await ask(socket, "fail"), [{ error: { message: "no", data: { code: 7 } } }]);

// Server to client: a callback, and a call that waits for the answer.
socket.on("question", (a, b, answer) => answer(a, b, "answered"));
socket.emit("ask", 1, { two: 2 });
assert.deepEqual(await next(socket, "answered"), [1, { two: 2 }, "answered"]);
assert.deepEqual(await ask(socket, "call", "x"), ["x"]);

// Answers to many questions at once reach the right question.
const sums = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(socket, "add", i, i)));
assert.deepEqual(sums, Array.from({ length: 100 }, (_, i) => [2 * i]));

// The catch-all handler gets events that have no handler.
socket.emit("no such event", { a: 1 }, 2);
assert.deepEqual(await next(socket, "caught"), ["no such event", { a: 1 }, 2]);

// A second client is another socket.
const other = await connect();
assert.notEqual(other.id, socket.id);
done();
