// Opens the page without network access and without the client installed: the page must explain
// that.
import { assert, browse, Tab } from "./tabs.mjs";

const browser = await browse();
const tab = await Tab.open(browser, { offline: true });
await tab.becomes("no-client", "npm ci");
await tab.becomes("state", "No client");
assert.ok(await tab.page.getByRole("button", { name: "Echo" }).isDisabled());
assert.deepEqual(tab.mistakes, []);
await browser.close();
