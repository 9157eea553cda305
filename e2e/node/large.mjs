// Large messages: 900 KB pass both ways; a message above the limit closes the connection.
import { ask, assert, connect, done, next, transport } from "./lib.mjs";

// Over polling, binary data is base64, which is a third larger.
const textSize = 900_000;
const binarySize = transport === "polling" ? 700_000 : 900_000;

const socket = await connect();
const text = "é".repeat(textSize / 2); // the limit counts bytes, not characters
const binary = Buffer.alloc(binarySize, 0xab);

assert.deepEqual(await ask(socket, "size", text), [textSize]);
assert.deepEqual(await ask(socket, "size", binary), [binarySize]);

const [answer] = await ask(socket, "make text", textSize);
assert.ok(answer === "y".repeat(textSize), "a large text arrived damaged");
const [made] = await ask(socket, "make binary", binarySize);
assert.ok(Buffer.from(made).equals(Buffer.alloc(binarySize, 0xcd)), "large binary data arrived damaged");

// Above the limit, this connection ends, and another one goes on.
const observer = await connect();
const left = next(observer, "left");
const reason = next(socket, "disconnect");
const { id } = socket;
socket.emit("size", "z".repeat(1_100_000));
assert.match((await reason)[0], /^transport (close|error)$/);
assert.equal((await left)[0], id);
assert.deepEqual(await ask(observer, "add", 1, 2), [3]);
done();
