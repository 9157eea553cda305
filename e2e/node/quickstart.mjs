// Opens the quickstart's page in two tabs: both get the messages of each. The page gets the installed
// client instead of the CDN's file, whose release and hash may differ.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { browse } from "./tabs.mjs";

const client = fileURLToPath(new URL("node_modules/socket.io-client-4/dist/socket.io.min.js", import.meta.url));
const browser = await browse();
const open = async () => {
  const window = await browser.newContext();
  window.setDefaultTimeout(30_000);
  await window.route("https://cdn.socket.io/**", (route) =>
    route.fulfill({ path: client, contentType: "text/javascript", headers: { "access-control-allow-origin": "*" } }),
  );
  await window.route(`${process.env.PAGE_URL}/`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace(/ integrity="[^"]+"/, "") });
  });
  const page = await window.newPage();
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(process.env.PAGE_URL);
  // The tab is in the room when its own message comes back.
  await page.waitForFunction("typeof socket !== 'undefined' && socket.connected");
  return page;
};
const say = async (page, text) => {
  await page.getByPlaceholder("Say something").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
};
const hears = (page, text) => page.locator("li", { hasText: text }).waitFor();

const [ann, bob] = [await open(), await open()];
await say(bob, "I am here");
await hears(bob, "I am here");
await say(ann, "<b>hello</b>");
await hears(ann, "<b>hello</b>");
await hears(bob, "<b>hello</b>");
assert.equal(await ann.getByPlaceholder("Say something").inputValue(), "");
await browser.close();
