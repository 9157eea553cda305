const state = document.getElementById("state");
const who = document.getElementById("who");
const form = document.getElementById("ask");
const list = document.getElementById("jobs");
const jobs = new Map(); // by id: its elements
let socket;

// line returns the line of a job. Who comes in the middle sees it with the next
// progress.
function line(id, text) {
  let job = jobs.get(id);
  if (!job) {
    const item = list.appendChild(document.createElement("li"));
    job = { text: item.appendChild(document.createElement("span")), bar: item.appendChild(document.createElement("progress")) };
    job.bar.max = 100;
    jobs.set(id, job);
  }
  job.text.textContent = text;
  return job;
}

who.addEventListener("submit", (event) => {
  event.preventDefault();
  socket?.disconnect();
  jobs.clear();
  list.replaceChildren();
  socket = io({ auth: { user: new FormData(who).get("user") } });
  const button = form.querySelector("button");
  socket.on("connect", () => { state.textContent = "Connected."; button.disabled = false; });
  socket.on("disconnect", (reason) => { state.textContent = `Not connected: ${reason}.`; button.disabled = true; });
  socket.on("connect_error", (error) => { state.textContent = `Not connected: ${error.message}.`; });
  socket.on("job", ({ id, n }) => line(id, `below ${n.toLocaleString()}: waits for a worker`));
  socket.on("lost", (id) => line(id, "could not be handed to the workers: try again later"));
  socket.on("progress", ({ id, percent, primes }) => {
    line(id, percent < 100 ? `${primes.toLocaleString()} primes so far` : `${primes.toLocaleString()} primes: done`).bar.value = percent;
  });
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("count primes", Number(new FormData(form).get("n")), (answer) => {
    if (answer.error) state.textContent = answer.error;
  });
});
