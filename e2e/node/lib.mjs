// Helpers of the scripts: they connect with the client and transport under test, and wait for
// events.

import assert from "node:assert/strict";

const { SERVER_URL, CLIENT = "socket.io-client-4", TRANSPORT = "upgrade", SCRIPT_TIMEOUT = 60_000 } = process.env;
const { io } = await import(CLIENT);

export { assert };
export const transport = TRANSPORT;

const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] }[TRANSPORT];
const sockets = [];
const pending = new Set();

// A script that hangs prints what it was waiting for.
setTimeout(() => {
  console.error(`timed out waiting for: ${[...pending].join(", ") || "nothing"}`);
  process.exit(1);
}, Number(SCRIPT_TIMEOUT)).unref();

// wait returns a promise with a name, for the message above.
function wait(what, executor) {
  pending.add(what);
  return new Promise(executor).finally(() => pending.delete(what));
}

// open starts to connect; the caller may still add listeners. options are those of the client, and
// url, for another server.
export function open(namespace = "/", { url = SERVER_URL, ...options } = {}) {
  const socket = io(url + namespace, { transports, forceNew: true, reconnection: false, ...options });
  sockets.push(socket);
  return socket;
}

// openBeside is open on the connection of another socket.
export function openBeside(other, namespace, options) {
  const socket = other.io.socket(namespace, options);
  sockets.push(socket);
  return socket;
}

// next resolves with the arguments of the next such event.
export const next = (emitter, event) =>
  wait(`event ${event}`, (resolve) => emitter.once(event, (...args) => resolve(args)));

// connected resolves when the client has joined its namespace, and rejects when it is refused.
export const connected = (socket) =>
  wait("connect", (resolve, reject) => {
    if (socket.connected) resolve();
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });

// settled resolves when the client has joined and has ended its upgrade to the transport under test.
export async function settled(socket) {
  await connected(socket);
  const { engine } = socket.io;
  if (transport === "upgrade" && engine.transport.name !== "websocket") await next(engine, "upgrade");
  assert.equal(engine.transport.name, transport === "polling" ? "polling" : "websocket");
  return socket;
}

export const connect = (namespace, options) => settled(open(namespace, options));

// refused resolves with the error that a client is refused with.
export async function refused(socket) {
  socket.once("connect", () => assert.fail("the client was accepted"));
  const [error] = await next(socket, "connect_error");
  return error;
}

// ask emits with an acknowledgement and resolves with its arguments.
export const ask = (socket, event, ...args) =>
  wait(`ack of ${event}`, (resolve) => socket.emit(event, ...args, (...answer) => resolve(answer)));

// until resolves when condition holds.
export const until = (what, condition) =>
  wait(what, (resolve) => {
    const timer = setInterval(() => {
      if (!condition()) return;
      clearInterval(timer);
      resolve();
    }, 5);
  });

// tell sends one word to the Go test.
export const tell = (word) => console.log("@" + word);

// done closes every client; node ends by itself unless something leaks.
export function done() {
  for (const socket of sockets) socket.disconnect();
}
