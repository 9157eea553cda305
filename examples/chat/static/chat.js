// The conversations, and what goes to the server and comes from it.
import { $, notice, showAllRooms, showConversation, showList, showMe, showMessages, showPeople, showState, showTyping, toEnd } from "./view.js";

if (typeof io === "undefined") {
  const text = "The Socket.IO client could not be loaded: run npm ci in examples/app, and start the server again.";
  notice(text, true);
  throw new Error(text);
}
const socket = io();

let me = { user: "", nick: "" };
const conversations = new Map(); // by "#room" or "@user"
let current; // the one that is shown
let synced = false; // what was missed is there
let early = []; // messages that came before that

// ask sends an event and resolves with the acknowledgement.
async function ask(event, ...args) {
  const answer = await socket.timeout(10_000).emitWithAck(event, ...args);
  if (answer?.error) throw Object.assign(new Error(answer.error.message), { refused: true });
  return answer;
}

// attempt tells what went wrong, for what somebody has asked for.
async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    notice(error.refused ? error.message : "There is no connection at the moment: try again.");
  }
}

function conversation(name, nick) {
  let conv = conversations.get(name);
  if (!conv) {
    conv = {
      in: name,
      direct: name.startsWith("@"),
      title: nick ?? name.slice(1),
      messages: [], // in order and without gaps
      earlier: false, // there are more before these
      loaded: false,
      last: 0, // number of the last message that we know of
      unread: 0,
      outbox: [], // what we have said, until it is acknowledged
      people: new Map(), // who is online: nicknames by user
      typing: new Map(),
    };
    conversations.set(name, conv);
  }
  if (nick) conv.title = nick;
  return conv;
}

const list = () => showList(conversations.values(), current, choose);
const messages = (conv) => conv === current && showMessages(conv, me, (pending) => send(conv, pending));

/* ---- the connection --------------------------------------------------- */

socket.on("connect", async () => {
  const since = {};
  for (const conv of conversations.values()) since[conv.in] = conv.last;
  try {
    take(await ask("sync", { since }));
  } catch (error) {
    if (socket.connected) socket.disconnect().connect(); // with the connection gone it happens by itself
  }
});

socket.on("disconnect", (reason) => {
  synced = false;
  early = [];
  showState("reconnecting");
  if (reason === "io server disconnect") location.assign("/login"); // logged out, here or in another tab
});

socket.on("connect_error", (error) => {
  showState("reconnecting");
  if (socket.active) return; // it tries again by itself
  if (error.message === "log in") location.assign("/login");
  else setTimeout(() => socket.connect(), 5000);
});

// take takes what we have missed.
function take(state) {
  const away = me.user !== "";
  me = state.me;
  showMe(me);
  const there = new Set(state.conversations.map((conv) => conv.in));
  for (const conv of conversations.values()) if (!conv.direct && !there.has(conv.in)) forget(conv);
  for (const { in: name, nick, last, missed, more } of state.conversations) {
    const unknown = !conversations.has(name);
    const conv = conversation(name, nick);
    if (unknown && away) conv.unread = last; // somebody has begun to write to us meanwhile
    if (more) Object.assign(conv, { messages: [], loaded: false }); // too much: from the end again
    else for (const message of missed) insert(conv, message);
    conv.unread += missed.filter((message) => unseen(conv, message)).length;
    conv.last = last;
  }
  synced = true;
  for (const message of early.splice(0)) receive(message);
  for (const conv of conversations.values()) for (const pending of conv.outbox) if (!pending.failed) send(conv, pending);
  showState("connected");
  list();
  const wanted = conversations.get(decodeURIComponent(location.hash.slice(1)));
  if (!current && wanted) choose(wanted);
  else if (current) load(current);
}

/* ---- messages --------------------------------------------------------- */

const unseen = (conv, message) => message.from !== me.user && (conv !== current || document.hidden);

// insert puts a message where its number belongs. It may be there already.
function insert(conv, message) {
  let i = conv.messages.length;
  while (i > 0 && conv.messages[i - 1].id > message.id) i--;
  if (conv.messages[i - 1]?.id !== message.id) conv.messages.splice(i, 0, message);
  if (message.from === me.user) conv.outbox = conv.outbox.filter((pending) => pending.once !== message.once);
}

socket.on("message", (message) => (synced ? receive(message) : early.push(message)));

function receive(message) {
  const known = conversations.has(message.in);
  const conv = conversation(message.in, message.in === "@" + message.from ? message.nick : undefined);
  if (message.id <= conv.last) return; // sync has brought it
  insert(conv, message);
  conv.last = message.id;
  conv.typing.delete(message.from);
  if (unseen(conv, message)) conv.unread++;
  if (!known && message.from === me.user) ask("person", message.in.slice(1)).then(renamed, () => {}); // from another tab of ours
  list();
  messages(conv);
  if (conv === current) showTyping(conv);
}

// load loads the end of a conversation, unless it is there.
async function load(conv) {
  if (!conv.loaded) await history(conv, 0);
  else messages(conv);
}

