// Who receives what: Flask-SocketIO's arguments to, broadcast, include_self,
// skip_sid and namespace, rooms, and emitting from outside of handlers.
import { group } from "./flask-lib.mjs";

// three connects A, B and C. A and B are in the room r1, B and C in r2.
async function three(s) {
  const [a, b, c] = await Promise.all(["A", "B", "C"].map((name) => s.connect(name)));
  for (const [socket, room] of [[a, "r1"], [b, "r1"], [b, "r2"], [c, "r2"]]) await s.ask(socket, "join", room);
  s.forget();
  return { a, b, c };
}

// emits gives a scenario in which A has the server emit with the options, in a handler.
const emits = (options, event = "emit") => (s, clients) =>
  s.do(clients.a, event, { event: "said", args: ["x"], ...(typeof options === "function" ? options(clients) : options) });

const serverEmits = (options) => emits(options, "server emit");

const sends = (options) => (s, clients) =>
  s.do(clients.a, "send", { data: "x", ...(typeof options === "function" ? options(clients) : options) });

group("recipients", three, {
  "emit": emits({}),
  "broadcast": emits({ broadcast: true }),
  "broadcast without self": emits({ broadcast: true, include_self: false }),
  "broadcast without self and B": emits(({ b }) => ({ broadcast: true, include_self: false, skip_sid: b.id })),
  "broadcast, skip B": emits(({ b }) => ({ broadcast: true, skip_sid: b.id })),
  "broadcast, skip list": emits(({ a, b }) => ({ broadcast: true, skip_sid: [a.id, b.id] })),
  "broadcast, skip unknown": emits({ broadcast: true, skip_sid: "nobody" }),
  "broadcast, skip nobody": emits({ broadcast: true, skip_sid: [] }),
  "to B": emits(({ b }) => ({ to: b.id })),
  "to B, broadcast": emits(({ b }) => ({ to: b.id, broadcast: true })),
  "to B, skip B": emits(({ b }) => ({ to: b.id, skip_sid: b.id })),
  "to self, without self": emits(({ a }) => ({ to: a.id, include_self: false })),
  "to list of sids with duplicates": emits(({ a, b }) => ({ to: [a.id, b.id, a.id] })),
  "to room": emits({ to: "r1" }),
  "to room, not in it": emits(({ c }) => ({ to: "r2", skip_sid: [] })),
  "to room without self": emits({ to: "r1", include_self: false }),
  "to room, not in it, without self": emits({ to: "r2", include_self: false }),
  "to room, skip B": emits(({ b }) => ({ to: "r1", skip_sid: b.id })),
  "to overlapping rooms": emits({ to: ["r1", "r2"] }),
  "to overlapping rooms without self": emits({ to: ["r1", "r2"], include_self: false }),
  "to overlapping rooms, skip B": emits(({ b }) => ({ to: ["r1", "r2"], skip_sid: b.id })),
  "to overlapping rooms, skip list": emits(({ b, c }) => ({ to: ["r1", "r2"], skip_sid: [b.id, c.id] })),
  "to room and sid": emits(({ a }) => ({ to: ["r2", a.id] })),
  "to room and unknown room": emits({ to: ["nowhere", "r1"] }),
  "to unknown room": emits({ to: "nowhere" }),
  "to unknown rooms": emits({ to: ["nowhere", "never"] }),
  "to unknown room, broadcast": emits({ to: "nowhere", broadcast: true }),
  "without self": emits({ include_self: false }),
  "skip self": emits(({ a }) => ({ skip_sid: a.id })),
  "to empty list": emits({ to: [] }),
  "to empty name": emits({ to: "" }),
  "to empty list, broadcast": emits({ to: [], broadcast: true }),
  "server emit": serverEmits({}),
  "server emit, skip A": serverEmits(({ a }) => ({ skip_sid: a.id })),
  "server emit, skip list": serverEmits(({ a, c }) => ({ skip_sid: [a.id, c.id] })),
  "server emit to room": serverEmits({ to: "r2" }),
  "server emit to overlapping rooms, skip B": serverEmits(({ b }) => ({ to: ["r1", "r2"], skip_sid: b.id })),
  "server emit to sid": serverEmits(({ c }) => ({ to: c.id })),
  "server emit to unknown room": serverEmits({ to: "nowhere" }),
  "server emit to empty list": serverEmits({ to: [] }),
  "server emit to empty name": serverEmits({ to: "" }),
  "server emit in unknown namespace": serverEmits({ namespace: "/nowhere" }),
  "send": sends({}),
  "send broadcast": sends({ broadcast: true }),
  "send broadcast without self": sends({ broadcast: true, include_self: false }),
  "send broadcast, skip B": sends(({ b }) => ({ broadcast: true, skip_sid: b.id })),
  "send broadcast without self and B": sends(({ b }) => ({ broadcast: true, include_self: false, skip_sid: b.id })),
  "send to room without self": sends({ to: "r1", include_self: false }),
  "send json to overlapping rooms": sends({ json: true, to: ["r1", "r2"], data: { a: [1] } }),

  "from an HTTP route": async (s, { a }) => {
    await s.post("/emit", { event: "news", args: [1, "two"] });
    await s.post("/emit", { event: "news", args: [2], to: "r2" });
    await s.post("/emit", { event: "news", args: [3], to: ["r1", "r2"], skip_sid: [a.id] });
    await s.post("/emit", { event: "news", args: [4], to: a.id });
    await s.post("/emit", { event: "news", args: [5], namespace: "/chat" });
    await s.post("/send", { data: "text" });
    await s.post("/send", { data: { a: 1 }, json: true, to: "r1" });
    await s.settle();
  },
  "from a background task": async (s, { a, b, c }) => {
    a.emit("task", { event: "done", args: [1] });
    await Promise.all([a, b, c].map((socket) => s.saw(socket, "done")));
  },
});

