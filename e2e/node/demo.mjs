// Uses every control of the demo page and checks its effect in two tabs. Then the server is
// restarted.
import { look, sizes, visible } from "./look.mjs";
import { assert, browse, Tab, tell } from "./tabs.mjs";

const { TRANSPORT, IMAGES } = process.env;
const browser = await browse();

const [a, b] = [await Tab.open(browser), await Tab.open(browser)];
for (const tab of [a, b]) {
  await tab.becomes("state", "Connected");
  await tab.becomes("transport", TRANSPORT);
  await tab.becomes("latency", /^\d+\.\d$/);
  await tab.gets("Connected"); // the server's greeting
  await tab.gets("I'm connected!"); // the page's own first message, echoed
}
const sids = [await a.text("sid"), await b.text("sid")];
assert.match(sids[0], /^[\w-]{20,}$/);
assert.notEqual(sids[0], sids[1]);

// Messages are echoed, and those of others are shown as text.
await a.submit("emit", "Echo", { Message: "just me" });
await a.gets("just me");
await b.misses("just me");
const html = `<img src=x onerror="document.title='broken'"><b>bold</b>`;
await a.submit("broadcast", "Broadcast", { Message: html });
for (const tab of [a, b]) {
  await tab.gets(html);
  assert.equal(await tab.page.locator("#log img, #log b").count(), 0);
}

// Rooms.
await a.submit("join", "Join", { Room: "lobby" });
await a.chip("lobby");
await a.submit("send-room", "Send", { Room: "lobby", Message: "only a" });
await a.gets("only a");
await b.misses("only a");

await b.submit("join", "Join", { Room: "lobby" });
await b.submit("join", "Join", { Room: "garden" });
await b.chip("garden");
assert.deepEqual(await b.rooms(), ["garden", "lobby"]);
await b.submit("send-room", "Send", { Room: "lobby", Message: "both" });
await a.gets("both");
await b.gets("both");
await a.submit("send-room", "Send", { Room: "garden", Message: "from outside" });
await b.gets("from outside");
await a.misses("from outside");
await a.submit("send-room", "Send", { Room: sids[1], Message: "private" });
await b.gets("private");
await a.misses("private");

await a.submit("leave", "Leave", { Room: "lobby" });
await a.chip("lobby", "detached");
await b.submit("send-room", "Send", { Room: "lobby", Message: "without a" });
await b.gets("without a");
await a.misses("without a");

await b.page.getByLabel("Leave garden").click(); // the button in the room's chip
await b.chip("garden", "detached");
await a.submit("send-room", "Send", { Room: "garden", Message: "to nobody" });
await b.misses("to nobody");

await a.submit("join", "Join", { Room: sids[1] }); // the other tab's private room
await a.page.locator("#log li[data-kind=error]").waitFor();
assert.deepEqual(await a.rooms(), []);

await a.submit("close", "Close", { Room: "lobby" });
await b.gets("Room lobby is closing.");
await b.chip("lobby", "detached");
await a.misses("Room lobby is closing.");
await a.submit("send-room", "Send", { Room: "lobby", Message: "to a closed room" });
await b.misses("to a closed room");

// Any other event, and a name that the client refuses to send.
await a.submit("custom", "Emit", { Event: "surprise", Data: "party" });
await a.gets(`["surprise","party"]`);
await b.misses(`["surprise","party"]`);
await b.submit("custom", "Emit", { Event: "disconnect", Data: "" });
await b.page.locator("#log li[data-kind=error]").waitFor();

// The server's own events reach both.
for (const tab of [a, b]) await tab.received("Server generated event").first().waitFor();

if (IMAGES) {
  await b.page.getByRole("button", { name: "Clear" }).click();
  for (const room of ["lobby", "garden"]) {
    await b.submit("join", "Join", { Room: room });
    await b.chip(room);
  }
  await b.submit("emit", "Echo", { Message: "hello, myself" });
  await a.submit("broadcast", "Broadcast", { Message: "hello, everybody" });
  await a.submit("send-room", "Send", { Room: "garden", Message: "the roses are out" });
  await b.submit("custom", "Emit", { Event: "surprise", Data: "cake" });
  await b.gets("the roses are out");
  await b.gets(`["surprise","cake"]`);
  await look(b.page, IMAGES, () => b.page.evaluate(() => scrollTo(0, 0)));

  // On a phone, one sees what each press does: the last line of the log, and the button.
  await b.page.setViewportSize(sizes.phone);
  const presses = {
    emit: ["Echo", { Message: "x" }],
    broadcast: ["Broadcast", { Message: "x" }],
    join: ["Join", { Room: "attic" }],
    leave: ["Leave", { Room: "attic" }],
    close: ["Close", { Room: "attic" }],
    "send-room": ["Send", { Room: "lobby", Message: "x" }],
    custom: ["Emit", { Event: "surprise", Data: "x" }],
  };
  for (const [form, [button, fields]] of Object.entries(presses)) {
    await b.submit(form, button, fields);
    for (const element of [b.page.locator("#log li").last(), b.page.getByTestId("form-" + form).getByRole("button")]) {
      assert.ok(await visible(element), `${form}: out of sight on a phone`);
    }
  }
  await b.page.screenshot({ path: IMAGES + "-phone-scrolled.png" });
  await b.page.setViewportSize({ width: 1280, height: 900 });
}

// Disconnect, and come back as somebody else.
await a.page.getByTestId("disconnect").click();
await a.gets("Disconnected!");
await a.becomes("state", "Disconnected");
await a.becomes("state-detail", "io server disconnect");
assert.ok(await a.page.getByRole("button", { name: "Echo" }).isDisabled());
await b.submit("broadcast", "Broadcast", { Message: "a is away" });
await b.gets("a is away");
await a.page.getByTestId("reconnect").click();
await a.becomes("state", "Connected");
assert.notEqual(await a.text("sid"), sids[0]);
await a.misses("a is away");
assert.equal(await b.text("sid"), sids[1]);

assert.ok(Number(await a.text("received")) > 5);
for (let left = 5; ; left--) {
  await a.page.getByRole("button", { name: "Clear" }).click();
  if ((await a.page.locator("#log li").count()) === 0) break;
  assert.ok(left > 0, "the log is not cleared"); // the server's message of every ten seconds may have come
}

// The server is restarted: both tabs come back by themselves.
const before = [await a.text("sid"), await b.text("sid")];
tell("restart, please");
for (const tab of [a, b]) await tab.becomes("state", "Reconnecting");
tell("server gone");
for (const [i, tab] of [a, b].entries()) {
  await tab.becomes("state", "Connected");
  await tab.becomes("transport", TRANSPORT);
  assert.notEqual(await tab.text("sid"), before[i]);
  assert.deepEqual(await tab.rooms(), []);
}
await a.submit("broadcast", "Broadcast", { Message: "we are back" });
await a.gets("we are back");
await b.gets("we are back");

for (const tab of [a, b]) assert.deepEqual(tab.mistakes, []);
tell("all done");
await browser.close();
