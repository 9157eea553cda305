// Three people use the chat: ann in two tabs, bob, and eve.
import { look, visible } from "./look.mjs";
import { assert, browse, tell } from "./tabs.mjs";

const { PAGE_URL, IMAGES } = process.env;
const browser = await browse();
const mistakes = [];

// enter opens the chat in a window with cookies of its own, where the user must sign up or log in,
// and does that. The Enter key submits the form.
async function enter(user, button, password = `password of ${user}`) {
  const window = await browser.newContext({ viewport: { width: 1180, height: 760 }, colorScheme: "light" });
  window.setDefaultTimeout(30_000);
  const page = await window.newPage();
  await page.goto(PAGE_URL);
  await page.waitForURL("**/signup");
  if (button === "Log in") await page.getByRole("link", { name: button }).click();
  await page.getByRole("textbox", { name: "User name" }).fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByLabel("Password").press("Enter");
  return new Person(window, page);
}

class Person {
  constructor(window, page) {
    Object.assign(this, { window, page });
    page.on("pageerror", (error) => mistakes.push(error.message));
    page.on("console", (message) => message.text().includes("Content Security Policy") && mistakes.push(message.text()));
  }
  // tab opens another tab of the same browser.
  async tab() {
    const page = await this.window.newPage();
    await page.goto(PAGE_URL);
    return new Person(this.window, page).connected();
  }
  async state(text) {
    await this.page.locator("#state").filter({ hasText: text }).waitFor();
    return this;
  }
  connected = () => this.state(/^connected$/);
  entry = (list, name) => this.page.getByTestId(list).getByRole("button").filter({ hasText: name });
  choose = (list, name) => this.entry(list, name).click();
  says = async (text) => {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.getByLabel("Message", { exact: true }).press("Enter");
  };
  message = (text) => this.page.getByTestId("messages").locator(".text").getByText(text, { exact: true });
  hears = (text) => this.message(text).waitFor();
  texts = () => this.page.getByTestId("messages").locator(".text").allTextContents();
  online = async (...nicks) => {
    for (const nick of nicks) await this.page.getByTestId("people").getByText(nick, { exact: true }).waitFor();
    assert.equal(await this.page.getByTestId("people").getByRole("listitem").count(), nicks.length);
  };
  async join(room, create) {
    await this.page.getByRole("button", { name: "Browse" }).click();
    if (create) {
      assert.equal(await this.page.getByRole("textbox", { name: "New room" }).inputValue(), "");
      await this.page.getByRole("textbox", { name: "New room" }).fill(room);
      await this.page.getByRole("button", { name: "Create" }).click();
    } else {
      await this.page.locator("#all-rooms li").filter({ hasText: room }).getByRole("button", { name: "Join" }).click();
    }
    await this.page.getByTestId("title").filter({ hasText: room }).waitFor();
  }
  // atEnd waits until the last message can be seen.
  async atEnd() {
    const handle = await this.page.locator("#scroll").elementHandle();
    await this.page.waitForFunction((e) => e.scrollHeight - e.scrollTop - e.clientHeight <= 1, handle);
  }
  async image(name) {
    const overflow = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(overflow, 0, `${name}: the page scrolls sideways`);
    await this.page.screenshot({ path: `${IMAGES}-${name}.png` });
  }
}

// Accounts.
const ann = await (await enter("ann", "Sign up")).connected();
const wrong = await enter("ann", "Log in", "not her password");
await wrong.page.getByRole("alert").filter({ hasText: "wrong" }).waitFor();
if (IMAGES) await look(wrong.page, IMAGES + "-login");
const bob = await (await enter("bob", "Sign up")).connected();
const eve = await (await enter("eve", "Sign up")).connected();
const annToo = await ann.tab();

