// Sends large and many messages, both ways, over networks that are slow or stall: all must arrive,
// whole and in order, and no client may be disconnected. TARGETS are networks, {name, url}, with
// what to send over them.
import { ask, assert, done, open, settled, transport } from "./lib.mjs";

const targets = JSON.parse(process.env.TARGETS);

// connectedUntil rejects when the client is disconnected before what it waits for has come.
async function connectedUntil(socket, what) {
  let lost;
  const gone = new Promise((_, reject) => {
    lost = (reason, details) => reject(new Error(`disconnected: ${reason} (${details?.description?.message ?? details?.description ?? ""})`));
    socket.on("disconnect", lost);
    socket.on("connect_error", lost);
  });
  try {
    return await Promise.race([what, gone]);
  } finally {
    socket.off("disconnect", lost);
    socket.off("connect_error", lost);
  }
}

// items resolves when n of them have come in order, each of so many characters.
const items = (socket, n, size) =>
  new Promise((resolve, reject) => {
    let next = 0;
    socket.on("item", (i, text) => {
      if (i !== next || text.length !== size || text[0] !== "x" || text.at(-1) !== "y") reject(new Error(`item ${i} of ${text.length} characters instead of item ${next}`));
      if (++next === n) resolve();
    });
  });

const rows = {
  // A client first gets what the connect handler emits.
  async greeting({ n, size }, url) {
    const socket = open("/", { url, rejectUnauthorized: false, auth: { n, size } });
    await connectedUntil(socket, items(socket, n, size));
    await connectedUntil(socket, settled(socket));
    return socket;
  },
  // The server answers one event with many, while the client may still be upgrading.
  async burst({ n, size }, url) {
    const socket = open("/", { url, rejectUnauthorized: false });
    socket.emit("burst", n, size);
    await connectedUntil(socket, items(socket, n, size));
    await connectedUntil(socket, settled(socket));
    return socket;
  },
  // One message that takes much longer than the write timeout.
  async large({ size }, url) {
    const socket = open("/", { url, rejectUnauthorized: false });
    await connectedUntil(socket, settled(socket));
    const [text] = await connectedUntil(socket, ask(socket, "large", size));
    assert.equal(text.length, size);
    return socket;
  },
  // The client sends more than the server handles.
  async flood({ n, size, pause }, url) {
    const socket = open("/", { url, rejectUnauthorized: false });
    const text = "x".repeat(size);
    socket.emit("pause", pause);
    for (let i = 0; i < n; i++) socket.emit("take", i, text);
    assert.deepEqual(await connectedUntil(socket, ask(socket, "taken")), [n]);
    await connectedUntil(socket, settled(socket));
    return socket;
  },
};

async function drive({ name, url, work }) {
  const failures = [];
  for (const { row, ...sizes } of work) {
    const begin = Date.now();
    const what = `${transport}, ${name}: ${row} ${JSON.stringify(sizes)}`;
    try {
      const socket = await rows[row](sizes, url);
      assert.deepEqual(await connectedUntil(socket, ask(socket, "add", 1, 2)), [3]);
      socket.disconnect();
      console.log(`ok   ${what}: ${Date.now() - begin} ms`);
    } catch (error) {
      failures.push(what);
      console.log(`FAIL ${what}: ${error.message} after ${Date.now() - begin} ms`);
    }
  }
  return failures;
}

const failures = (await Promise.all(targets.map(drive))).flat();
assert.deepEqual(failures, []);
done();
