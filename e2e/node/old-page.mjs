// Pages with a client of Socket.IO 1 or 2 go through the list in Chromium: with JSONP, and with the client's other transports.
import { assert, browse } from "./tabs.mjs";

const { PAGE_URL, CLIENTS } = process.env;
const browser = await browse();
const timer = setTimeout(() => (console.error("timed out"), process.exit(1)), 90_000);
const modes = [
  { name: "JSONP", transports: ["polling"], forceJSONP: true },
  { name: "polling", transports: ["polling"] },
  { name: "upgrade", transports: ["polling", "websocket"] },
];
for (const client of CLIENTS.split(",")) {
  await Promise.all(
    modes.map(async ({ name, ...options }) => {
      const window = await browser.newContext(); // the browser throttles hidden tabs
      const page = await window.newPage();
      await page.goto(`${PAGE_URL}/page?client=${client}`);
      const result = await page.evaluate(
        (options) =>
          oldList(io, location.origin, {
            ...options,
            bytes: (n) => new Uint8Array(n).fill(7).buffer,
            sizeOf: (b) => b.byteLength,
          }).catch((error) => String(error.stack)),
        options,
      );
      assert.equal(result, "ok", `${client} over ${name}`);
      await window.close();
    }),
  );
}
clearTimeout(timer);
await browser.close();
