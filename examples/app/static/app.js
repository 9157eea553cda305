"use strict";

// The rooms demo. Everything that arrives is shown with textContent: no
// message is ever inserted as HTML.

const $ = (id) => document.getElementById(id);

const maxLogEntries = 500;
const maxSamples = 30;

/* ---- log ------------------------------------------------------------- */

const show = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// The log stays at its end, unless somebody has scrolled up.
let atEnd = true;
const toEnd = () => atEnd && ($("log").scrollTop = $("log").scrollHeight);
$("log").addEventListener("scroll", () => (atEnd = $("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 40));
new ResizeObserver(toEnd).observe($("log"));

// log adds one line: kind is "in", "out", "info" or "error".
function log(kind, name, text, count) {
  const list = $("log");

  const part = (className, content) => {
    const span = document.createElement("span");
    span.className = className;
    span.textContent = content;
    return span;
  };
  const now = new Date();
  const time = document.createElement("time");
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString([], { hour12: false }) + "." + String(now.getMilliseconds()).padStart(3, "0");

  const item = document.createElement("li");
  item.dataset.kind = kind;
  item.dataset.event = name;
  item.append(time, part("kind", name));
  if (count !== undefined) item.append(part("count", "#" + count));
  item.append(part("text", text));
  list.append(item);

  while (list.childElementCount > maxLogEntries) list.firstElementChild.remove();
  toEnd();
}

/* ---- state ----------------------------------------------------------- */

function setState(state, label, detail = "") {
  $("state").dataset.state = state;
  $("state").textContent = label;
  $("state_detail").textContent = detail;
  const connected = state === "connected";
  $("controls").disabled = !connected;
  $("disconnect").querySelector("button").disabled = !connected;
  $("reconnect").disabled = state !== "disconnected";
}

const rooms = new Set();

function showRooms() {
  const chip = (name) => {
    const item = document.createElement("li");
    const label = document.createElement("span");
    label.textContent = name;
    const leave = document.createElement("button");
    leave.type = "button";
    leave.textContent = "×";
    leave.setAttribute("aria-label", "Leave " + name);
    leave.addEventListener("click", () => leaveRoom(name));
    item.append(label, leave);
    return item;
  };
  const option = (name) => {
    const element = document.createElement("option");
    element.value = name;
    return element;
  };
  const names = [...rooms].sort();
  $("rooms").replaceChildren(...names.map(chip));
  $("room_names").replaceChildren(...names.map(option));
  $("rooms_empty").hidden = names.length > 0;
}

let samples = [];

function showLatency(ms) {
  samples = [...samples, ms].slice(-maxSamples);
  const average = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  $("ping-pong").textContent = average.toFixed(1);

  const top = Math.max(...samples, 1);
  const points = samples.map((sample, i) => `${(i * 120) / (maxSamples - 1)},${23 - (sample / top) * 21}`);
  $("spark").querySelector("polyline").setAttribute("points", points.join(" "));
}

/* ---- the socket ------------------------------------------------------ */

let socket;

// leaveRoom drops the chip once the server has acknowledged, so that the
// chips show what the server did and not what was asked for.
function leaveRoom(room) {
  socket.emit("leave", { room }, () => {
    rooms.delete(room);
    showRooms();
  });
}

function start() {
  const wanted = new URLSearchParams(location.search).get("transport") ?? "";
  const forced = ["polling", "websocket"].includes(wanted);
  for (const link of document.querySelectorAll("[data-transport]")) {
    if (link.dataset.transport === (forced ? wanted : "")) link.setAttribute("aria-current", "true");
  }
  if (wanted && !forced) log("error", "page", `No transport is called "${wanted}": use polling or websocket.`);

  socket = io(forced ? { transports: [wanted] } : {});
  const showTransport = () => ($("transport").textContent = socket.io.engine.transport.name);

  socket.on("connect", () => {
    setState("connected", "Connected");
    $("sid").textContent = socket.id;
    showTransport();
    socket.io.engine.on("upgrade", showTransport);
    log("info", "connect", `Connected as ${socket.id} over ${socket.io.engine.transport.name}`);
    socket.emit("my_event", { data: "I'm connected!" });
  });

  socket.on("disconnect", (reason) => {
    rooms.clear(); // a new connection is a new session: it is in no room
    showRooms();
    $("sid").textContent = $("transport").textContent = "–";
    // The client reconnects by itself unless one side asked for the end.
    if (socket.active) setState("reconnecting", "Reconnecting", reason);
    else setState("disconnected", "Disconnected", reason);
    log("info", "disconnect", reason);
  });

  socket.on("connect_error", (error) => {
    if (socket.active) setState("reconnecting", "Reconnecting", error.message);
    else setState("disconnected", "Disconnected", error.message);
    log("error", "connect_error", error.message);
  });

  socket.io.on("reconnect_attempt", (attempt) => {
    setState("reconnecting", "Reconnecting", `attempt ${attempt}`);
  });

  // The server asks for an acknowledgement before it disconnects us.
  socket.on("my_response", (message, acknowledge) => {
    const closed = /^Room (.*) is closing\.$/s.exec(show(message.data));
    if (closed && rooms.delete(closed[1])) showRooms();
    if (acknowledge) acknowledge();
  });

  // Everything sent and received goes to the log, but the pings.
  let received = 0;
  socket.onAny((event, ...args) => {
    if (event === "my_pong") return;
    $("received").textContent = ++received;
    const message = args[0];
    if (event === "my_response") log("in", event, show(message.data), message.count);
    else log("in", event, args.filter((arg) => typeof arg !== "function").map(show).join(", "));
  });
  socket.onAnyOutgoing((event, ...args) => {
    if (event !== "my_ping") log("out", event, args.map(show).join(", "));
  });

  let pingSent = 0;
  setInterval(() => {
    if (!socket.connected) return;
    pingSent = performance.now();
    socket.volatile.emit("my_ping");
  }, 1000);
  socket.on("my_pong", () => showLatency(performance.now() - pingSent));

  /* ---- controls ---- */

  const onSubmit = (form, run) =>
    $(form).addEventListener("submit", (event) => {
      event.preventDefault();
      try {
        run();
      } catch (error) {
        log("error", "page", error.message); // the client refuses reserved event names
      }
    });
  const value = (id) => $(id).value;

  onSubmit("emit", () => socket.emit("my_event", { data: value("emit_data") }));
  onSubmit("broadcast", () => socket.emit("my_broadcast_event", { data: value("broadcast_data") }));
  onSubmit("join", () => {
    const room = value("join_room");
    socket.emit("join", { room }, (answer) => {
      if (answer?.error) return log("error", "join", answer.error.message);
      rooms.add(room);
      showRooms();
    });
  });
  onSubmit("leave", () => leaveRoom(value("leave_room")));
  onSubmit("send_room", () => socket.emit("my_room_event", { room: value("room_name"), data: value("room_data") }));
  onSubmit("close", () => socket.emit("close_room", { room: value("close_room") }));
  onSubmit("custom", () => socket.emit(value("custom_name"), value("custom_data")));
  onSubmit("disconnect", () => socket.emit("disconnect_request"));
  $("reconnect").addEventListener("click", () => {
    setState("connecting", "Connecting");
    socket.connect();
  });
}

$("clear").addEventListener("click", () => $("log").replaceChildren());

if (typeof io === "undefined") {
  $("no_client").hidden = false;
  setState("failed", "No client");
} else {
  start();
}
