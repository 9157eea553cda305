// Connecting: auth, refusals, what the connect handler emits, unknown
// namespaces, sessions, and always_connect.
import { group } from "./flask-lib.mjs";

const main = async (s) => {
  const socket = await s.connect("main");
  s.forget();
  return socket;
};

// admits returns a scenario in which a client with the auth payload connects to a
// namespace whose connect handler does what the payload says.
const admits = (auth, namespace = "/auth") => async (s, main) => {
  const a = s.open("A", { namespace, auth, beside: main });
  await s.outcome(a, main);
  await s.journal(1);
};

const said = { event: "said", args: [1] };

group("connect", main, {
  "auth": admits({ token: "x", nested: { é: [1, null] } }),
  "auth is a text": admits((send) => send("token")),
  "auth is a list": admits((send) => send([1, "two"])),
  "auth is an empty object": admits({}),
  "no auth": admits(undefined),
  "refused": admits({ how: "false" }),
  "refused without message": admits({ how: "refuse", with: [] }),
  "refused with message": admits({ how: "refuse", with: ["not é"] }),
  "refused with data": admits({ how: "refuse", with: ["no", { code: 7, why: [null] }] }),
  "refused with several data": admits({ how: "refuse", with: ["no", 1, "z"] }),
  "the handler raises": admits({ how: "raise" }),
  "the handler raises, an error handler refuses": async (s) => {
    const main = await s.connect("other main", { query: { verdict: "refuse" } });
    await admits({ how: "raise" }, "/handled")(s, main);
  },
  "the handler raises, an error handler returns something": admits({ how: "raise" }, "/handled"),
  "refused with an error handler": admits({ how: "false" }, "/handled"),
  "the handler disconnects": admits({ how: "disconnect" }),
  "the handler emits": admits({ emit: said }),
  "the handler emits and refuses": admits({ emit: said, how: "false" }),
  "the handler broadcasts": async (s, main) => {
    const b = await s.connect("B", { namespace: "/auth" });
    s.forget();
    const a = s.open("A", { namespace: "/auth", auth: { emit: { ...said, broadcast: true } }, beside: main });
    await s.saw(b, "said");
    await s.saw(a, "connect");
    await s.settle();
  },
  "the handler joins a room": async (s, main) => {
    const b = await s.connect("B", { namespace: "/auth", auth: { join: s.name } });
    s.forget();
    const a = s.open("A", { namespace: "/auth", auth: { join: s.name, emit: { ...said, to: s.name } }, beside: main });
    await s.saw(b, "said");
    await s.saw(a, "connect");
    await s.settle();
    await s.post("/emit", { event: "later", to: s.name, namespace: "/auth" });
    await s.settle();
  },
  "refused in a room": async (s, main) => {
    const a = s.open("A", { namespace: "/auth", auth: { join: s.name, how: "false" }, beside: main });
    await s.outcome(a, main);
    s.note("members", "after the refusal", (await s.post("/members", { room: s.name, namespace: "/auth" })).answer);
  },
  "again after a refusal": async (s, main) => {
    const a = s.open("A", { namespace: "/auth", auth: { how: "false" }, beside: main });
    await s.saw(a, "connect_error");
    a.auth = {};
    a.connect();
    await s.saw(a, "connect");
    await s.settle();
  },
  "unknown namespace": async (s, main) => {
    const a = s.open("A", { namespace: "/nowhere", beside: main });
    await s.saw(a, "connect_error");
    await s.ask(main, "same", "still there");
  },
  "unknown namespace, alone": async (s) => {
    const a = s.open("A", { namespace: "/nowhere" });
    await s.saw(a, "connect_error");
  },
  "a broadcast before the handler has decided": async (s, main) => {
    const b = await s.connect("B", { namespace: "/auth" });
    s.forget();
    const a = s.open("A", { namespace: "/auth", auth: { wait: true } });
    await s.journal(2, { from: 2 }); // the handlers of B and A
    await s.post("/emit", { event: "secret", namespace: "/auth" });
    await s.saw(b, "secret");
    await s.post("/open");
    await s.saw(a, "connect");
    await s.settle();
  },
  "a member before the handler has decided": async (s, main) => {
    const a = s.open("A", { namespace: "/auth", auth: { wait: true, join: s.name }, beside: main });
    await s.journal(1);
    const { answer } = await s.post("/members", { room: s.name, namespace: "/auth" });
    s.note("members", "meanwhile", answer.length);
    await s.post("/open");
    await s.saw(a, "connect");
    await s.settle();
    const after = await s.post("/members", { room: s.name, namespace: "/auth" });
    s.note("members", "afterwards", after.answer.length);
  },
  "query and headers": async (s) => {
    const a = await s.connect("A", { query: { q: "é 1" }, headers: { "X-Test": "yes" } });
    await s.ask(a, "where");
    const chat = await s.connect("A/chat", { namespace: "/chat", beside: a });
    await s.ask(chat, "where");
  },
});

