// Four people play examples/game, three of them in one room; bob's network can be cut.
import { look } from "./look.mjs";
import { assert, browse, dropped, tell, User } from "./tabs.mjs";

const { PAGE_URL, FLAKY_URL, IMAGES } = process.env;
const browser = await browse();

class Player extends User {
  static async sit(url, name, room) {
    const player = await Player.open(browser, url);
    await player.page.getByLabel("Your name").fill(name);
    await player.page.getByLabel("Room").fill(room);
    await player.page.getByRole("button", { name: "Play" }).click();
    await player.page.locator("#players").getByText("(you)").waitFor();
    return player;
  }
  says = (text) => this.page.locator("#turn").getByText(text, { exact: true }).waitFor();
  sees = (text) => this.page.locator("#players li").filter({ hasText: text }).waitFor();
  game = () => this.page.evaluate(() => game);
  draw = (line) => this.page.getByRole("button", { name: line }).click();
  press = (id) => this.page.evaluate((id) => document.getElementById(id).click(), id);
}

const ann = await Player.sit(PAGE_URL, "ann", "den");
await ann.says("Waiting for another player.");
assert.ok(await ann.page.getByRole("button", { name: "Start" }).isDisabled());
const bob = await Player.sit(FLAKY_URL, "<b>bob</b>", "den");
const cyd = await Player.sit(PAGE_URL, "cyd", "den");
const dan = await Player.sit(PAGE_URL, "dan", "attic");
for (const player of [ann, bob]) await player.sees("cyd");

// Two people press Start at once: one game begins.
await Promise.all([ann.press("start"), bob.press("start")]);
await ann.says("It is your turn.");
await cyd.says("ann is to draw.");
assert.equal((await cyd.game()).round, 1);

// A player who does not have the turn cannot draw.
assert.equal(await cyd.page.evaluate(() => ask("draw", { round: 1, line: 7 })), false);
await cyd.page.getByRole("alert").filter({ hasText: "not your turn" }).waitFor();
await ann.draw("horizontal line 1, 1");

// bob loses the network during his turn, and keeps the turn.
await bob.says("It is your turn.");
await dropped(bob, () => ann.sees("<b>bob</b> (away)"));
await bob.says("It is your turn.");
for (const [player, text] of [[ann, /^<b>bob<\/b>: 0$/], [bob, /^<b>bob<\/b> \(you\): 0$/]]) await player.sees(text);
await bob.draw("vertical line 1, 1");

// bob loses the network again, and the others draw meanwhile.
await cyd.says("It is your turn.");
await dropped(bob, async () => {
  await ann.sees("<b>bob</b> (away)");
  await cyd.draw("horizontal line 2, 1");
  await ann.says("It is your turn.");
  await ann.draw("horizontal line 5, 4");
});
await bob.says("It is your turn.");
await bob.draw("vertical line 1, 2"); // the fourth one of the first box
await ann.sees("<b>bob</b>: 1");
await bob.says("It is your turn.");
if (IMAGES) await look(bob.page, IMAGES);
await bob.draw("vertical line 4, 5");

// cyd leaves during his turn.
await cyd.says("It is your turn.");
await cyd.page.getByRole("button", { name: "Leave" }).click();
await cyd.page.getByRole("button", { name: "Play", exact: true }).waitFor();
await ann.says("It is your turn.");

// The other two finish the game.
for (let moves = 0; ; moves++) {
  assert.ok(moves < 40, "the game does not end");
  const { turn, lines } = await ann.game();
  if (turn === 0) break;
  const player = turn === 1 ? ann : bob;
  const count = lines.filter((owner) => owner).length;
  await player.page.locator(".line[data-free]").first().dispatchEvent("click");
  await ann.page.waitForFunction((count) => game.lines.filter((owner) => owner).length === count + 1, count);
  await bob.page.waitForFunction((count) => game.lines.filter((owner) => owner).length === count + 1, count);
}
for (const player of [ann, bob]) await player.page.locator("#turn").filter({ hasText: "The end:" }).waitFor();
assert.deepEqual(await ann.game(), await bob.game());
await Promise.all([ann.press("start"), bob.press("start")]);
await ann.says("It is your turn.");
assert.equal((await bob.game()).round, 2);
await bob.window.close(); // a tab that is closed may come back: the seat is kept for a while
await ann.sees("<b>bob</b> (away)");
assert.deepEqual(Object.keys((await dan.game()).players), ["1"]);
assert.deepEqual(User.mistakes, []);
tell("all done");
await browser.close();