// two connects A and B, both in "/" and "/other", each over one connection.
async function two(s) {
  const connect = async (name) => {
    const main = await s.connect(name);
    return { main, other: await s.connect(`${name}/other`, { namespace: "/other", beside: main }) };
  };
  const [a, b] = await Promise.all([connect("A"), connect("B")]);
  s.forget();
  return { a, b };
}

group("namespaces", two, {
  "emit in another namespace": (s, { a }) => s.do(a.main, "emit", { event: "said", args: [1], namespace: "/other" }),
  "broadcast in another namespace": (s, { a }) =>
    s.do(a.main, "emit", { event: "said", args: [1], namespace: "/other", broadcast: true }),
  "to a sid in another namespace": (s, { a, b }) =>
    s.do(a.main, "emit", { event: "said", args: [1], namespace: "/other", to: b.other.id }),
  "to a sid of another namespace": (s, { a, b }) => s.do(a.main, "emit", { event: "said", args: [1], to: b.other.id }),
  "broadcast stays in its namespace": (s, { a }) => s.do(a.other, "emit", { event: "said", args: [1], broadcast: true }),
  "server emit in another namespace": (s, { a }) => s.do(a.main, "server emit", { event: "said", args: [1], namespace: "/other" }),
  "each has its own sid": async (s, { a }) => {
    await s.ask(a.main, "where");
    await s.ask(a.other, "where");
  },
  "the same room name in two": async (s, { a, b }) => {
    await s.ask(a.main, "join", "r");
    await s.ask(b.other, "join", "r");
    await s.do(a.main, "emit", { event: "said", args: ["main"], to: "r" });
    await s.do(a.other, "emit", { event: "said", args: ["other"], to: "r" });
    await s.rooms(a.main);
    await s.rooms(a.other);
    await s.ask(a.main, "close", "r");
    await s.do(b.other, "emit", { event: "said", args: ["after"], to: "r" });
  },
  "leaving one keeps the other": async (s, { a, b }) => {
    a.other.disconnect();
    await s.journal(1);
    await s.do(b.main, "emit", { event: "said", args: [1], broadcast: true });
    await s.do(b.other, "emit", { event: "said", args: [2], broadcast: true });
  },
  "emit in a namespace it has left": async (s, { a }) => {
    a.other.disconnect();
    await s.journal(1);
    await s.do(a.main, "emit", { event: "said", args: [1], namespace: "/other" });
    await s.do(a.main, "emit", { event: "said", args: [2], namespace: "/other", broadcast: true });
  },
});

