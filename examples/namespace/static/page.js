"use strict";

const byId = (id) => document.getElementById(id);
const socket = io();

function state(text) {
  byId("state").textContent = text;
  for (const button of document.querySelectorAll("button")) button.disabled = !socket.connected;
}

socket.on("connect", () => state(`connected as ${socket.id}`));
socket.on("disconnect", (reason) => state(`disconnected: ${reason}`));
socket.on("connect_error", (error) => state(`cannot connect: ${error.message}`));

socket.on("my_response", ({ data, count }) => {
  const item = document.createElement("li");
  item.textContent = `#${count}: ${typeof data === "string" ? data : JSON.stringify(data)}`;
  byId("log").append(item);
  toEnd();
});

function toEnd() {
  byId("log").scrollTop = byId("log").scrollHeight;
}
new ResizeObserver(toEnd).observe(byId("log"));

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { event: name, field, also } = form.dataset;
    const [first, second] = [...form.querySelectorAll("input")].map((input) => input.value);
    if (!field) socket.emit(name);
    else socket.emit(name, also ? { [field]: first, [also]: second } : { [field]: first });
  });
}

const times = [];
let sent = 0;
socket.on("my_pong", () => {
  times.push(performance.now() - sent);
  byId("ping").textContent = `${(times.slice(-30).reduce((a, b) => a + b) / Math.min(times.length, 30)).toFixed(1)} ms`;
});
setInterval(() => {
  if (!socket.connected) return;
  sent = performance.now();
  socket.emit("my_ping");
}, 1000);

state("connecting …");
