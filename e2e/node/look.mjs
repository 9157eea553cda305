// Takes screenshots of a page at the sizes of a phone, a laptop and a wide screen, light and dark, and
// checks what a program can check of its looks.
import { mkdirSync } from "node:fs";
import path from "node:path";
import { assert } from "./tabs.mjs";

export const sizes = {
  phone: { width: 390, height: 844 },
  laptop: { width: 1280, height: 800 },
  wide: { width: 1920, height: 1080 },
};

// look takes all screenshots: prefix-phone-light.png and so on. before, if given, prepares the page
// at each size.
export async function look(page, prefix, before) {
  mkdirSync(path.dirname(prefix), { recursive: true });
  const wrong = {};
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    await before?.(size);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const name = `${path.basename(prefix)}-${size}-${colorScheme}`;
      await page.screenshot({ path: `${prefix}-${size}-${colorScheme}.png` });
      const found = await page.evaluate(faults, colorScheme);
      if (found.length > 0) wrong[name] = found;
    }
  }
  assert.deepEqual(wrong, {});
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(sizes.laptop);
}

// visible reports whether an element is in the visible part of the page and no other element
// covers it.
export const visible = (locator) =>
  locator.evaluate((element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const middle = document.elementFromPoint(left + width / 2, top + height / 2);
    return middle !== null && (element.contains(middle) || middle.contains(element));
  });

// faults runs in the page, and returns what is wrong with how it looks.
function faults(scheme) {
  const found = [];
  const sideways = document.documentElement.scrollWidth - innerWidth;
  if (sideways > 0) found.push(`the page scrolls sideways by ${sideways} px`);

  const [red, green, blue] = getComputedStyle(document.body).color.match(/[\d.]+/g).map(Number);
  const light = 0.3 * red + 0.59 * green + 0.11 * blue > 127;
  if (light !== (scheme === "dark")) found.push(`the text is ${light ? "light" : "dark"} with the ${scheme} scheme`);

  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getBoundingClientRect().width > 1;
  const scrollsSideways = (element) => {
    for (let above = element.parentElement; above; above = above.parentElement) {
      if (above.scrollWidth > above.clientWidth && getComputedStyle(above).overflowX === "auto") return true;
    }
    return false;
  };
  const name = (element) => `<${element.localName}> ${JSON.stringify((element.textContent || element.name || element.id).trim().slice(0, 40))}`;
  for (const element of document.querySelectorAll("p, li, dd, h1, h2, h3, label, button, a, input, select, textarea, footer")) {
    if (!shown(element)) continue;
    const { left, right, width, height } = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (element.matches("button, input:not([type=checkbox]), select, textarea") && height < 24) {
      found.push(`${name(element)} is ${height} px high: too small for a finger`);
    }
    if (element.matches("button") && style.backgroundColor === "rgba(0, 0, 0, 0)" && style.borderTopColor === "rgba(0, 0, 0, 0)" && !element.matches("li > button")) {
      found.push(`${name(element)} does not look like a button`);
    }
    if ((left < 0 || right > innerWidth) && !scrollsSideways(element)) found.push(`${name(element)} reaches out of the window`);
    const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    for (const node of text) {
      const range = document.createRange();
      range.selectNodeContents(node);
      const widest = Math.max(...[...range.getClientRects()].map((line) => line.width));
      const em = parseFloat(style.fontSize);
      if (widest > 55 * em) found.push(`${name(element)} has lines of ${Math.round(widest / em)} em: too long to read`);
    }
  }
  return found;
}