group("session", main, {
  "from HTTP": async (s, main) => {
    const { cookie } = await s.post("/login", { name: "ada" });
    const a = await s.connect("A", { headers: { Cookie: cookie } });
    await s.ask(a, "get", "name");
    await s.ask(main, "get", "name");
  },
  "changes stay, and stay in the connection": async (s, main) => {
    const { cookie } = await s.post("/login", { name: "ada" });
    const [a, b] = await Promise.all(["A", "B"].map((name) => s.connect(name, { headers: { Cookie: cookie } })));
    await s.ask(a, "set", "name", "bob");
    await s.ask(a, "set", "list", [1, { two: null }]);
    await s.ask(a, "get", "name");
    await s.ask(a, "get", "list");
    await s.ask(b, "get", "name");
    await s.ask(b, "get", "list");
    s.note("HTTP", "whoami", (await s.post("/whoami", {}, { cookie })).answer);
  },
  "shared by the namespaces of a connection": async (s) => {
    const a = await s.connect("A");
    const chat = await s.connect("A/chat", { namespace: "/chat", beside: a });
    await s.ask(a, "set", "key", "from main");
    await s.ask(chat, "get", "key");
    await s.ask(chat, "set", "key", "from chat");
    await s.ask(a, "get", "key");
  },
  "outlives a namespace": async (s) => {
    const a = await s.connect("A");
    const chat = await s.connect("A/chat", { namespace: "/chat", beside: a });
    await s.ask(chat, "set", "key", 1);
    chat.disconnect();
    await s.journal(1);
    chat.connect();
    await s.saw(chat, "connect", 2);
    await s.ask(chat, "get", "key");
  },
});

const second = async (s) => {
  const socket = await s.connect("main", { server: "second" });
  s.forget();
  return socket;
};

// decides returns a scenario in which a client with the auth payload gets the CONNECT packet
// before the connect handler decides.
const decides = (auth, entries = 1) => async (s) => {
  const a = s.open("A", { namespace: "/auth", auth, server: "second" });
  await s.saw(a, "connect");
  await s.settle();
  await s.journal(entries, { server: "second" });
  // A parse error may overtake earlier packets, depending on how it arrives.
  s.logs.A.sort();
};

group("always_connect", async () => {}, {
  "accepted": decides({ token: "x" }),
  "the handler emits": decides({ emit: said }),
  "refused": decides({ how: "false" }),
  "refused with data": decides({ how: "refuse", with: ["no", 1] }),
  "the handler disconnects": decides({ how: "disconnect" }, 2),
  "a broadcast before the handler has decided": async (s) => {
    const a = s.open("A", { namespace: "/auth", auth: { wait: true }, server: "second" });
    await s.journal(1, { server: "second" });
    await s.post("/emit", { event: "news", namespace: "/auth" }, { server: "second" });
    await s.post("/open", {}, { server: "second" });
    await s.saw(a, "news");
    await s.settle();
  },
});
