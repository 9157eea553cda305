// A client of Socket.IO 1 or 2 goes through the list in Node, with a client of today in the same room.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { io as today } from "socket.io-client-4";

const { SERVER_URL, CLIENT, TRANSPORT } = process.env;
const old = createRequire(import.meta.url)(CLIENT);
(0, eval)(readFileSync(new URL("old-list.js", import.meta.url), "utf8"));

const timer = setTimeout(() => (console.error("timed out"), process.exit(1)), 60_000);
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] }[TRANSPORT];
const other = today(SERVER_URL, { transports });
await new Promise((resolve) => other.on("welcome", resolve));
await new Promise((resolve) => other.emit("join", resolve));
const heard = new Promise((resolve) => other.on("news", (news, picture) => resolve(news + picture.length)));
await oldList(old, SERVER_URL, { transports, bytes: (n) => Buffer.alloc(n, 7), sizeOf: (b) => b.byteLength ?? b.length });
if ((await heard) !== "näws3") throw new Error("the client of today heard something else");
other.close();
clearTimeout(timer);
process.exit(0);
