// The page of examples/typescript in two windows.
import { assert, browse } from "./tabs.mjs";

const browser = await browse();
const open = async (name) => {
  const page = await (await browser.newContext()).newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  await page.addInitScript((name) => sessionStorage.setItem("name", name), name);
  await page.goto(process.env.PAGE_URL);
  return { page, errors, note: (text) => page.getByRole("listitem").filter({ hasText: text }) };
};
const ann = await open("ann");
const bob = await open("bob");

await ann.page.getByLabel("Note").fill("milk");
await ann.page.getByRole("button", { name: "Post" }).click();
for (const { note } of [ann, bob]) await note("ann: milk ♥ 0").waitFor();
await bob.note("milk").getByRole("button").click();
for (const { note } of [ann, bob]) await note("ann: milk ♥ 1").waitFor();

const late = await open("cyd"); // gets the list
await late.note("ann: milk ♥ 1").waitFor();
for (const { errors } of [ann, bob, late]) assert.deepEqual(errors, []);
await browser.close();
