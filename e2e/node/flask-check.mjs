// Runs the scenarios of the side-by-side check against one server.
import { run } from "./flask-lib.mjs";
import "./flask-recipients.mjs";
import "./flask-events.mjs";
import "./flask-connect.mjs";
import "./flask-leave.mjs";

await run();
process.exit(); // Flask-SocketIO does not answer the request that is too large
