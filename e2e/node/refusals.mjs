// The reference server, for refusals_test.go: it sends the same bad requests to
// this one and to ours. The script ends with its standard input.
import { createServer } from "node:http";
import { Server } from "engine.io";

const engine = new Server({
  maxHttpBufferSize: 100,
  cors: { origin: ["https://page.test"], credentials: true },
  allowRequest: (request, decide) => decide(null, request.headers.origin !== "https://evil.test"),
});
const http = createServer((_, response) => response.writeHead(404).end());
engine.attach(http, { path: "/engine.io/" });
http.listen(0, "127.0.0.1", () => console.log("@" + http.address().port));

process.stdin.resume().on("end", () => {
  http.closeAllConnections();
  process.exit(0);
});
