// frontail's page, as npm has it: a browser's view of a log, with the client of Socket.IO 2.3 that it loads.
import { assert, browse, tell } from "./tabs.mjs";

const browser = await browse();
const timer = setTimeout(() => (console.error("timed out"), process.exit(1)), 60_000);
const window = await browser.newContext();
window.setDefaultTimeout(20_000);
const page = await window.newPage();
const mistakes = [];
page.on("pageerror", (error) => mistakes.push(error.message));
await page.goto(process.env.PAGE_URL);
const lines = () => page.locator("pre.log .inner-line").allTextContents();
const shows = (text) => page.locator("pre.log .inner-line", { hasText: text }).first().waitFor();

await shows("third <b>line</b>");
assert.deepEqual(await lines(), ["second é€", "third <b>line</b>"]); // two at most
assert.equal(await page.locator("pre.log span", { hasText: "line" }).last().getAttribute("style"), "color:red");
tell("loaded");
await shows("live 1");
await page.locator(".btn-pause").click();
tell("paused");
await shows("SKIPED: 2");
await page.locator(".btn-pause").click();
await page.locator(".query").fill("needle");
await page.locator(".query").press("Shift");
tell("filtered");
await shows("a needle");
assert.equal(await page.locator("pre.log .line:visible").count(), 1);
tell("restart, please");
await shows("needle after the restart");
assert.deepEqual(mistakes, []);
clearTimeout(timer);
await browser.close();
