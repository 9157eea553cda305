// Events and acknowledgements in both directions, payloads, catch-alls, classes
// and error handlers.
import { group } from "./flask-lib.mjs";

const one = async (s) => {
  const a = await s.connect("A");
  s.forget();
  return a;
};

const pair = async (s) => {
  const [a, b] = await Promise.all([s.connect("A"), s.connect("B")]);
  s.forget();
  return { a, b };
};

const kinds = ["nothing", "one", "several", "empty tuple", "list", "dict", "zero", "false", "empty", "bytes",
  "nested bytes", "unicode", "nulls"];

group("ack", one, {
  ...Object.fromEntries(kinds.map((kind) => [kind, (s, a) => s.ask(a, "return", kind)])),
  "after the emits of its handler": async (s, a) => {
    await s.ask(a, "echo", 1);
    await s.ask(a, "burst", 3);
  },
  "of many at once": async (s, a) => {
    await Promise.all(Array.from({ length: 10 }, (_, i) => s.ask(a, "same", i)));
    s.logs.A.sort(); // either handler may end first
  },
  "of more at once than 16": async (s, a) => {
    let answers = 0;
    for (let i = 0; i < 40; i++) a.emit("same", i, () => answers++);
    await s.sent(a);
    await s.settle();
    s.note("A", "all are answered", answers === 40);
  },
  "nobody wants it": (s, a) => s.do(a, "return", "one"),
  "unknown event": async (s, a) => {
    s.later(a, "no such event", 1);
    await s.settle();
  },
  "unknown event, no ack wanted": (s, a) => s.do(a, "no such event", 1),
  "the handler raises": async (s, a) => {
    s.later(a, "raise", "a detail");
    await s.settle();
    await s.ask(a, "same", "still there");
  },
  "the handler panics": async (s, a) => {
    s.later(a, "panic");
    await s.settle();
    await s.ask(a, "same", "still there");
  },
});

const bytes = (...numbers) => Buffer.from(numbers);
const payloads = {
  "nothing": [],
  "numbers": [0, -1, 1.5, 1e21, 2 ** 53 - 1, -0.000001],
  "text": ["", "é ␞ \u0000 😀 \u2028 \"\\ \ud7ff", "x".repeat(1000)],
  "null and booleans": [null, true, false],
  "structures": [{ "": { a: [{}, []] }, "é": null }, [[[]]], { 1: 2 }],
  "binary": [bytes(0, 1, 255)],
  "binary at depth": [{ a: [bytes(1), { b: { c: [bytes(2, 3)] } }] }, "between", bytes(), [[bytes(4)]]],
  "much binary": [Array.from({ length: 10 }, (_, i) => Buffer.alloc(1000, i))],
  "placeholder lookalike": [{ _placeholder: true, num: "0" }],
};

group("payload", one, Object.fromEntries(Object.entries(payloads).flatMap(([title, args]) => [
  [`${title}: event`, async (s, a) => {
    a.emit("echo", ...args);
    await s.saw(a, "echo");
  }],
  [`${title}: ack`, (s, a) => s.ask(a, "same", ...args)],
])));

