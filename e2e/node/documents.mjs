// Runs JavaScript of the documents: executes CODE unchanged on a page from SERVER_URL. NAME says
// how to use it then.
import { createRequire } from "node:module";
import { io } from "socket.io-client-4";
import { ask, assert, connect, connected, done, next, until } from "./lib.mjs";

const { NAME, CODE, SERVER_URL } = process.env;

// run executes the code with the names as variables, and returns its socket.
const run = (code, names, result = "") => new Function(...Object.keys(names), `${code}\n${result}`)(...Object.values(names));

// talk uses the small app of the guides.
async function talk(url) {
  await assert.rejects(connect("/", { url }), { message: "say your name" });
  const [ann, bob] = [await connect("/", { url, auth: { name: "ann" } }), await connect("/", { url, auth: { name: "bob" } })];
  for (const socket of [ann, bob]) {
    const joined = next(ann, "joined");
    socket.emit("join", "den");
    assert.deepEqual(await joined, [socket === ann ? "ann" : "bob"]);
  }
  const heard = [next(ann, "said"), next(bob, "said")];
  ann.emit("say", "den", "hello");
  for (const said of heard) assert.deepEqual(await said, [{ name: "ann", text: "hello" }]);
  assert.deepEqual(await ask(ann, "add", 1, 2), [3]);
  ann.disconnect();
  bob.disconnect();
}

const uses = {
  // The program of the README.
  async quickstart() {
    const [ann, bob] = [await connect(), await connect()];
    for (const socket of [ann, bob]) socket.emit("join", { room: "den" });
    assert.deepEqual(await ask(bob, "add", 1, 2), [3]);
    assert.deepEqual(await ask(ann, "add", 1, 2), [3]);
    const heard = [next(ann, "said"), next(bob, "said")];
    ann.emit("say", { room: "den", text: "hello" });
    for (const said of heard) assert.deepEqual(await said, [{ room: "den", text: "hello" }]);
    const alone = next(ann, "said");
    ann.emit("say", { room: ann.id, text: "to me" });
    assert.deepEqual(await alone, [{ room: ann.id, text: "to me" }]);
  },

  async token() {
    let token = "old";
    const refreshToken = async () => (token = "fresh");
    const socket = run(CODE.replace("https://api.example.com", SERVER_URL), { io, currentToken: () => token, refreshToken }, "return socket;");
    const [error] = await next(socket, "connect_error");
    assert.equal(error.message, "not authorized");
    await connected(socket);
    assert.equal(token, "fresh");
    socket.disconnect();
  },

  async websocket() {
    globalThis.location = new URL(SERVER_URL);
    const socket = run(CODE, { io }, "return socket;");
    await connected(socket);
    assert.equal(socket.io.engine.transport.name, "websocket");
    socket.disconnect();
  },

  // The small app of the guides, on our server.
  async talk() {
    await talk(SERVER_URL);
  },

  // The same on npm's server.
  async server() {
    const { Server } = createRequire(new URL("../../bench/servers/node/package.json", import.meta.url))("socket.io");
    const logged = [];
    const names = { require: () => ({ Server }), console: { log: (...words) => logged.push(words.join(" ")) } };
    const server = run(CODE.replace("5000", "0"), names, "return io;");
    if (!server.httpServer.listening) await next(server.httpServer, "listening");
    await talk(`http://127.0.0.1:${server.httpServer.address().port}`);
    await until("the disconnect", () => logged.length > 0);
    assert.equal(logged[0], "ann client namespace disconnect");
    await server.close();
  },
};

await uses[NAME]();
done();
