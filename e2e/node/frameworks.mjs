// Uses a server that is mounted in a framework: two clients for each choice of transports. ONLY is
// the server's transport if it has only one.
import { ask, assert, connected, done, next, open } from "./lib.mjs";

const { ONLY } = process.env;
const big = "x".repeat(300_000);

for (const transports of [["polling"], ["polling", "websocket"], ["websocket"]]) {
  const connect = (user) => open("/", { transports, query: { user, room: "of " + user } });
  if (ONLY && transports[0] !== ONLY) {
    const [error] = await next(connect("ann"), "connect_error"); // the client gets an error, and need not wait
    assert.match(error.message, /websocket error/);
    continue;
  }
  const last = ONLY || transports.at(-1);
  const [ann, bob] = [connect("ann"), connect("bob")];
  for (const socket of [ann, bob]) {
    await connected(socket);
    const { engine } = socket.io;
    if (engine.transport.name !== last) await next(engine, "upgrade");
    assert.equal(engine.transport.name, last);
  }
  assert.deepEqual(await ask(ann, "whoami"), ["ann"]);
  for (const args of [["hello", 1.5, null], [Buffer.from([0, 1, 2]), { deep: Buffer.from("binary") }], [big]]) {
    const answer = next(ann, "echo");
    ann.emit("echo", ...args);
    assert.deepEqual(await answer, args);
  }
  for (const socket of [ann, bob]) await ask(socket, "join", "room");
  const said = next(bob, "said");
  ann.emit("say", "room", "hi");
  assert.deepEqual(await said, ["hi"]);
  assert.deepEqual((await ask(bob, "request"))[0], "of bob");
  assert.equal(bob.io.engine.transport.name, last); // still
}
done();
