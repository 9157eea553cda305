// Connects clients over all transports through a balancer with two servers: every request of a client
// reaches its server, and both servers have clients. STICKY says how the balancer recognises clients:
// by "cookie" or "ip", or "none" if the servers hand requests over. With SHARED, the servers are one
// application.
import http from "node:http";
import { ask, assert, connected, done, open, until } from "./lib.mjs";

const { SERVER_URL, STICKY, SHARED } = process.env;
const kinds = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const clients = [];
const nodes = new Set();
for (let i = 0; i < 4 || (nodes.size < 2 && i < 10); i++) { // some balancers choose at random
  for (const [kind, transports] of Object.entries(kinds)) {
    const socket = open("/", {
      transports, auth: { name: `${kind} ${i}` }, extraHeaders: { Origin: SERVER_URL },
      ...(STICKY === "cookie" && { withCredentials: true }), // keeps cookies, as browsers do
      ...(STICKY === "ip" && { agent: new http.Agent({ keepAlive: true, localAddress: `127.${10 + 37 * i}.${i}.1` }) }),
    });
    socket.kind = kind;
    socket.said = [];
    socket.on("said", ({ text, node }) => socket.said.push(`${node}: ${text}`));
    socket.on("whispered", ({ text, node }, ack) => ack(socket.said.push(`${node} whispers: ${text}`)));
    await connected(socket);
    [socket.node] = await ask(socket, "node");
    nodes.add(socket.node);
    clients.push(socket);
  }
}
await until("the upgrades", () => clients.every((s) => s.kind === "polling" || s.io.engine.transport.name === "websocket"));

assert.equal(nodes.size, 2, `all are on one server: ${[...nodes]}`);
for (let i = 0; i < 30; i++) {
  for (const [n, [node]] of (await Promise.all(clients.map((socket) => ask(socket, "node")))).entries()) {
    assert.equal(node, clients[n].node, `${clients[n].kind} is on another server now`);
  }
}
assert.ok(clients.every((socket) => socket.connected));

if (SHARED) {
  for (const speaker of clients) {
    const text = `${speaker.node}: from ${speaker.id}`;
    speaker.emit("say", `from ${speaker.id}`);
    await until(text, () => clients.every((socket) => socket.said.includes(text)));
  }
  for (const from of clients.slice(0, 3)) {
    for (const to of clients) {
      assert.deepEqual(await ask(from, "whisper", to.id, `by ${from.id}`), [true]);
      assert.equal(to.said.at(-1), `${from.node} whispers: by ${from.id}`);
    }
  }
  assert.deepEqual(await ask(clients[0], "whisper", "nobody", "x"), [false]);
}
done();
