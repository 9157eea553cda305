// Opens the pages of the examples, and uses each of them.
import { assert, browse, Tab } from "./tabs.mjs";
import { look, sizes, visible } from "./look.mjs";

const { NAME, PAGE_URL, IMAGES } = process.env;
const browser = await browse();
const tab = await Tab.open(browser, { offline: true, cdn: NAME === "recovery" });
const { page } = tab;
const submit = async (fields, button) => {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
  await page.getByRole("button", { name: button }).click();
};
const seen = (text) => page.getByText(text).first();

// The steps of a user on each page, and what the user must then see without scrolling, also on a phone.
const does = {
  async namespace() {
    await seen(/^connected as/).waitFor();
    const form = page.locator("form[data-event=my_event]");
    for (let i = 1; i <= 30; i++) {
      await form.getByLabel("Echo").fill(`hello ${i}`);
      await form.getByRole("button").click();
      await seen(`: hello ${i}`).waitFor();
    }
    return seen(": hello 30");
  },
  async sessions() {
    await page.locator("#own").getByText("connected").waitFor();
    await page.locator("#own").getByLabel("Set session to").fill("blue");
    await page.locator("#own").getByRole("button", { name: "Submit" }).click();
    await page.locator("#own .session").getByText("blue").waitFor();
    return page.locator("#own .session");
  },
  async "auth-jwt"() {
    await submit({ Password: "ann's password" }, "Log in");
    await seen("connected as ann").waitFor();
    for (const text of ["hello", "a longer line that somebody writes, to see where it ends"]) await submit({ Text: text }, "Write");
    await seen("ann: a longer line").waitFor();
    return seen("ann: a longer line");
  },
  async cluster() {
    await submit({ "Your name": "ann" }, "Connect");
    await seen("Connected with server").waitFor();
    for (const text of ["hello", "is anybody there?"]) await submit({ Message: text }, "Send");
    await seen("is anybody there?").waitFor();
    return seen("is anybody there?");
  },
  async worker() {
    await submit({ "Your name": "ann" }, "Connect");
    await seen("Connected.").waitFor();
    await submit({ "Count the primes below": "100000" }, "Count");
    await seen("9,592 primes: done").waitFor();
    return seen("9,592 primes: done");
  },
  async typescript() {
    await submit({ Note: "milk" }, "Post");
    await submit({ Note: "a very long note, of which one wants to see where its lines are broken when the window is wide, as this one is" }, "Post");
    await seen("a very long note").waitFor();
    return seen("a very long note");
  },
  async recovery() {
    await seen("connected, in a new session").waitFor();
    await page.locator("#last").getByText(/^\d+$/).waitFor();
    await page.getByRole("button", { name: "Lose the connection" }).click();
    await seen("recovered, without a gap").waitFor();
    await page.getByRole("button", { name: "Restart the server" }).click();
    await seen("trying again").waitFor();
    await seen("recovered, without a gap").waitFor();
    assert.equal(await page.locator("#missing").textContent(), "none");
    return seen("recovered, without a gap");
  },
  async frameworks() {
    return page.locator("body");
  },
};

await page.setViewportSize(sizes.phone);
const effect = await does[NAME]();
assert.ok(await visible(effect), "what somebody has done is out of sight on a phone");
await look(page, IMAGES, async () => assert.ok(await visible(effect), "what has been done is out of sight"));
assert.deepEqual(tab.mistakes, []);
await browser.close();
