// Uses the official admin page: logs in, and checks what the page shows of real clients and what
// its buttons do to them.
import { assert, browse } from "./tabs.mjs";
import { io } from "socket.io-client-4";

const { SERVER_URL, MODE } = process.env;
const credentials = { username: "admin", password: "correct horse" };

// connect returns a client that is connected, or the error that it got.
function connect(namespace = "/", auth) {
  const socket = io(SERVER_URL + namespace, { forceNew: true, reconnection: false, auth });
  return new Promise((resolve) => {
    socket.on("connect", () => resolve(socket));
    socket.on("connect_error", resolve);
  });
}
const event = (socket, name) => new Promise((resolve) => socket.once(name, (...args) => resolve(args)));

const browser = await browse();
const window = await browser.newContext({ viewport: { width: 1280, height: 900 } });
window.setDefaultTimeout(20_000);
await window.route(/^https:/, (route) => route.abort()); // the page loads fonts and icons from other sites
const page = await window.newPage();
const mistakes = [];
page.on("pageerror", (error) => mistakes.push(error.message));

const view = (path) => page.goto(SERVER_URL + "/#" + path);
const row = (...texts) => texts.reduce((rows, text) => rows.filter({ hasText: text }), page.locator("tbody tr"));
const one = async (...texts) => {
  await row(...texts).first().waitFor();
  assert.equal(await row(...texts).count(), 1, `rows with ${texts}`);
};
const none = (...texts) => row(...texts).first().waitFor({ state: "detached" });

// Wrong and right password; a page loaded again stays logged in.
const form = page.locator("form", { has: page.getByLabel("Server URL") });
await view("/");
await form.getByLabel("Server URL").fill(SERVER_URL);
await form.getByLabel("Username").fill(credentials.username);
await form.getByLabel("Password").fill("wrong");
await form.getByRole("button", { name: "Connect" }).click();
await page.getByText("Invalid credentials").waitFor();
await form.getByLabel("Password").fill(credentials.password);
await form.getByRole("button", { name: "Connect" }).click();
await form.waitFor({ state: "hidden" });
// The page chooses a namespace when it connects, if there is one with clients.
const [alice, bob] = [await connect(), await connect()];
assert.ok(alice.connected && bob.connected);
await page.reload();
await view("/servers/");
await one("the-server", "Healthy");
assert.equal(await form.isVisible(), false);

const rooms = (socket) => socket.timeout(5000).emitWithAck("rooms");

if (MODE === "production") {
  await row("the-server", /\b3\b/).first().waitFor(); // three clients, one of them the page
  const spy = await connect("/admin", credentials);
  const seen = [];
  spy.onAny((name) => seen.push(name));
  alice.emit("say", "a secret");
  await event(spy, "server_stats");
  await event(spy, "server_stats");
  assert.deepEqual(seen.filter((name) => !["session", "config", "server_stats"].includes(name)), []);
  spy.disconnect();
} else {
  // Sockets, clients, rooms and events are shown when they come.
  await view("/sockets/");
  for (const socket of [alice, bob]) await one(socket.id);
  await row(alice.id, "WebSocket").first().waitFor();
  const carol = await connect();
  const gone = carol.id;
  await one(gone);
  carol.disconnect();
  await none(gone);
  // A client that loses its connection is not shown until it is back in its session.
  const dora = io(SERVER_URL, { forceNew: true, query: { recover: "1" }, reconnection: false });
  await event(dora, "connect");
  const session = dora.id;
  dora.emit("join", "attic");
  await one(session);
  dora.io.engine.close();
  await none(session);
  const back = event(dora, "connect");
  dora.connect();
  await back;
  assert.ok(dora.recovered);
  assert.equal(dora.id, session);
  await one(session);
  await view(`/n/%2F/sockets/${session}`);
  await page.getByText('"recovered": true').waitFor();
  await page.getByText('"revision": 4').waitFor();
  await one("attic");
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/adminui-${MODE}.png`, fullPage: true });
  await view("/sockets/");
  dora.disconnect();
  await none(session);
  await view("/clients/");
  await page.locator("tbody tr").nth(1).waitFor();
  assert.equal(await page.locator("tbody tr").count(), 2, "the page itself is not among the clients");
  await view("/rooms/");
  alice.emit("join", "den");
  await one("den", "Public", /\b1\b/);
  bob.emit("join", "den");
  await one("den", /\b2\b/);
  await view("/events/");
  alice.emit("say", "hello");
  await one("Event received", alice.id, "say");
  await one("Event sent", bob.id, "said");

  await view(`/n/%2F/sockets/${alice.id}`);
  await page.getByText("Initial HTTP request").waitFor();
  const join = page.locator("form", { has: page.getByLabel("Join a room") });
  await join.getByLabel("Join a room").fill("vip");
  await join.locator("button[type=submit]").click();
  if (MODE === "development") {
    await one("vip");
    assert.deepEqual(await rooms(alice), [alice.id, "den", "vip"]);
    await row("vip").getByRole("button").click(); // the button leads to another view
    await view(`/n/%2F/sockets/${alice.id}`);
    await none("vip");
    assert.deepEqual(await rooms(alice), [alice.id, "den"]);
    // The page has no form for emit.
    const admin = await connect("/admin", credentials);
    const [a, b] = [event(alice, "hello"), event(bob, "hello")];
    admin.emit("emit", "/", "den", "hello", 1, "two");
    assert.deepEqual([await a, await b], [[1, "two"], [1, "two"]]);
    admin.disconnect();

    await view("/sockets/");
    const [id, left] = [alice.id, event(alice, "disconnect")];
    await row(id).getByRole("button").click();
    assert.deepEqual((await left)[0], "io server disconnect");
    await view("/sockets/");
    await none(id);
    await one(bob.id);
    await view("/rooms/");
    await row("den").getByRole("button").first().click(); // remove everyone
    await view("/rooms/");
    await none("den");
    assert.deepEqual(await rooms(bob), [bob.id]);
  } else {
    await view("/sockets/");
    await one(alice.id);
    assert.equal(await row(alice.id).getByRole("button").count(), 0, "buttons");
    const raw = await connect("/admin", credentials);
    for (const command of [["join", "/", "vip", alice.id], ["leave", "/", "den", alice.id], ["emit", "/", alice.id, "hello"], ["_disconnect", "/", true, alice.id]]) {
      const answer = await raw.timeout(5000).emitWithAck(...command);
      assert.equal(answer.error.message, "the admin UI is read-only");
    }
    raw.disconnect();
    assert.ok(alice.connected);
    assert.deepEqual(await rooms(alice), [alice.id, "den"], "neither the page nor the raw client changed them");
  }
}

// A client that cannot log in receives nothing.
const received = [];
const stranger = io(SERVER_URL + "/admin", { forceNew: true, reconnection: false, auth: { username: "admin", password: "wrong" } });
stranger.onAny((name) => received.push(name));
const [refusal] = await event(stranger, "connect_error");
assert.equal(refusal.message, "invalid credentials");
stranger.emit("join", "/", "vip", bob.id);
assert.ok(!(await rooms(bob)).includes("vip"));
assert.deepEqual(received, []);

assert.deepEqual(mistakes, []);
for (const socket of [alice, bob, stranger]) socket.disconnect();
await browser.close();