// Rooms, and who is online.
await ann.join("lobby", true);
await annToo.entry("rooms", "lobby").waitFor(); // in all her tabs
await annToo.choose("rooms", "lobby");
await bob.join("lobby");
await ann.online("ann", "bob");
await ann.says("hello, bob");
for (const person of [ann, annToo, bob]) await person.hears("hello, bob");
await eve.join("garden", true);
assert.deepEqual(await eve.texts(), []);
assert.equal(await eve.entry("rooms", "lobby").count(), 0);

// What people write is text.
const html = `<img src=x onerror="document.title='broken'"><b>bold</b>`;
await bob.says(html);
await ann.hears(html);
assert.equal(await ann.page.locator("#messages img, #messages b").count(), 0);

// Web addresses are links, and nothing else is.
await bob.says("see https://example.com/a_(b)?c=1&d. (Or http://example.org/x.) Not javascript:alert(1), nor https://");
const links = ann.page.getByTestId("messages").getByRole("link");
await links.nth(1).waitFor();
assert.deepEqual(await links.evaluateAll((all) => all.map((a) => [a.textContent, a.getAttribute("href"), a.rel, a.target])), [
  "https://example.com/a_(b)?c=1&d",
  "http://example.org/x",
].map((url) => [url, url, "noopener noreferrer nofollow", "_blank"]));

// Typing.
await bob.page.getByLabel("Message", { exact: true }).pressSequentially("hm");
await ann.page.getByTestId("typing").filter({ hasText: "bob is typing" }).waitFor();
assert.equal(await bob.page.getByTestId("typing").textContent(), "");
await ann.page.getByTestId("typing").filter({ hasNotText: "typing" }).waitFor({ state: "attached" }); // the hint disappears

// Nicknames.
await bob.page.getByTitle("change nickname").click();
await bob.page.getByRole("textbox", { name: "Nickname" }).fill("Bob <i>the</i> Builder");
await bob.page.getByRole("button", { name: "Change", exact: true }).click();
await ann.online("ann", "Bob <i>the</i> Builder");
await eve.page.getByTitle("change nickname").click();
await eve.page.getByRole("textbox", { name: "Nickname" }).fill("bob <I>the</I> builder");
await eve.page.getByRole("button", { name: "Change", exact: true }).click();
await eve.page.getByRole("alert").filter({ hasText: "taken" }).waitFor();
await eve.page.locator("#nick-dialog").getByRole("button", { name: "Close" }).click();

// Direct messages: both tabs of ann, and not eve.
await bob.page.getByTestId("people").getByRole("button").filter({ hasText: "ann" }).click();
await bob.says("psst");
for (const person of [ann, annToo]) {
  await person.entry("direct", "Bob").filter({ hasText: "1" }).waitFor(); // unread
  await person.choose("direct", "Bob");
  await person.hears("psst");
}
await ann.says("what is it?");
for (const person of [annToo, bob]) await person.hears("what is it?");
assert.equal(await eve.page.getByTestId("direct").getByRole("listitem").count(), 0);
await eve.page.getByRole("button", { name: "Write to" }).click();
await eve.page.getByRole("textbox", { name: "User name" }).fill("ann");
await eve.page.getByRole("button", { name: "Write", exact: true }).click();
await eve.choose("direct", "ann"); // the list has it when the server has answered
await eve.page.getByRole("button", { name: "Write to" }).click();
assert.equal(await eve.page.getByRole("textbox", { name: "User name" }).inputValue(), "", "the last name is kept");
await eve.page.locator("#person-dialog").getByRole("button", { name: "Close" }).click();
await eve.says("and me?");
await ann.choose("direct", "eve");
await ann.hears("and me?");
assert.equal(await ann.message("psst").count(), 0);

// History, page by page, after a reload.
await bob.choose("rooms", "lobby");
await ann.choose("rooms", "lobby");
const count = 60;
for (let i = 1; i <= count; i++) {
  await bob.says(`line ${i}`);
  if (i % 15 === 0) await bob.page.waitForTimeout(800); // the chat limits messages per time
}
await ann.hears(`line ${count}`);
await ann.page.reload();
await ann.connected();
await ann.page.getByTestId("title").filter({ hasText: "lobby" }).waitFor(); // the same conversation
await ann.hears(`line ${count}`);
assert.equal(await ann.message("hello, bob").count(), 0);
await ann.page.getByRole("button", { name: "Earlier messages" }).click();
await ann.hears("hello, bob");
assert.equal((await ann.texts()).length, count + 3);

