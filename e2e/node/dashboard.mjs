// Three windows of examples/dashboard; bob's network can be cut, and the worker is started again.
import { look } from "./look.mjs";
import { assert, browse, dropped, tell, User } from "./tabs.mjs";

const { PAGE_URL, FLAKY_URL, IMAGES } = process.env;
const browser = await browse();
const names = ["visitors", "orders", "response time"];

class Viewer extends User {
  // numbers returns the numbers of the figures of a series, and checks that there is no gap.
  async numbers(name) {
    const all = await this.page.evaluate((name) => series.get(name).samples.map(({ n }) => n), name);
    assert.deepEqual(all, all.map((_, i) => all[0] + i), name);
    return all;
  }
  // until waits until each series has a figure.
  until = (n, ...some) => this.page.waitForFunction(([n, names]) => names.every((name) => series.get(name)?.samples.at(-1)?.n >= n), [n, some]);
  last = async (name) => (await this.numbers(name)).at(-1);
}

const ann = await Viewer.open(browser, PAGE_URL);
const bob = await Viewer.open(browser, FLAKY_URL);
for (const viewer of [ann, bob]) await viewer.until(3, ...names);

// bob loses the network, and gets the figures of that time afterwards.
await dropped(bob, async () => ann.until((await bob.last("orders")) + 5, ...names));
await bob.until((await ann.last("orders")) + 1, ...names);
for (const name of names) await bob.numbers(name);

// A user who has not watched for a while gets the figures that are kept.
const box = ann.page.getByLabel("watch orders");
await box.uncheck();
const before = await ann.page.evaluate(() => ask("unwatch", "orders").then(() => series.get("orders").samples.at(-1).n));
await ann.until(before + 3, "visitors");
assert.equal(await ann.page.evaluate(() => series.get("orders").samples.at(-1).n), before);
await box.check();
await ann.until(before + 3, "orders");
await ann.numbers("orders");

// The worker ends, and another one goes on.
tell("restart");
await ann.until((await ann.last("visitors")) + 3, ...names);
const cyd = await Viewer.open(browser, PAGE_URL);
await cyd.until((await ann.last("orders")), ...names);
for (const name of names) assert.ok((await cyd.numbers(name)).length > 3); // without a gap, across both workers
if (IMAGES) await look(cyd.page, IMAGES);
assert.deepEqual(User.mistakes, []);
tell("all done");
await browser.close();
