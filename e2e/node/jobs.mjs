// Users of examples/worker: the user who has asked for a job sees its progress in all windows, and
// nobody else sees it.
import { ask, assert, connected, done, open, tell, until } from "./lib.mjs";

async function window(user) {
  const socket = open("/", { auth: { user } });
  socket.jobs = {};
  socket.on("job", ({ id, n }) => (socket.jobs[id] = { n, percents: [] }));
  socket.on("progress", ({ id, percent, primes }) => {
    const job = (socket.jobs[id] ??= { percents: [] });
    job.percents.push(percent);
    job.primes = primes;
  });
  await connected(socket);
  return socket;
}

const [ann, annToo, bob] = [await window("ann"), await window("ann"), await window("bob")];
const [small] = await ask(ann, "count primes", 100_000);
const finished = (socket, id) => until("the end of a job", () => socket.jobs[id]?.percents.at(-1) === 100);
for (const socket of [ann, annToo]) {
  await finished(socket, small);
  assert.deepEqual(socket.jobs[small], { n: 100_000, percents: Array.from({ length: 100 }, (_, i) => i + 1), primes: 9592 });
}
assert.match((await ask(bob, "count primes", 0))[0].error, /please/);
const [other] = await ask(bob, "count primes", 1000);
await finished(bob, other);
assert.equal(bob.jobs[other].primes, 168);
assert.deepEqual(Object.keys(bob.jobs), [other]);
assert.deepEqual(Object.keys(ann.jobs), [small]);

// A worker that ends in the middle of a job does the job after its restart.
const [large] = await ask(ann, "count primes", 5_000_000);
await until("the job to begin", () => ann.jobs[large]?.percents.length > 0);
tell("working");
await finished(ann, large);
assert.equal(ann.jobs[large].primes, 348_513);
assert.equal(ann.jobs[large].percents.filter((p) => p === 1).length, 2, "it was begun twice");
done();
