// Volatile events may be dropped. They are never late or damaged, and never delay other
// events.
import { ask, assert, connect, done, transport } from "./lib.mjs";

const socket = await connect();
const seen = [];
socket.on("volatile", (i, data) => {
  seen.push(i);
  assert.equal(Buffer.from(data).length, 50_000);
});

// An idle client gets them: asking again covers the moment between two polls.
for (let tries = 0; seen.length === 0; tries++) {
  assert.ok(tries < 100, "no volatile event ever arrived");
  await ask(socket, "volatile", 1);
}

// Some events of a burst are dropped, and what follows the burst arrives.
seen.length = 0;
assert.deepEqual(await ask(socket, "volatile", 200), ["done"]);
await ask(socket, "nothing");
assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
assert.equal(new Set(seen).size, seen.length);
if (transport === "polling") assert.ok(seen.length < 200, "nothing was dropped although nobody was polling");
done();
