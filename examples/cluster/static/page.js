const state = document.getElementById("state");
const who = document.getElementById("who");
const say = document.getElementById("say");
const log = document.getElementById("log");
const transport = new URLSearchParams(location.search).get("transport");
let socket;

function line(text) {
  log.prepend(Object.assign(document.createElement("li"), { textContent: text }));
}

who.addEventListener("submit", (event) => {
  event.preventDefault();
  socket?.disconnect();
  socket = io({ auth: { name: new FormData(who).get("name") }, ...(transport && { transports: [transport] }) });
  const button = say.querySelector("button");
  socket.on("welcome", (node) => { state.textContent = `Connected with server ${node}.`; button.disabled = false; });
  socket.on("disconnect", (reason) => { state.textContent = `Not connected: ${reason}.`; button.disabled = true; });
  socket.on("connect_error", (error) => { state.textContent = `Not connected: ${error.message}.`; });
  socket.on("said", ({ from, name, node, text }) => {
    line(`${name}, on server ${node}: ${text}`);
    if (from === socket.id) return;
    const button = Object.assign(document.createElement("button"), { textContent: "Whisper" });
    button.addEventListener("click", () => {
      const answer = prompt(`To ${name}:`);
      if (answer) socket.emit("whisper", from, answer, (arrived) => line(`${name} ${arrived ? "has" : "did not get"} it: ${answer}`));
    });
    log.firstChild.append(" ", button);
  });
  socket.on("whispered", ({ name, node, text }, ack) => {
    line(`${name}, on server ${node}, whispers: ${text}`);
    ack();
  });
});

say.addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("say", new FormData(say).get("text"));
  say.reset();
});