async function history(conv, before) {
  const page = await attempt(() => ask("history", { in: conv.in, before }));
  if (!page) return;
  for (const message of page.messages) insert(conv, message);
  conv.earlier = page.more;
  conv.loaded = true;
  conv.last = Math.max(conv.last, conv.messages.at(-1)?.id ?? 0);
  messages(conv);
}

// send sends what we have said, again if need be: until it is acknowledged,
// whatever happens to the connection.
async function send(conv, pending) {
  pending.failed = undefined;
  const again = Boolean(pending.sent);
  pending.sent = true;
  messages(conv);
  try {
    await ask("say", { in: conv.in, text: pending.text, once: pending.once, again });
    conv.outbox = conv.outbox.filter((other) => other !== pending);
  } catch (error) {
    if (error.refused) pending.failed = error.message;
    else if (socket.connected && synced) pending.failed = "No answer."; // else it is sent when we are back
  }
  messages(conv);
}

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/* ---- people and rooms ------------------------------------------------- */

const people = (conv) => conv === current && showPeople(conv, me, writeTo);

socket.on("people", ({ room, people: all }) => {
  const conv = conversation("#" + room);
  conv.people = new Map(all.map(({ user, nick }) => [user, nick]));
  people(conv);
});

for (const [event, change] of [
  ["came", (conv, { user, nick }) => conv.people.set(user, nick)],
  ["went", (conv, { user }) => conv.people.delete(user)],
]) {
  socket.on(event, ({ room, people: some }) => {
    const conv = conversations.get("#" + room);
    if (!conv) return;
    for (const person of some) change(conv, person);
    people(conv);
  });
}

socket.on("renamed", renamed);

function renamed({ user, nick }) {
  if (user === me.user) showMe((me = { user, nick }));
  for (const conv of conversations.values()) {
    if (conv.in === "@" + user) {
      conv.title = nick;
      if (conv === current) $("title").textContent = nick;
    }
    if (conv.people.has(user)) conv.people.set(user, nick);
    people(conv);
  }
  list();
}

socket.on("joined", ({ in: name, last }) => {
  const conv = conversation(name);
  conv.last = Math.max(conv.last, last);
  list();
});

socket.on("left", (name) => {
  const conv = conversations.get(name);
  if (conv) forget(conv);
  list();
});

function forget(conv) {
  conversations.delete(conv.in);
  if (conv === current) choose(undefined);
}

socket.on("typing", ({ in: name, user, nick }) => {
  const conv = conversations.get(name);
  if (!conv) return;
  clearTimeout(conv.typing.get(user)?.timer);
  const end = () => conv.typing.delete(user) && conv === current && showTyping(conv);
  conv.typing.set(user, { nick, timer: setTimeout(end, 4000) });
  if (conv === current) showTyping(conv);
});

/* ---- what one can do -------------------------------------------------- */

function choose(conv) {
  current = conv;
  if (conv) {
    conv.unread = 0;
    location.replace("#" + encodeURIComponent(conv.in));
  }
  showConversation(conv);
  list();
  if (!conv) return;
  people(conv);
  showTyping(conv);
  load(conv);
  $("text").focus();
}

function writeTo(person) {
  choose(conversation("@" + person.user, person.nick));
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !current) return;
  current.unread = 0;
  list();
});

const onSubmit = (form, run) =>
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    run(event.target.elements.value?.value);
  });

let typingSent = 0; // when we last sent "typing"

onSubmit("say", () => {
  const text = $("text").value.trim();
  if (!text || !current) return;
  $("text").value = "";
  typingSent = 0;
  grow();
  const pending = { text, once: random() };
  current.outbox.push(pending);
  toEnd();
  if (synced) send(current, pending);
  else messages(current);
});

$("text").addEventListener("input", () => {
  grow();
  if (!current || !synced || Date.now() - typingSent < 2000) return;
  typingSent = Date.now();
  socket.volatile.emit("typing", current.in);
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("say").requestSubmit();
});

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = Math.min($("text").scrollHeight + 2, 160) + "px";
}

$("back").addEventListener("click", () => choose(undefined));
$("earlier").addEventListener("click", () => history(current, current.messages[0]?.id ?? 0));
$("leave").addEventListener("click", () => attempt(() => ask("leave", current.in.slice(1))));

const join = (event, room) =>
  attempt(async () => {
    await ask(event, room);
    $("rooms-dialog").close();
    choose(conversation("#" + room.trim().toLowerCase()));
  });

$("browse").addEventListener("click", () =>
  attempt(async () => {
    $("create").reset();
    showAllRooms(await ask("rooms"), (room) => conversations.has("#" + room), (room) => join("join", room));
    $("rooms-dialog").showModal();
  }),
);
onSubmit("create", (room) => join("create", room));

$("write-to").addEventListener("click", () => {
  $("person").reset();
  $("person-dialog").showModal();
});
onSubmit("person", (user) =>
  attempt(async () => {
    const person = await ask("person", user);
    $("person-dialog").close();
    writeTo(person);
  }),
);

$("me").addEventListener("click", () => {
  $("nick").elements.value.value = me.nick;
  $("nick-dialog").showModal();
});
onSubmit("nick", (nick) =>
  attempt(async () => {
    await ask("nick", nick);
    $("nick-dialog").close();
  }),
);
