// Checks that exactly the recipients of rooms and broadcasts get one copy each.
import { ask, assert, connect, done } from "./lib.mjs";

const clients = Object.fromEntries(await Promise.all(["a", "b", "c"].map(async (name) => [name, await connect()])));
const { a, b, c } = clients;
let inbox = [];
for (const [name, socket] of Object.entries(clients)) socket.on("said", (text) => inbox.push(name + ":" + text));

// recipients has one client emit and returns which clients received it. A round trip of each
// client afterwards makes sure that nothing is on its way any more.
async function recipients(from, options) {
  inbox = [];
  await ask(from, "say", { text: "x", ...options });
  await Promise.all(Object.values(clients).map((socket) => ask(socket, "nothing")));
  return inbox.sort().map((entry) => entry.slice(0, -2)).join("");
}

await ask(a, "join", "red");
await ask(b, "join", "red");
await ask(b, "join", "blue");
await ask(c, "join", "blue");
assert.deepEqual((await ask(b, "rooms"))[0], [b.id, "blue", "red"].sort());

const cases = [
  [a, {}, "a"], // the sender
  [a, { broadcast: true }, "abc"],
  [a, { broadcast: true, skipSelf: true }, "bc"],
  [a, { broadcast: true, skip: [b.id] }, "ac"],
  [a, { broadcast: true, except: ["blue"] }, "a"],
  [a, { to: ["red"] }, "ab"],
  [c, { to: ["red"] }, "ab"], // the sender need not be a member
  [b, { to: ["red"], skipSelf: true }, "a"],
  [a, { to: ["red", "blue"] }, "abc"], // b is in both: one copy
  [a, { to: ["red"], except: ["blue"] }, "a"],
  [a, { to: [c.id] }, "c"], // the sid is a private room
  [a, { to: ["nobody is here"] }, ""],
  [a, { to: [] }, ""],
];
for (const [from, options, want] of cases) {
  assert.equal(await recipients(from, options), want, JSON.stringify(options));
}

// An empty room name is an error, and does not mean everyone.
const [unnamed] = await ask(a, "say", { text: "x", to: [""] });
assert.ok(unnamed.error, "it was sent to somebody");
assert.equal(await recipients(a, { to: [] }), "");

await ask(b, "leave", "red");
assert.equal(await recipients(a, { to: ["red"] }), "a");
await ask(a, "close", "blue");
assert.equal(await recipients(a, { to: ["blue"] }), "");
assert.deepEqual(await ask(c, "rooms"), [[c.id]]);

// A client cannot join another client's private room.
const [denied] = await ask(a, "join", b.id);
assert.ok(denied.error, "the private room was joined");
assert.equal(await recipients(c, { to: [b.id] }), "b");

// A client that has left receives nothing, and a room without members does not exist.
await ask(c, "join", "green");
c.disconnect();
delete clients.c;
assert.equal(await recipients(a, { to: ["green"] }), "");
assert.equal(await recipients(a, { broadcast: true }), "ab");
done();
