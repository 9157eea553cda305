"use strict";

const $ = (id) => document.getElementById(id);
const keep = 120; // figures of a series that are shown
const series = new Map(); // by name

const socket = io();

// ask sends an event and returns the answer; undefined if it is refused, or there is none.
async function ask(event, ...args) {
  try {
    const answer = await socket.timeout(5000).emitWithAck(event, ...args);
    $("notice").textContent = answer?.error?.message ?? "";
    return answer?.error ? undefined : answer;
  } catch {
    $("notice").textContent = "no answer: try again";
  }
}

socket.on("connect", async () => {
  $("state").textContent = "connected";
  if (socket.recovered && series.size) return; // what we have missed is on its way
  for (const name of (await ask("series")) ?? []) watch(series.get(name) ?? add(name));
});
socket.on("disconnect", (reason) => ($("state").textContent = `reconnecting: ${reason}`));
socket.on("connect_error", (error) => ($("state").textContent = `${socket.active ? "reconnecting" : "not connected"}: ${error.message}`));
socket.on("sample", take);

// watch asks for a series, or to stop it, as its box says.
async function watch(one) {
  if (!one.box.checked) return ask("unwatch", one.name);
  for (const sample of (await ask("watch", one.name)) ?? []) take(sample);
}

// take puts a figure where its number belongs. It may be there already.
function take({ name, n, value }) {
  const one = series.get(name);
  if (!one) return;
  let i = one.samples.length;
  while (i > 0 && one.samples[i - 1].n > n) i--;
  if (one.samples[i - 1]?.n !== n) one.samples.splice(i, 0, { n, value });
  one.samples.splice(0, Math.max(0, one.samples.length - keep));
  show(one);
}

function add(name) {
  const card = $("card").content.cloneNode(true).firstElementChild;
  const one = { name, card, box: card.querySelector("input"), samples: [] };
  card.querySelector("h2").textContent = name;
  one.box.checked = true;
  one.box.ariaLabel = `watch ${name}`;
  one.box.addEventListener("change", () => watch(one));
  $("series").append(card);
  series.set(name, one);
  return one;
}

function show({ card, samples }) {
  const last = samples.at(-1);
  card.querySelector(".value").textContent = last.value.toFixed(1);
  card.querySelector(".muted").textContent = `measurement ${last.n}`;
  const points = samples.map(({ n, value }) => `${keep - 1 - (last.n - n)},${98 - value * 0.96}`);
  card.querySelector("polyline").setAttribute("points", points.join(" "));
}
