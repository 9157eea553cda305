// Clients of examples/auth-jwt: with the right token, with wrong ones, with one that
// has expired, and with none.
import { ask, assert, connected, done, next, open, refused } from "./lib.mjs";

const { SERVER_URL } = process.env;

async function tokenFor(user, password) {
  const answer = await fetch(SERVER_URL + "/token", { method: "POST", body: JSON.stringify({ user, password }) });
  assert.equal(answer.status, 200);
  return (await answer.json()).token;
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

const token = await tokenFor("ann", "ann's password");
const [header, claims, signature] = token.split(".");
const auths = {
  "none at all": undefined,
  "an empty one": { token: "" },
  "no token": { token: "secret" },
  "no string": { token: { sub: "ann" } },
  "another's claims": { token: [header, encode({ ...JSON.parse(Buffer.from(claims, "base64url")), sub: "bob" }), signature].join(".") },
  "not signed": { token: [encode({ alg: "none", typ: "JWT" }), claims, ""].join(".") },
  "another signature": { token: [header, claims, Buffer.alloc(32).toString("base64url")].join(".") },
};
const ann = open("/", { auth: { token } });
await connected(ann);
const end = [next(ann, "expired"), next(ann, "disconnect")];
assert.deepEqual(await ask(ann, "whoami"), ["ann"]);

for (const [what, auth] of Object.entries(auths)) {
  const error = await refused(open("/", { auth }));
  assert.equal(error.message, what === "no string" ? "Connection rejected by server" : "token not valid", what);
  assert.equal(error.data, undefined, what);
}

// A reader may not write, and may not renew the token as another user.
const bob = open("/", { auth: { token: await tokenFor("bob", "bob's password") } });
await connected(bob);
assert.deepEqual(await ask(bob, "read"), ["nothing new"]);
assert.deepEqual(await ask(bob, "write", "hello"), [{ error: { message: "not allowed" } }]);
assert.deepEqual(await ask(bob, "refresh", await tokenFor("ann", "ann's password")), [{ error: { message: "the token is somebody else's" } }]);

// The token of the connection expires: the client gets an event and is disconnected.
await end[0];
assert.equal((await end[1])[0], "io server disconnect");
const error = await refused(open("/", { auth: { token } }));
assert.equal(error.message, "token not valid");
const again = open("/", { auth: async (send) => send({ token: await tokenFor("ann", "ann's password") }) });
await connected(again);
assert.deepEqual(await ask(again, "whoami"), ["ann"]);
done();
