// Sends all kinds of WebSocket frames, with npm's ws, which the official client uses, to an Engine.IO
// server at SERVER_URL that echoes messages. COMPRESS negotiates permessage-deflate.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { SERVER_URL, COMPRESS } = process.env;
let require = createRequire(import.meta.url);
for (const name of ["socket.io-client-4", "engine.io-client"]) require = createRequire(require.resolve(name));
const WebSocket = require("ws");

setTimeout(() => {
  console.error("timed out");
  process.exit(1);
}, 90_000).unref();

// open connects and takes the open packet.
async function open() {
  const perMessageDeflate = COMPRESS ? { threshold: 0 } : false;
  const ws = new WebSocket(SERVER_URL, { perMessageDeflate, rejectUnauthorized: false });
  const messages = [], pongs = [], waiting = [];
  const take = (list) => (...args) => {
    list.push(args);
    waiting.splice(0).forEach((wake) => wake());
  };
  ws.on("message", take(messages));
  ws.on("pong", take(pongs));
  ws.on("error", () => {}); // the close event has the cause
  const closed = new Promise((resolve) => ws.on("close", (code, reason) => resolve([code, String(reason)])));
  let ended = false;
  closed.then(() => {
    ended = true;
    waiting.splice(0).forEach((wake) => wake());
  });
  const next = async (list) => {
    while (!list.length) {
      assert.ok(!ended, "it has ended");
      await new Promise((resolve) => waiting.push(resolve));
    }
    return list.shift();
  };
  const message = async () => (await next(messages))[0];
  const pong = async () => (await next(pongs))[0];
  assert.match(String(await message()), /^0\{/);
  assert.equal(ws.extensions, COMPRESS ? "permessage-deflate" : "");
  return { ws, message, pong, closed };
}

// The echo is what was sent, however it was split into frames.
{
  const { ws, message, pong, closed } = await open();
  const echo = async (parts, binary = false) => {
    parts = parts.map((p) => Buffer.from(p));
    parts.forEach((part, i) => {
      ws.send(part, { binary, fin: i === parts.length - 1 });
      ws.ping(`ping ${i}`);
    });
    for (const i of parts.keys()) assert.equal(String(await pong()), `ping ${i}`);
    const got = Buffer.from(await message());
    assert.ok(got.equals(Buffer.concat(parts)), `${parts.length} parts, binary: ${binary}`);
  };
  await echo(["4hello"]);
  await echo(["4he", "l", "", "lo"]);
  await echo(["", "4", ""]);
  const text = Buffer.from("4größer €\u{1f600} κόσμε");
  for (let i = 1; i < text.length; i++) await echo([text.subarray(0, i), text.subarray(i)]);
  await echo([...text].map((byte) => [byte]));
  for (const size of [1, 125, 126, 127, 4000, 4090, 4096, 5000, 65_535, 65_536, 900_000, 999_999]) {
    await echo(["4", "x".repeat(size - 1)]);
    await echo([Buffer.alloc(size, 0xff)], true);
    await echo([Buffer.alloc(size, 0xff), Buffer.alloc(1, 1)], true);
  }
  ws.ping("p".repeat(125));
  assert.equal(String(await pong()), "p".repeat(125));
  ws.pong("nobody asked");
  await echo(["4still here"]);
  ws.close(4321, "größer");
  assert.deepEqual(await closed, [4321, "größer"]);
}

// The server's answer to a close frame has its status.
for (const [args, want] of [[[], 1005], [[1000], 1000], [[1001], 1001], [[3000, ""], 3000], [[4999], 4999]]) {
  const { ws, closed } = await open();
  ws.close(...args);
  assert.deepEqual(await closed, [want, ""]);
}

// The server ends the connection.
for (const [message, want] of [["4close", 1005], ["4shutdown", 1001]]) {
  const { ws, closed } = await open();
  ws.send(message);
  assert.deepEqual(await closed, [want, ""]);
}

// Frames that break a rule.
const masked = (first, payload) => Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0, ...payload]);
const status = (code) => masked(0x88, [code >> 8, code & 0xff]);
const broken = {
  1002: {
    "no mask": Buffer.from([0x81, 1, 0x34]),
    "a ping of 126 bytes": Buffer.concat([Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]), Buffer.alloc(126)]),
    "a ping in fragments": masked(0x09, [1]),
    "a continuation of nothing": masked(0x80, [0x34]),
    "a message in a message": Buffer.concat([masked(0x01, [0x34]), masked(0x81, [0x34])]),
    "a close of one byte": masked(0x88, [3]),
  },
  1007: {
    overlong: masked(0x81, [0x34, 0xc0, 0xaf]),
    surrogate: Buffer.concat([masked(0x01, [0x34, 0xed]), masked(0x00, [0xa0]), masked(0x80, [0x80])]),
    "half a character": Buffer.concat([masked(0x01, [0x34, 0xf0, 0x9f]), masked(0x80, [0x98])]),
  },
};
for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) broken[1002][`opcode ${op}`] = masked(0x80 | op, []);
for (const bit of [0x10, 0x20, ...(COMPRESS ? [] : [0x40])]) broken[1002][`reserved bit ${bit}`] = masked(0x81 | bit, [0x34]);
for (const code of [0, 999, 1004, 1005, 1006, 1016, 2999, 5000]) broken[1002][`close ${code}`] = status(code);
for (const [code, cases] of Object.entries(broken)) {
  for (const [name, bytes] of Object.entries(cases)) {
    const { ws, closed } = await open();
    ws._socket.write(bytes);
    assert.equal((await closed)[0], Number(code), name);
  }
}
for (const code of [1003, 1007, 1008, 1010, 1011, 1012, 1013, 1014]) {
  const { ws, closed } = await open();
  ws._socket.write(status(code));
  assert.equal((await closed)[0], code);
}

// Messages above the limit, in one frame or several, compressed or not.
for (const parts of [["4" + "x".repeat(1_000_000)], [Buffer.alloc(3_000_000, "y")], ["4" + "x".repeat(900_000), "y".repeat(100_000)]]) {
  const { ws, closed } = await open();
  parts.forEach((part, i) => ws.send(part, { fin: i === parts.length - 1 }));
  assert.deepEqual(await closed, [1009, ""]);
}
