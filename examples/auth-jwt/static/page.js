"use strict";

const $ = (id) => document.getElementById(id);

function log(text) {
  const item = document.createElement("li");
  item.textContent = text;
  $("log").prepend(item);
}

let token; // kept here only: not in localStorage, where any script could read it
let renewal;

// A function, so that each reconnection presents the token of the moment.
const socket = io({ autoConnect: false, auth: (send) => send({ token }) });

async function getToken(credentials) {
  const answer = await fetch("/token", { method: "POST", body: JSON.stringify(credentials) });
  if (!answer.ok) throw new Error(await answer.text());
  const { token: fresh, seconds } = await answer.json();
  token = fresh;
  clearTimeout(renewal);
  renewal = setTimeout(() => renew(credentials), seconds * 600);
}

async function renew(credentials) {
  if (!$("renewal").elements.renew.checked) return;
  try {
    await getToken(credentials);
    if (!socket.connected) return;
    const answer = await socket.timeout(5000).emitWithAck("refresh", token);
    log(answer.error ? "not renewed: " + answer.error.message : "renewed until " + new Date(answer).toLocaleTimeString());
  } catch (error) {
    log("not renewed: " + error.message);
  }
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { user, password } = event.target.elements;
  socket.disconnect();
  try {
    await getToken({ user: user.value, password: password.value });
    socket.connect();
  } catch (error) {
    log(error.message);
  }
});

socket.on("connect", async () => {
  $("state").textContent = "connected as " + (await socket.emitWithAck("whoami"));
});
socket.on("disconnect", (reason) => ($("state").textContent = "disconnected: " + reason));
socket.on("connect_error", (error) => ($("state").textContent = "refused: " + error.message));
socket.on("expired", () => log("the token has expired"));
socket.on("written", (user, text) => log(`${user}: ${text}`));

async function ask(event, ...args) {
  const answer = await socket.timeout(5000).emitWithAck(event, ...args).catch((error) => ({ error }));
  if (answer?.error) log(`${event}: ${answer.error.message}`);
  else if (answer !== undefined) log(`${event}: ${answer}`);
}

$("write").addEventListener("submit", (event) => {
  event.preventDefault();
  ask("write", event.target.elements.text.value);
  event.target.reset();
});
$("read").addEventListener("click", () => ask("read"));