group("messages", pair, {
  "large in both directions": async (s, { a }) => {
    await s.ask(a, "large", "é".repeat(150_000), 300_000);
    await s.saw(a, "large");
  },
  "send": (s, { a }) => s.do(a, "send", { data: "text" }),
  "send json": (s, { a }) => s.do(a, "send", { json: true, data: { a: [1, "two"] } }),
  "message": async (s, { a, b }) => {
    a.send("text");
    await s.saw(b, "message");
    await s.settle();
  },
  "json": (s, { a }) => s.do(a, "json", { a: 1 }),
  "several arguments": (s, { a }) => s.do(a, "emit", { event: "said", args: [1, "two", null, [3], { four: bytes(4) }], broadcast: true }),
  "no argument": (s, { a }) => s.do(a, "emit", { event: "said", broadcast: true }),
  "null": (s, { a }) => s.do(a, "emit", { event: "said", args: [null], broadcast: true }),
  "binary to many": (s, { a }) => s.do(a, "emit", { event: "said", args: [{ a: [bytes(1), bytes(2)] }], broadcast: true }),
  "event names": async (s, { a }) => {
    for (const event of ["é 😀", "a,b[]{}", "on", "0", "2"]) await s.do(a, "emit", { event, args: [1] });
  },
  "in order": async (s, { a }) => {
    await s.ask(a, "burst", 100);
  },
  "in order, from the first moment": async (s) => {
    const early = s.open("early");
    await s.until("early to connect", () => early.connected);
    await s.ask(early, "burst", 30); // over whatever transport it has then
    await s.settled(early);
    await s.ask(early, "burst", 2);
  },
  "one event after another": async (s) => {
    const main = await s.connect("main");
    const beside = await s.connect("beside", { namespace: "/chat", beside: main });
    s.later(main, "slow");
    await s.journal(1);
    s.later(main, "fast");
    await s.ask(beside, "same"); // the server has read "fast" before
    await s.post("/open");
    await s.until("both answers", () => s.logs.main.filter((entry) => entry.startsWith("ack")).length === 2);
    s.logs.main = s.logs.main.filter((entry) => entry.startsWith("ack slow")); // answers are sent in any order
  },
});

// answering makes clients answer questions.
const answering = (...sockets) => {
  for (const socket of sockets) {
    socket.on("question", (...args) => {
      const reply = args.pop();
      if (typeof reply === "function") reply(...args);
    });
    socket.on("which", (reply) => reply(socket.label));
  }
};

const asking = async (s) => {
  const { a, b } = await pair(s);
  answering(a, b);
  return { a, b };
};

const answers = (s, a, spec, times = 1) => {
  a.emit("ask", { event: "question", ...spec });
  return s.saw(a, "answered", times);
};

group("callback", asking, {
  "without arguments": (s, { a }) => answers(s, a, {}),
  "with one": (s, { a }) => answers(s, a, { args: ["x"] }),
  "with several": (s, { a }) => answers(s, a, { args: [1, null, { a: [2] }] }),
  "with binary": (s, { a }) => answers(s, a, { args: [{ a: bytes(1, 2) }, bytes(3)] }),
  "of another client": (s, { a, b }) => answers(s, a, { event: "which", to: b.id }),
  "of everyone in a room": async (s, { a, b }) => {
    await s.ask(a, "join", s.name);
    await s.ask(b, "join", s.name);
    await answers(s, a, { args: ["x"], to: s.name }, 2);
  },
  "of an unknown room": (s, { a }) => s.do(a, "ask", { event: "question", to: "nowhere" }),
  "in another namespace": async (s, { a }) => {
    const chat = await s.connect("A/chat", { namespace: "/chat", beside: a });
    answering(chat);
    await answers(s, chat, { args: ["x"] });
  },
  "many at once": async (s, { a }) => {
    for (let i = 0; i < 10; i++) a.emit("ask", { event: "question", args: [i] });
    await s.saw(a, "answered", 10);
    s.logs.A.sort(); // either handler may run first
  },
  "nobody answers": async (s, { a }) => {
    await s.do(a, "ask", { event: "said", args: [1] });
  },
});

group("call", asking, {
  "without arguments": (s, { a }) => s.ask(a, "call", { event: "question" }),
  "one value": (s, { a }) => s.ask(a, "call", { event: "question", args: ["x"] }),
  "several values": (s, { a }) => s.ask(a, "call", { event: "question", args: [1, { two: 2 }] }),
  "a list": (s, { a }) => s.ask(a, "call", { event: "question", args: [[1, 2]] }),
  "binary": (s, { a }) => s.ask(a, "call", { event: "question", args: [bytes(1)] }),
  "another client": (s, { a, b }) => s.ask(a, "call", { event: "which", to: b.id }),
  "time out": (s, { a }) => s.ask(a, "call", { event: "said", timeout: 0.1 }),
  "nobody there": (s, { a }) => s.ask(a, "call", { event: "question", to: "nobody", timeout: 0.1 }),
});

