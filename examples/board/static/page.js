"use strict";

const $ = (id) => document.getElementById(id);
const canvas = $("canvas");
const pen = canvas.getContext("2d");
const tools = $("tools").elements;

const strokes = new Map(); // what is on the board, by id
const mine = new Map(); // what we draw, until the server has acknowledged all of it
let has = false; // the board, since the session began
let current; // the stroke under the pointer
let socket;

/* ---- drawing ---------------------------------------------------------- */

// line draws a stroke, from the point with this number on.
function line({ color, width, points }, from = 0) {
  const [first, ...rest] = points.slice(Math.max(from - 1, 0));
  if (!first) return;
  Object.assign(pen, { strokeStyle: color, lineWidth: width, lineCap: "round", lineJoin: "round" });
  pen.beginPath();
  pen.moveTo(...first);
  for (const point of rest.length ? rest : [first]) pen.lineTo(...point);
  pen.stroke();
}

function redraw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (const stroke of strokes.values()) line(stroke);
  for (const stroke of mine.values()) if (stroke.echoed < stroke.points.length) line(stroke, stroke.echoed);
  tally();
}

function tally() {
  canvas.dataset.strokes = strokes.size;
  canvas.dataset.points = [...strokes.values()].reduce((sum, { points }) => sum + points.length, 0);
}

/* ---- the server ------------------------------------------------------- */

const state = (text) => ($("state").textContent = text);

function start(name) {
  socket = io({ auth: { name } });
  socket.on("connect", () => {
    state("connected");
    has &&= socket.recovered; // then the server sends what we have missed
    socket.emit("enter", has);
    for (const stroke of mine.values()) send(stroke);
  });
  socket.on("disconnect", (reason) => state(`reconnecting: ${reason}`));
  socket.on("connect_error", (error) => state(`${socket.active ? "reconnecting" : "not connected"}: ${error.message}`));
  socket.on("board", (all) => {
    strokes.clear();
    for (const stroke of all) strokes.set(stroke.id, stroke);
    has = true;
    redraw();
  });
  socket.on("draw", ({ id, color, width, from, points }) => {
    const stroke = strokes.get(id) ?? { color, width, points: [] };
    strokes.set(id, stroke);
    stroke.points.push(...points);
    line(stroke, from);
    if (mine.has(id)) mine.get(id).echoed = stroke.points.length;
    tally();
  });
  socket.on("cleared", () => {
    strokes.clear();
    redraw();
  });
  socket.on("people", (names) => {
    $("people").replaceChildren(...names.map((name) => Object.assign(document.createElement("li"), { textContent: name })));
  });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// send sends what the server has not acknowledged of a stroke, again if need be: it counts
// what comes twice once.
async function send(stroke) {
  if (stroke.sending) return;
  stroke.sending = true;
  while (socket.connected && mine.has(stroke.id) && stroke.acked < stroke.points.length) {
    const { id, color, width, acked: from } = stroke;
    const points = stroke.points.slice(from, from + 200);
    try {
      const answer = await socket.timeout(5000).emitWithAck("draw", { id, color, width, from, points });
      if (answer?.error) drop(stroke, answer.error.message);
      else stroke.acked += points.length;
    } catch {} // no answer: the loop tries again, or the next connection
    await pause(40); // so many events a second, and not more
  }
  stroke.sending = false;
  if (stroke.done && stroke.acked === stroke.points.length) mine.delete(stroke.id);
}

// drop takes back what the server has not taken. If the board was cleared in the middle of
// a stroke, what is drawn from now on is a new one.
function drop(stroke, why) {
  mine.delete(stroke.id);
  if (stroke === current) current = undefined;
  state(why);
  redraw();
}

/* ---- the pointer ------------------------------------------------------ */

function place({ clientX, clientY }) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const within = (value, max) => Math.max(0, Math.min(max, Math.round(value * max)));
  return [within((clientX - left) / width, canvas.width), within((clientY - top) / height, canvas.height)];
}

function draw(event) {
  if (!current) {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    current = { id, color: tools.color.value, width: Number(tools.width.value), points: [], acked: 0, echoed: 0 };
    mine.set(id, current);
  }
  current.points.push(place(event));
  line(current, current.points.length - 1);
  if (socket.connected) send(current);
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !event.isPrimary) return;
  canvas.setPointerCapture(event.pointerId);
  current = undefined;
  draw(event);
});
canvas.addEventListener("pointermove", (event) => event.isPrimary && canvas.hasPointerCapture(event.pointerId) && draw(event));
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => {
    if (!event.isPrimary || !current) return;
    current.done = true;
    if (socket.connected) send(current);
    current = undefined;
  });
}

$("clear").addEventListener("click", () => socket.connected && socket.emit("clear"));

for (const [i, color] of ["#1a1f2e", "#d92d20", "#e48900", "#0f8a4b", "#2563eb", "#7c3aed", "#ffffff"].entries()) {
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: "color", value: color, checked: i === 0, ariaLabel: color });
  radio.style.setProperty("--pen", color);
  $("colors").append(radio);
}

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  $("who").hidden = true;
  document.querySelector("main").hidden = false;
  start(event.target.elements.name.value);
});