const hello = (to) => ({ event: "said", args: ["hello"], to });

// members records who is in a room, of those that the scenario knows.
async function members(s, { a, b, c }, room) {
  const { answer } = await s.post("/members", { room });
  s.note("members", `of ${room}`, [["A", a], ["B", b], ["C", c]].filter(([, { id }]) => answer.includes(id)).map(([name]) => name));
}

group("rooms", three, {
  "join, leave, list": async (s, { a }) => {
    await s.rooms(a);
    await s.ask(a, "join", "r3");
    await s.ask(a, "join", "r3");
    await s.rooms(a);
    await s.ask(a, "leave", "r3");
    await s.ask(a, "leave", "r3");
    await s.ask(a, "leave", "never joined");
    await s.rooms(a);
    await s.do(a, "emit", hello("r3"));
  },
  "a member leaves": async (s, { b, c }) => {
    await s.ask(b, "leave", "r2");
    await s.do(c, "emit", hello("r2"));
    await s.do(b, "emit", hello("r2"));
  },
  "joining twice receives once": async (s, { a }) => {
    await s.ask(a, "join", "r1");
    await s.do(a, "emit", hello("r1"));
  },
  "close": async (s, { a, b }) => {
    await s.ask(a, "close", "r2");
    await s.do(a, "emit", hello("r2"));
    await s.rooms(b);
    await s.ask(b, "join", "r2");
    await s.do(a, "emit", hello("r2"));
    await s.ask(a, "close", "never joined");
  },
  "close from an HTTP route": async (s, { a }) => {
    await s.post("/close", { room: "r1" });
    await s.do(a, "emit", hello(["r1", "r2"]));
    await s.rooms(a);
  },
  "the rooms of another": async (s, { a, b }) => {
    await s.rooms(a, b.id);
    await s.rooms(a, "nobody");
  },
  "join and leave for another": async (s, { a, c }) => {
    await s.ask(a, "join", "r1", c.id);
    await s.do(a, "emit", hello("r1"));
    await s.ask(a, "leave", "r1", c.id);
    await s.do(a, "emit", hello("r1"));
    await s.post("/join", { room: "r4", sid: c.id });
    await s.do(a, "emit", hello("r4"));
  },
  "members": async (s, clients) => {
    for (const room of ["r1", "r2", undefined, "nowhere"]) await members(s, clients, room);
  },
  "members of a sid": (s, clients) => members(s, clients, clients.a.id),
  "joining the room of another's sid": async (s, { a, b }) => {
    s.later(a, "join", b.id);
    await s.settle();
    await s.do(a, "emit", { event: "private", to: b.id });
  },
  "leaving one's own room": async (s, { a }) => {
    await s.ask(a, "leave", a.id);
    await s.rooms(a);
    await s.do(a, "emit", { event: "to self" });
  },
  "a disconnected member": async (s, { a, b }) => {
    b.disconnect();
    await s.journal(1);
    await s.do(a, "emit", hello(["r1", "r2"]));
  },
  "room names": async (s, { a }) => {
    for (const room of ["é 😀", "a/b,c", "0", " "]) await s.ask(a, "join", room);
    await s.rooms(a);
    await s.do(a, "emit", hello("é 😀"));
    await s.do(a, "emit", hello(["a/b,c", "0", " "]));
  },
});
