// Chromium with tabs that show the demo page.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const { CHROMIUM, PAGE_URL } = process.env;

export { assert };

// tell sends one word to the Go test.
export const tell = (word) => console.log("@" + word);

// browse starts the browser with a profile of its own and further switches. The browser and its
// files are gone at the end of the script.
export function browse(...switches) {
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox", // the sandbox does not work for root in a container
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...switches,
    ],
  });
}

// serveClient serves the client that examples/app has installed to pages that load it from its CDN.
export const serveClient = (window) =>
  window.route("https://cdn.socket.io/**", (route) =>
    route.fulfill({
      path: "../../examples/app/node_modules/socket.io-client/dist/socket.io.min.js",
      headers: { "Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript" },
    }),
  );

// User is a page in a window of its own, which fails the test if the page's script does.
export class User {
  static mistakes = [];
  static async open(browser, url) {
    const user = new this();
    user.window = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
    user.window.setDefaultTimeout(30_000);
    await serveClient(user.window);
    user.page = await user.window.newPage();
    user.page.on("pageerror", (error) => User.mistakes.push(error.message));
    user.page.on("console", (message) => message.text().includes("Content Security Policy") && User.mistakes.push(message.text()));
    await user.page.goto(url);
    return user;
  }
  state = (text) => this.page.locator("#state").filter({ hasText: text }).waitFor();
}

// dropped calls a function while the page's network is away: the Go test cuts the page off, and
// connects it again. The session must have been recovered.
export async function dropped(user, meanwhile) {
  tell("drop");
  await user.state("reconnecting");
  await meanwhile();
  tell("return");
  await user.state(/^connected/);
  assert.ok(await user.page.evaluate(() => socket.recovered), "the session was not recovered");
}

// Tab is the demo page in one tab, with methods for what a user does and sees there.
export class Tab {
  // mistakes are errors of the page's own script and of its security policy.
  mistakes = [];

  // open opens the page in a window of its own: Chromium gives hidden tabs only
  // a frame a second. offline cuts it off from everything but the demo's server; cdn serves
  // the client's file for a page that has it from the CDN only.
  static async open(browser, { offline = false, cdn = false } = {}) {
    const tab = new Tab();
    const window = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
    window.setDefaultTimeout(30_000);
    if (offline) await window.route("https://**", (route) => route.abort());
    if (cdn) await serveClient(window); // before the route above
    tab.page = await window.newPage();
    tab.page.on("pageerror", (error) => tab.mistakes.push(error.message));
    tab.page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) tab.mistakes.push(message.text());
    });
    await tab.page.goto(PAGE_URL);
    return tab;
  }

  text = (testid) => this.page.getByTestId(testid).textContent();
  rooms = () => this.page.getByTestId("rooms").locator("li span").allTextContents();

  // becomes waits until an element reads as wanted, a string or an expression.
  async becomes(testid, wanted) {
    await this.page.getByTestId(testid).filter({ hasText: wanted }).waitFor();
  }

  // chip waits until a room is, or is no longer, among the rooms joined.
  chip = (room, state = "visible") =>
    this.page.getByTestId("rooms").getByText(room, { exact: true }).waitFor({ state });

  // submit fills in one of the forms, by its labels, and sends it.
  async submit(form, button, fields = {}) {
    const element = this.page.getByTestId("form-" + form);
    for (const [label, value] of Object.entries(fields)) await element.getByLabel(label).fill(value);
    await element.getByRole("button", { name: button }).click();
  }

  // received are the lines of the log with exactly this text that came from the server.
  received = (text) =>
    this.page.locator("#log li[data-kind=in]", { has: this.page.getByText(text, { exact: true }) });

  // gets waits for such a line and checks that there is only one.
  async gets(text) {
    await this.received(text).first().waitFor();
    assert.equal(await this.received(text).count(), 1, `lines with ${text}`);
  }

  // misses checks that there is no such line: an echo that was sent later has arrived.
  async misses(text) {
    const fence = "fence " + Math.random();
    await this.submit("emit", "Echo", { Message: fence });
    await this.gets(fence);
    assert.equal(await this.received(text).count(), 0, `lines with ${text}`);
  }
}
