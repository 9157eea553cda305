"use strict";

const byId = (id) => document.getElementById(id);

// Each view has the same forms; change is what one does with what is entered.
function view(id, change) {
  const section = byId(id);
  section.append(byId("forms").content.cloneNode(true));
  const find = (name) => section.querySelector(name);
  find(".set").addEventListener("submit", (event) => {
    event.preventDefault();
    change({ session: event.target.elements.session.value });
  });
  find(".login").addEventListener("submit", (event) => {
    event.preventDefault();
    change({ user: event.target.elements.user.value });
  });
  find(".logout").addEventListener("click", () => change({ user: null }));
  return {
    show({ session, user }) {
      find(".session").textContent = session || "(empty)";
      find(".user").textContent = user;
    },
    state(text, usable) {
      find(".state").textContent = text;
      for (const button of section.querySelectorAll("button")) button.disabled = !usable;
    },
  };
}

// HTTP

const http = view("http", async (change) => {
  await fetch("/session", { method: "POST", body: JSON.stringify(change), headers: { "Content-Type": "application/json" } });
  refresh();
});

async function refresh() {
  const answer = await fetch("/session").catch(() => null);
  if (answer?.ok) http.show(await answer.json());
}

setInterval(refresh, 1000);
refresh();

// Socket.IO

const sockets = [];

function socketView(id, namespace) {
  const socket = io(namespace);
  const shown = view(id, (change) => socket.emit("set-session", change));
  socket.on("connect", () => {
    shown.state("connected", true);
    socket.emit("get-session");
  });
  socket.on("refresh-session", shown.show);
  // After a login or logout over HTTP the server makes sockets leave, so that
  // they come back with the new cookie. The pause lets all of them leave first:
  // only then is the old connection closed.
  const again = () => setTimeout(() => byId("connect").textContent === "Disconnect" && socket.connect(), 300);
  socket.on("disconnect", (reason) => {
    shown.state(`disconnected: ${reason}`, false);
    if (reason === "io server disconnect") again();
  });
  socket.on("connect_error", (error) => {
    shown.state(`refused: ${error.message}`, false);
    if (!socket.active) again();
  });
  sockets.push(socket);
}

socketView("own", "/");
socketView("managed", "/managed");

byId("connect").addEventListener("click", (event) => {
  const connect = event.target.textContent === "Connect";
  event.target.textContent = connect ? "Disconnect" : "Connect";
  for (const socket of sockets) connect ? socket.connect() : socket.disconnect();
});
