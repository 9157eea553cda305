// Namespaces: several on one connection, auth, refusal, unknown ones.
import { ask, assert, connect, connected, done, next, open, openBeside, refused } from "./lib.mjs";

// Two namespaces share one connection and are separate otherwise.
const root = await connect("/");
const chat = openBeside(root, "/chat");
const hello = next(chat, "welcome to chat");
await connected(chat);
assert.deepEqual(await hello, [chat.id]);
assert.notEqual(chat.id, root.id);
assert.deepEqual(await ask(chat, "where"), ["/chat"]);
assert.deepEqual(await ask(root, "where"), ["/"]);

let strayed = 0;
root.on("said", () => strayed++);
chat.emit("say", "hi");
assert.deepEqual(await next(chat, "said"), ["hi"]);
await ask(root, "nothing");
assert.equal(strayed, 0);

// The session belongs to the connection.
assert.deepEqual(await ask(root, "count"), [1]);
assert.deepEqual(await ask(chat, "count"), [2]);

// Leaving one namespace leaves the other in place; joining again gives a new sid.
const first = chat.id;
chat.disconnect();
assert.deepEqual(await ask(root, "nothing"), []);
chat.connect();
await connected(chat);
assert.notEqual(chat.id, first);

// Auth payload: accepted, refused with a message and data, refused plainly.
const member = await connect("/auth", { auth: { token: "secret", name: "eve" } });
assert.deepEqual(await ask(member, "name"), ["eve"]);
const late = await connect("/auth", { auth: (give) => give({ token: "secret", name: "bob" }) });
assert.deepEqual(await ask(late, "name"), ["bob"]);

let error = await refused(open("/auth", { auth: { token: "wrong" } }));
assert.equal(error.message, "not authorized");
assert.deepEqual(error.data, { code: 42, hint: ["use", "secret"] });
error = await refused(open("/auth"));
assert.equal(error.message, "not authorized");
error = await refused(open("/auth", { auth: { token: "broken" } }));
assert.equal(error.message, "Connection rejected by server");
assert.equal(error.data, undefined);

error = await refused(open("/no/such/namespace"));
assert.equal(error.message, "Invalid namespace");

// A refusal does not affect the other namespaces of the connection.
const refusedHere = openBeside(root, "/auth", { auth: { token: "wrong" } });
await refused(refusedHere);
assert.deepEqual(await ask(root, "add", 1, 1), [2]);
done();
