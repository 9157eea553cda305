// The server ends the client's socket or its connection between the answer to
// the probe and the UPGRADE packet. The client has stopped polling by then: it
// must hear of it all the same, long before its ping timeout.
import { execFileSync } from "node:child_process";
import { assert, connected, done, next, open } from "./lib.mjs";

const { SERVER_URL, REASON } = process.env;

const fetchIt = `fetch(process.argv[1]).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;

const socket = open();
const gone = next(socket, "disconnect");
const upgrading = next(socket.io.engine, "upgrading");
socket.io.engine.once("upgrading", () => {
  // This blocks the client: what it does next, it does after the end.
  execFileSync(process.execPath, ["-e", fetchIt, `${SERVER_URL}/end?sid=${socket.id}`]);
});
await connected(socket);
await fetch(`${SERVER_URL}/connected`); // the server has held the WebSocket back
await upgrading;
const begin = Date.now();
assert.equal((await gone)[0], REASON);
assert.ok(Date.now() - begin < 20_000, "before the ping timeout of 45 s");
done();
