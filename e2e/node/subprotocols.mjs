// A client offers subprotocols: its WebSocket fails if the answer selects none.
import { assert, connect, done } from "./lib.mjs";

for (const protocols of [["arduino"], ["b.x", "a"]]) {
  const socket = await connect("/", { protocols, perMessageDeflate: process.env.DEFLATE === "1" });
  assert.equal(socket.io.engine.transport.ws.protocol, protocols[0]);
  const extensions = socket.io.engine.transport.ws.extensions;
  assert.equal(extensions.includes("permessage-deflate"), process.env.DEFLATE === "1");
}
done();
