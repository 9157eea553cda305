// What an old client observes of a server, one line each: through the official client, and on the wire.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const WebSocket = createRequire(require.resolve("engine.io"))("ws");
const { SERVER_URL, CLIENT, ALLOWED } = process.env;
const io = require(CLIENT);
setTimeout(() => (console.error("timed out"), process.exit(1)), 60_000);

// Session ids in the output become SID.
const observe = (what, ...values) =>
  console.log("@" + what + ": " + values.map((v) => (typeof v === "string" ? v : JSON.stringify(v))).join(" ").replace(/[A-Za-z0-9_-]{20,27}(?=")/g, "SID"));
const event = (socket, name) => new Promise((resolve) => socket.once(name, (...args) => resolve(args)));
const plain = (v) => (Buffer.isBuffer(v) || v instanceof ArrayBuffer ? "binary " + Buffer.from(v).toString("hex") : v);
const connect = (namespace, options) => io(SERVER_URL + namespace, { forceNew: true, reconnection: false, transports: ["polling"], ...options });

if (ALLOWED === "no") {
  const [error] = await event(connect("/"), "connect_error");
  observe("refused", String(error), error.description);
  const answer = await fetch(SERVER_URL + "/socket.io/?EIO=3&transport=polling");
  observe("refusal", answer.status, answer.headers.get("content-type"), await answer.text());
  process.exit(0);
}

for (const transports of [["polling"], ["websocket"]]) {
  const name = transports[0];
  const socket = connect("/", { transports, query: { token: "abc" } });
  const order = [];
  for (const e of ["connect", "welcome", "disconnect", "error"]) socket.on(e, () => order.push(e));
  const [sid, token] = await event(socket, "welcome");
  observe(name + " connected", order, sid === socket.id, token);
  const ask = (...args) => new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer.map(plain))));
  observe(name + " echo", await ask("echo", "é€😀\n", 1.5, null, [true], {}));
  observe(name + " empty echo", await ask("echo"));
  observe(name + " binary echo", await ask("echo", Buffer.from([0, 255, 4])));
  socket.on("question", (q, data, answer) => answer(q + "!", data));
  const answered = event(socket, "answered");
  socket.emit("ask", "why");
  observe(name + " answered", (await answered).map(plain));
  const news = event(socket, "news");
  await ask("join and shout");
  observe(name + " news", (await news).map(plain));

  const chat = connect("/chat", { transports, query: { test: "1 2", x: "&=?" } });
  const [chatSID, auth] = await event(chat, "welcome");
  observe(name + " namespace", chatSID === chat.id, chatSID.startsWith("/chat#"), auth);
  for (const ns of ["/deny", "/data", "/nowhere"]) {
    const refused = connect(ns, { transports });
    observe(name + " " + ns, await event(refused, "error"), refused.connected);
    refused.close();
  }
  chat.emit("go");
  observe(name + " sent away", await event(chat, "disconnect"));
  chat.io.close();
  let pongs = 0;
  socket.on("pong", () => pongs++);
  await event(socket, "pong");
  await event(socket, "pong");
  observe(name + " heartbeats", pongs, order);
  socket.close();
  observe(name + " closed", order);
}

// The wire.
const url = (query) => SERVER_URL + "/socket.io/?EIO=3&transport=polling" + query;
const get = async (query, what) => {
  const answer = await fetch(url(query));
  const body = Buffer.from(await answer.arrayBuffer()).toString("latin1");
  if (what) observe(what, answer.status, answer.headers.get("content-type"), JSON.stringify(body));
  return body;
};
// ended observes a poll of a session that is about to end. A poll that comes before the end gets the CLOSE packet, and
// the next one finds no session.
const ended = async (query, what) => {
  for (;;) {
    const answer = await fetch(url(query));
    const body = await answer.text();
    if (answer.status === 200 && body === packet("1")) continue;
    return observe(what, answer.status, answer.headers.get("content-type"), JSON.stringify(body));
  }
};
const post = async (query, body, what, type = "text/plain;charset=UTF-8") => {
  const answer = await fetch(url(query), { method: "POST", body, headers: { "content-type": type } });
  const text = await answer.text();
  if (what) observe(what, answer.status, answer.headers.get("content-type"), text);
};
const open = async (query = "") => {
  const body = await get(query);
  const session = query + "&sid=" + body.match(/sid\\?":\\?"([^"\\]+)/)[1];
  for (let all = body; !all.includes("welcome"); ) all += await get(session); // CONNECT and the event may come behind
  return session;
};
const packet = (text) => text.length + ":" + text;
const echoBinary = packet('451-2["echo",{"_placeholder":true,"num":0}]') + packet("b4AP8E");
observe("open packet", (await get("")).match(/^\d+:0(\{.*?\})/)[1]);
let s = await open();
await post(s, packet('420["echo"]'), "POST");
await get(s, "an ACK");
await post(s, '16:421["echo","é"]', "POST of a wrong length");
s = await open();
await post(s, packet('421["echo","é"]'));
await get(s, "text that is not ASCII");
await post(s, packet('42["number","</>"]'));
await get(s, "an event");
await post(s, packet("2"), "PING");
await get(s, "PONG");
await post(s, packet("2probe"));
await get(s, "PONG to a PING with data");
await post(s, "0:", "an empty packet");
await post(s, packet("3"), "PONG of the client");
await ended(s, "a poll after that");
s = await open("&b64=1");
await post(s, echoBinary);
await get(s, "base64");
await post(s, packet('422["echo","é"]'));
await get(s, "base64, text that is not ASCII");
s = await open();
await post(s, echoBinary);
await get(s, "binary data");
await post(s, packet("1"), "CLOSE");
await get(s, "a poll after CLOSE");
s = await open("&j=3");
await post(s, "d=" + encodeURIComponent(packet('423["echo","a\\nb</\u2028"]').replace("\\n", "\\\\n")), "POST of a form", "application/x-www-form-urlencoded");
await get(s, "a script");
s = await open();
await post(s, packet("40"), "CONNECT for /");
await post(s, packet('420["echo"]'));
await get(s, "a poll after CONNECT for /");
await get("&sid=unknown", "an unknown session");
await post("", packet("2"), "a handshake by POST");

const ws = new WebSocket(SERVER_URL.replace("http", "ws") + "/socket.io/?EIO=3&transport=websocket&sid=" + (await open()).match(/sid=(.*)/)[1]);
await event(ws, "open");
ws.send("2probe");
observe("probe", String((await event(ws, "message"))[0]));
ws.send("5");
ws.send("2");
observe("PONG over WebSocket", String((await event(ws, "message"))[0]));
ws.send('451-7["echo",{"_placeholder":true,"num":0}]');
ws.send(Buffer.from([4, 0, 255]));
const messages = await new Promise((resolve) => {
  const all = [];
  ws.on("message", (data, binary) => all.push((binary ? "binary " + data.toString("hex") : String(data))) === 2 && resolve(all));
});
observe("binary data over WebSocket", messages);
process.exit(0);
