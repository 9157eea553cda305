// Three people draw on examples/board; bob's network can be cut.
import { look } from "./look.mjs";
import { assert, browse, dropped, tell, User } from "./tabs.mjs";

const { PAGE_URL, FLAKY_URL, IMAGES } = process.env;
const browser = await browse();

class Artist extends User {
  static async enter(url, name) {
    const artist = await Artist.open(browser, url);
    await artist.page.getByLabel("Your name").fill(name);
    await artist.page.getByRole("button", { name: "Draw" }).click();
    await artist.state(/^connected$/);
    await artist.page.locator("#canvas[data-strokes]").waitFor();
    return artist;
  }
  // to moves the pointer to a place on the board.
  async to(x, y) {
    const box = await this.page.locator("#canvas").boundingBox();
    await this.page.mouse.move(box.x + (x / 1600) * box.width, box.y + (y / 1000) * box.height);
  }
  async begin(...[first, ...rest]) {
    await this.to(...first);
    await this.page.mouse.down();
    await this.go(...rest);
  }
  async go(...points) {
    for (const point of points) await this.to(...point);
  }
  end = () => this.page.mouse.up();
  async stroke(...points) {
    await this.begin(...points);
    await this.end();
  }
  board = () =>
    this.page.evaluate(() => ({
      pending: mine.size,
      strokes: [...strokes].map(([id, { color, width, points }]) => [id, { color, width, points }]),
    }));
  color = (x, y) => this.page.evaluate(([x, y]) => [...document.getElementById("canvas").getContext("2d").getImageData(x, y, 1, 1).data], [x, y]);
}

// same waits until all pages have the same board with so many strokes, and nothing is on its way.
async function same(count, ...artists) {
  for (let tries = 0; ; tries++) {
    const boards = await Promise.all(artists.map((artist) => artist.board()));
    const done = boards.every(({ pending, strokes }) => pending === 0 && strokes.length === count);
    if (done) {
      for (const { strokes } of boards) assert.deepEqual(strokes, boards[0].strokes);
      return boards[0].strokes;
    }
    assert.ok(tries < 600, `not the same: ${boards.map(({ pending, strokes }) => `${strokes.length} strokes, ${pending} pending`)}`);
    await artists[0].page.waitForTimeout(50);
  }
}

const ann = await Artist.enter(PAGE_URL, "ann");
const bob = await Artist.enter(FLAKY_URL, "<b>bob</b>");
await ann.page.locator("#people li").getByText("<b>bob</b>", { exact: true }).waitFor();

// Two people draw at once.
await ann.page.getByLabel("#d92d20").check();
await Promise.all([ann.stroke([100, 100], [500, 100], [500, 400]), bob.stroke([1500, 100], [1100, 100], [1100, 400])]);
await same(2, ann, bob);
for (const artist of [ann, bob]) {
  assert.deepEqual(await artist.color(300, 100), [0xd9, 0x2d, 0x20, 255]);
  assert.deepEqual(await artist.color(1300, 100), [0x1a, 0x1f, 0x2e, 255]);
}

// bob loses the network in the middle of a stroke, and goes on drawing; so does ann.
await bob.begin([200, 800], [300, 700], [400, 800]);
await dropped(bob, async () => {
  await bob.go([500, 700], [600, 800]);
  await ann.stroke([700, 200], [700, 600]);
  await ann.page.locator("#people").filter({ hasNotText: "bob" }).waitFor();
  await bob.go([700, 700], [800, 800]);
  await bob.end();
});
const cyd = await Artist.enter(PAGE_URL, "cyd");
const strokes = await same(4, ann, bob, cyd);
assert.deepEqual(strokes.map(([, { points }]) => points.length).sort(), [2, 3, 3, 7]);
if (IMAGES) await look(cyd.page, IMAGES);

// The board is cleared in the middle of a stroke: the rest of the stroke is a new one.
await bob.begin([200, 200], [400, 200]);
await bob.page.locator("#canvas[data-strokes='5']").waitFor();
await ann.page.getByRole("button", { name: "Clear" }).click();
await bob.page.locator("#canvas[data-strokes='0']").waitFor();
await bob.go([600, 200]); // this tells the page that its stroke has ended
await bob.page.waitForFunction(() => mine.size === 0);
await bob.go([1000, 200], [1200, 200]);
await bob.end();
const [[, last]] = await same(1, ann, bob, cyd);
assert.deepEqual(last.points, [[1000, 200], [1200, 200]]);
assert.deepEqual(User.mistakes, []);
tell("all done");
await browser.close();
