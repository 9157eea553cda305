// Two people log in on examples/team and talk; bob's network can be cut.
import { look, visible } from "./look.mjs";
import { assert, browse, tell, User } from "./tabs.mjs";

const { PAGE_URL, FLAKY_URL, IMAGES } = process.env;
const browser = await browse();

class Member extends User {
  static async enter(url, name) {
    const member = await Member.open(browser, url + "/?room=den");
    await member.state("log in first");
    assert.ok(await member.page.getByLabel("Say something").isHidden());
    await member.page.getByLabel("Your name").fill(name);
    await member.page.getByRole("button", { name: "Log in" }).click();
    await member.state(/^Room den$/);
    assert.ok(await member.page.getByLabel("Your name").isHidden());
    return member;
  }
  async say(text) {
    await this.page.getByLabel("Say something").fill(text);
    await this.page.getByRole("button", { name: "Send" }).click();
  }
  hears = (text) => this.page.locator("li", { hasText: text }).waitFor();
}

const ann = await Member.enter(PAGE_URL, "ann");
const bob = await Member.enter(FLAKY_URL, "bob");
await ann.say("<b>hello</b>");
for (const member of [ann, bob]) await member.hears("ann: <b>hello</b>");

tell("drop");
await bob.state("Connection lost");
await ann.say("while bob is away");
tell("return");
await bob.state("Room den, back without a gap");
await bob.hears("ann: while bob is away");
assert.equal(await bob.page.locator("li").count(), 2);

for (let i = 1; i <= 30; i++) await ann.say(`line ${i} of what ann has to say, which is too much for a phone`);
await ann.hears("line 30");
await look(ann.page, IMAGES, async () => {
  assert.ok(await visible(ann.page.locator("li", { hasText: "line 30" })), "the newest line is out of sight");
  assert.ok(await visible(ann.page.getByLabel("Say something")), "the form is out of sight");
});
const guest = await Member.open(browser, PAGE_URL);
await guest.state("log in first");
await look(guest.page, IMAGES + "-login");
assert.deepEqual(User.mistakes, []);
tell("all done");
await browser.close();
