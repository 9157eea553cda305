// A client comes back by itself when the server is restarted.
import { ask, assert, connect, done, next, settled, tell } from "./lib.mjs";

const socket = await connect("/", { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
const first = socket.id;
await ask(socket, "join", "room");

const gone = next(socket, "disconnect");
tell("connected");
const [reason] = await gone;
assert.match(reason, /^transport (close|error)$/); // clients do not reconnect after "io server disconnect"
socket.emit("echo", "sent while away"); // the client keeps it

tell("disconnected");
const echoed = next(socket, "echo");
await settled(socket);
assert.notEqual(socket.id, first);
assert.deepEqual(await echoed, ["sent while away"]);
assert.deepEqual(await ask(socket, "rooms"), [[socket.id]]); // a new session, in no room
tell("reconnected");
done();
