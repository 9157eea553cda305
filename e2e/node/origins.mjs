// Pages of several origins connect to servers. Each line of standard input is a row of the table;
// the script prints what the page saw.
import { createInterface } from "node:readline";
import { browse, tell } from "./tabs.mjs";

const browser = await browse("--host-resolver-rules=MAP *.test 127.0.0.1");

for await (const line of createInterface({ input: process.stdin })) {
  const row = JSON.parse(line);
  const window = await browser.newContext();
  window.setDefaultTimeout(30_000);
  if (row.Cookie) await window.addCookies([{ name: "visitor", value: row.Cookie, url: row.Server, sameSite: "Lax" }]);
  const page = await window.newPage();
  const console = [];
  page.on("console", (message) => console.push(message.text()));
  await page.goto(row.Page);
  const saw = await page.evaluate(connect, row);
  tell(JSON.stringify({ ...saw, Console: console.join("\n") }));
  await window.close();
}
await browser.close();

// connect runs in the page, once for each transport.
async function connect({ Server, Row, Credentials, Header }) {
  const saw = {};
  for (const transport of ["polling", "websocket"]) {
    const socket = io(Server, {
      transports: [transport], forceNew: true, reconnection: false, query: { row: Row },
      withCredentials: Credentials, extraHeaders: Header ? { "X-Token": "let me in" } : undefined,
    });
    saw[transport] = await new Promise((resolve) => {
      socket.on("welcome", (cookie) => resolve({ Outcome: "connected", Cookie: cookie }));
      socket.on("connect_error", (error) => resolve({ Outcome: error.message, Cookie: "" }));
    });
    socket.disconnect();
  }
  return saw;
}