const joining = (namespace, options) => async (s) => {
  const main = await s.connect("main");
  const a = await s.connect("A", { namespace, beside: main, ...options });
  s.forget();
  return a;
};

group("catch-all", joining("/catch", { sync: false }), {
  "known event": (s, a) => s.ask(a, "known", 1, "two"),
  "other events": async (s, a) => {
    await s.ask(a, "other", 1, { two: bytes(2) });
    await s.ask(a, "other");
    await s.ask(a, "another é");
    await s.ask(a, "message", "text");
  },
  "star in a namespace with a catch-all": (s, a) => s.ask(a, "star", 1),
});

group("namespace *", joining("/any", { sync: false }), {
  "its event": (s, a) => s.ask(a, "star", 1),
  "an unknown event": async (s, a) => {
    s.later(a, "no such event", 1);
    await s.ask(a, "star", 2);
    await s.post("/idle");
    await s.ask(a, "star", 3);
  },
});

group("class", joining("/class", { auth: { token: "x" } }), {
  "connect": (s) => s.journal(1),
  "event": (s, a) => s.ask(a, "my_event", 1, "two"),
  "event with binary": (s, a) => s.ask(a, "my_event", bytes(1)),
  "message": (s, a) => s.do(a, "message", "text"),
  "emit is for everyone": async (s, a) => {
    await s.connect("B", { namespace: "/class" });
    await s.do(a, "tell_all", "x");
  },
  "send to a room": async (s, a) => {
    const b = await s.connect("B", { namespace: "/class" });
    await s.ask(b, "join", s.name);
    await s.do(a, "tell_room", s.name, "x");
  },
  "unknown event": (s, a) => s.do(a, "no_such_event", 1),
  "ack of an unknown event": async (s, a) => {
    s.later(a, "no_such_event", 1);
    await s.settle();
  },
  "a function of the namespace * comes first": (s, a) => s.ask(a, "star", 1),
  "disconnect": async (s, a) => {
    a.disconnect();
    await s.journal(2);
  },
  "disconnect by the server": async (s, a) => {
    a.emit("kick");
    await s.saw(a, "disconnect");
    await s.journal(2);
  },
});

group("class and function", joining("/mixed", { sync: false }), {
  "the function comes first": (s, a) => s.ask(a, "function", 1),
  "the method": async (s, a) => {
    s.later(a, "method", 1);
    await s.ask(a, "function", 2);
    await s.post("/idle");
    await s.ask(a, "function", 3);
  },
});

group("error handler", joining("/handled"), {
  "its result is the ack": async (s, a) => {
    await s.ask(a, "raise", "a detail", { a: 1 });
    await s.journal(2);
  },
  "no ack wanted": async (s, a) => {
    a.emit("raise", "a detail");
    await s.journal(2);
    await s.settle();
  },
  "of a panic": async (s, a) => {
    await s.ask(a, "panic");
    await s.journal(2);
  },
  "raises itself": async (s, a) => {
    s.later(a, "raise twice");
    await s.journal(2);
    await s.settle();
  },
  "not of other namespaces": async (s, a) => {
    const other = await s.connect("other", { namespace: "/other", beside: a });
    s.later(other, "raise", "a detail");
    await s.settle();
  },
  "unknown event": async (s, a) => {
    s.later(a, "no such event");
    await s.settle();
    await s.ask(a, "raise", "the last");
    await s.journal(2);
  },
});

group("default error handler", (s) => s.connect("A", { server: "second" }), {
  "its result is the ack": (s, a) => s.ask(a, "raise", "a detail"),
  "not where there is another": async (s, a) => {
    const handled = await s.connect("handled", { namespace: "/handled", beside: a });
    await s.ask(handled, "raise", "a detail");
  },
});
