// A client of Socket.IO 1 or 2 comes back by itself when the server restarts.
import { createRequire } from "node:module";

const { SERVER_URL, CLIENT, TRANSPORT } = process.env;
const io = createRequire(import.meta.url)(CLIENT);
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] }[TRANSPORT];
const tell = (word) => console.log("@" + word);
setTimeout(() => (console.error("timed out"), process.exit(1)), 60_000);
const socket = io(SERVER_URL, { transports, reconnectionDelay: 50, reconnectionDelayMax: 200 });
let times = 0;
socket.on("disconnect", () => tell("disconnected"));
socket.on("welcome", () => {
  tell(times++ ? "reconnected" : "connected");
  if (times === 2) socket.emit("echo", "again", (word) => process.exit(word === "again" ? 0 : 1));
});