// The server is restarted: messages sent meanwhile arrive, once.
tell("restart, please");
for (const person of [ann, bob, eve]) await person.state("reconnecting");
tell("server gone");
await bob.says("said while it was away");
await eve.says("and I, to ann");
for (const person of [ann, annToo, bob, eve]) await person.connected();
await ann.hears("said while it was away");
await ann.entry("direct", "eve").filter({ hasText: "1" }).waitFor();
assert.equal(await ann.message("said while it was away").count(), 1);
assert.equal(await bob.message("said while it was away").count(), 1);
await ann.online("ann", "Bob <i>the</i> Builder");

// One user's network is away: the messages that this user missed come afterwards, in order.
await ann.window.setOffline(true);
await ann.page.evaluate(() => dispatchEvent(new Event("offline")));
await ann.state("reconnecting");
await bob.says("missed 1");
await bob.says("missed 2");
await bob.hears("missed 2");
await ann.says("and meanwhile I said");
await ann.window.setOffline(false);
await ann.connected();
for (const person of [ann, bob]) await person.hears("and meanwhile I said");
assert.deepEqual((await ann.texts()).slice(-3), ["missed 1", "missed 2", "and meanwhile I said"]);

if (IMAGES) {
  await eve.join("lobby");
  await eve.says("What a nice place. I have been looking for the others everywhere, and here you are, all of you!");
  await bob.says("Welcome, eve");
  await bob.says("Shall we meet at eight?\nI bring the cake.");
  await ann.hears("Welcome, eve");
  await eve.page.getByLabel("Message", { exact: true }).pressSequentially("yes");
  await ann.page.getByTestId("typing").filter({ hasText: "eve is typing" }).waitFor();
  await look(ann.page, IMAGES, async () => {
    const rect = (selector) => ann.page.locator(selector).evaluate((e) => e.getBoundingClientRect().toJSON());
    const [title, strip] = [await rect("#title"), await rect("#aside")];
    assert.ok(await visible(ann.page.locator("#title")), "the title is covered");
    assert.ok(title.bottom <= strip.top || title.right <= strip.left, "who is online is above the title or over it");
    await ann.atEnd();
  });
  await ann.page.setViewportSize({ width: 800, height: 700 });
  await ann.image("medium");
  await ann.page.setViewportSize({ width: 390, height: 844 });
  await ann.page.getByLabel("Back to the list").click();
  await look(ann.page, IMAGES + "-list");
  await ann.page.setViewportSize({ width: 390, height: 844 });
  await ann.page.getByRole("button", { name: "Browse" }).click();
  await ann.image("dialog");
  await ann.page.locator("#rooms-dialog").getByRole("button", { name: "Close" }).click();
  await ann.page.setViewportSize({ width: 1180, height: 760 });
}

// Leaving a room, and logging out: all tabs of the browser, and nobody else.
await bob.choose("rooms", "lobby");
await bob.page.getByRole("button", { name: "Leave" }).click();
await bob.page.getByTestId("title").filter({ hasText: "Chat" }).waitFor();
assert.equal(await bob.entry("rooms", "lobby").count(), 0);
await annToo.page.getByRole("button", { name: "Log out" }).click();
for (const person of [ann, annToo]) await person.page.waitForURL("**/login");
await ann.page.goto(PAGE_URL);
await ann.page.waitForURL("**/login");
await bob.connected();
const again = await (await enter("ann", "Log in")).connected();
await again.choose("direct", "Bob");
await again.hears("what is it?");

assert.deepEqual(mistakes, []);
tell("all done");
await browser.close();
