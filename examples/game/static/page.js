"use strict";

const $ = (id) => document.getElementById(id);
const size = 4; // boxes in a row, as in rules.go
const step = 100;
let game; // as the server has sent it last
let asked; // what we want to play: name and room
let seated = false; // there, in this session

const socket = io({ autoConnect: false });

/* ---- the server ------------------------------------------------------- */

// ask sends an event, and shows why it is refused.
async function ask(event, ...args) {
  try {
    const answer = await socket.timeout(5000).emitWithAck(event, ...args);
    $("notice").textContent = answer?.error?.message ?? "";
    return !answer?.error;
  } catch {
    $("notice").textContent = "no answer: try again";
    return false;
  }
}

async function sit() {
  seated = await ask("join", asked);
  if (!seated && socket.connected) asked = game = undefined; // refused
  show();
}

socket.on("connect", () => {
  $("state").textContent = "connected";
  if (asked && !(seated && socket.recovered)) sit(); // a new session; a recovered one has the seat
  show();
});
socket.on("disconnect", (reason) => {
  $("state").textContent = `reconnecting: ${reason}`;
  show();
});
socket.on("connect_error", (error) => ($("state").textContent = `${socket.active ? "reconnecting" : "not connected"}: ${error.message}`));
socket.on("game", (now) => {
  game = now;
  show();
});

/* ---- the page --------------------------------------------------------- */

const svg = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

const boxes = Array.from({ length: size * size }, (_, box) =>
  svg("rect", { x: (box % size) * step, y: Math.floor(box / size) * step, width: step, height: step, class: "box" }));

const lines = Array.from({ length: 2 * size * (size + 1) }, (_, line) => {
  const down = line >= size * (size + 1);
  const [column, row] = down
    ? [(line - size * (size + 1)) % (size + 1), Math.floor((line - size * (size + 1)) / (size + 1))]
    : [line % size, Math.floor(line / size)];
  const [x, y] = [column * step, row * step];
  const place = down ? { x: x - 12, y: y + 14, width: 24, height: step - 28 } : { x: x + 14, y: y - 12, width: step - 28, height: 24 };
  const element = svg("rect", { ...place, rx: 8, class: "line", role: "button", "aria-label": `${down ? "vertical" : "horizontal"} line ${row + 1}, ${column + 1}` });
  const draw = () => mayDraw(line) && ask("draw", { round: game.round, line });
  element.addEventListener("click", draw);
  element.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && draw());
  return element;
});

const dots = Array.from({ length: (size + 1) ** 2 }, (_, dot) =>
  svg("circle", { cx: (dot % (size + 1)) * step, cy: Math.floor(dot / (size + 1)) * step, r: 9, class: "dot" }));

$("board").append(...boxes, ...lines, ...dots);

const mayDraw = (line) => socket.connected && game?.players[game.turn]?.id === socket.id && !game.lines[line];

// show shows the game as it is. Names are shown as text.
function show() {
  document.querySelector("main").hidden = !game;
  $("who").hidden = Boolean(game);
  if (!game) return;
  const colors = Object.keys(game.players);
  const score = (color) => game.boxes.filter((owner) => owner === Number(color)).length;
  $("title").textContent = `Room ${game.room}`;
  $("board").dataset.round = game.round;
  for (const [i, owner] of game.boxes.entries()) boxes[i].dataset.color = owner;
  for (const [i, owner] of game.lines.entries()) {
    lines[i].dataset.color = owner;
    lines[i].toggleAttribute("data-free", mayDraw(i));
    lines[i].setAttribute("tabindex", mayDraw(i) ? 0 : -1);
    lines[i].setAttribute("aria-disabled", !mayDraw(i));
  }
  $("players").replaceChildren(...colors.map((color) => {
    const { id, name, away } = game.players[color];
    const item = document.createElement("li");
    item.dataset.color = color;
    item.toggleAttribute("data-turn", game.turn === Number(color));
    item.textContent = `${name}${id === socket.id ? " (you)" : ""}${away ? " (away)" : ""}: ${score(color)}`;
    return item;
  }));
  $("turn").textContent = said(colors, score);
  $("start").disabled = !socket.connected || game.turn !== 0 || colors.length < 2;
  $("start").textContent = game.round ? "Play again" : "Start";
}

function said(colors, score) {
  const turn = game.players[game.turn];
  if (turn) return turn.id === socket.id ? "It is your turn." : `${turn.name} is to draw.`;
  if (colors.length < 2) return "Waiting for another player.";
  if (!game.boxes.every((owner) => owner)) return "Ready to start.";
  const best = Math.max(...colors.map(score));
  const winners = colors.filter((color) => score(color) === best).map((color) => game.players[color].name);
  return `The end: ${winners.join(" and ")} won with ${best}.`;
}

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, room } = event.target.elements;
  asked = { name: name.value, room: room.value };
  if (socket.connected) sit();
  else socket.connect();
});
$("start").addEventListener("click", () => ask("start"));
$("leave").addEventListener("click", async () => {
  if (!(await ask("leave"))) return;
  asked = game = undefined;
  seated = false;
  show();
});
