// Leaving: who ends it, what the disconnect handler sees, and packets that
// break the protocol.
import { group } from "./flask-lib.mjs";

// watched connects A and B. The server tells B when a client leaves.
const watched = async (s) => {
  const [a, b] = await Promise.all([s.connect("A"), s.connect("B")]);
  await s.ask(b, "join", `watchers of ${s.name}`);
  await s.ask(a, "join", "a room");
  s.forget();
  return { a, b };
};

const leaves = (act) => async (s, { a, b }) => {
  await act(s, a, b);
  await s.saw(a, "disconnect");
  await s.saw(b, "left");
  await s.journal(1);
  await s.settle();
  // Flask-SocketIO runs the disconnect handler inside disconnect(), our server after
  // earlier events: another client may see either order.
  s.logs.B.sort();
};

const reasons = (act) => async (s) => {
  const a = await s.connect("A", { query: { reasons: 1 } });
  s.forget();
  await act(s, a);
  await s.saw(a, "disconnect");
  await s.journal(2, { from: 1 });
};

group("leave", watched, {
  "the client": leaves((s, a) => a.disconnect()),
  "the client closes the connection": leaves((s, a) => a.io.engine.close()),
  "the server, in a handler": leaves((s, a) => void s.later(a, "kick")),
  "the server, in another's handler": leaves((s, a, b) => s.ask(b, "kick", a.id)),
  "the server, from an HTTP route": leaves((s, a) => s.post("/disconnect", { sid: a.id })),
  "an unknown sid": async (s, { a }) => {
    await s.post("/disconnect", { sid: "nobody" });
    await s.ask(a, "same", "still there");
  },
  "twice": async (s, { a, b }) => {
    const { id } = a;
    await s.post("/disconnect", { sid: id });
    await s.post("/disconnect", { sid: id });
    await s.saw(b, "left");
    await s.journal(1);
    await s.settle();
  },
  "and come back on the same connection": async (s, { a, b }) => {
    await s.connect("A/chat", { namespace: "/chat", beside: a }); // otherwise the client would close the connection
    await s.post("/disconnect", { sid: a.id });
    await s.saw(a, "disconnect");
    await s.saw(b, "left");
    const { id } = a.io.engine;
    a.connect();
    await s.saw(a, "connect");
    s.note("A", "same connection", a.io.engine.id === id);
    await s.rooms(a);
    await s.do(b, "emit", { event: "said", args: [1], to: "a room" });
  },
  "emits afterwards reach nobody": async (s, { a, b }) => {
    const { id } = a;
    a.disconnect();
    await s.journal(1);
    await s.do(b, "emit", { event: "said", args: [1], to: id });
    await s.do(b, "emit", { event: "said", args: [2], broadcast: true });
  },
  "one of two namespaces": async (s, { a, b }) => {
    const chat = await s.connect("A/chat", { namespace: "/chat", beside: a });
    await s.post("/disconnect", { sid: chat.id, namespace: "/chat" });
    await s.saw(chat, "disconnect");
    await s.journal(1);
    await s.ask(a, "same", "still there");
  },
  "with two namespaces": async (s, { a, b }) => {
    const chat = await s.connect("A/chat", { namespace: "/chat", beside: a });
    a.io.engine.close();
    await s.saw(a, "disconnect");
    await s.saw(chat, "disconnect");
    await s.saw(b, "left");
    await s.journal(2);
    s.logs.server.sort(); // the order of the namespaces is not defined
  },
  "the disconnect handler raises": async (s) => {
    // It uses a namespace of its own, so that what Flask-SocketIO may leave behind harms no other scenario.
    const c = await s.connect("C", { namespace: "/auth", query: { raise: 1 }, auth: { join: s.name } });
    s.forget();
    c.disconnect();
    await s.journal(2, { from: 1 });
    await s.cleared("members", "left behind", async () => (await s.post("/members", { room: s.name, namespace: "/auth" })).answer.length);
  },
});

group("reason", async () => {}, {
  "the client": reasons((s, a) => a.disconnect()),
  "the client closes the connection": reasons((s, a) => a.io.engine.close()),
  "the network": reasons((s, a) => a.io.engine.transport.name === "websocket" ? a.io.engine.transport.ws.terminate?.() ?? a.io.engine.transport.ws.close() : a.io.engine.close()),
  "the server": reasons((s, a) => s.post("/disconnect", { sid: a.id })),
});

// survives records whether the client is still there after a packet.
const survives = (packet) => async (s, { a }) => {
  s.raw(a, packet);
  await s.settle();
  s.note("A", "connected", a.connected);
};

const single = async (s) => {
  const a = await s.connect("A");
  s.forget();
  return { a };
};

group("protocol", single, {
  "broken JSON": survives(`2["said"`),
  "no array": survives(`2{"a":1}`),
  "no event name": survives("2[]"),
  "an event name that is no text": survives("2[[1],2]"),
  "an unknown packet type": survives("9[]"),
  "an ack nobody waits for": survives(`3999["x"]`),
  "a namespace never joined": survives(`2/chat,["echo",1]`),
  "a forged connect": async (s) => {
    const c = await s.connect("C", { namespace: "/auth" });
    s.forget();
    s.raw(c, `2/auth,["connect",{},{"token":"forged"}]`);
    await s.settle();
    await s.journal(1, { from: 1 });
    s.note("C", "connected", c.connected);
  },
  "connecting twice": async (s, { a }) => {
    s.raw(a, "0");
    await s.until("A to hear of it", () => s.logs.A.length > 0);
  },
  "too large a message": async (s, { a }) => {
    a.emit("same", "x".repeat(1_100_000));
    await s.saw(a, "disconnect");
    s.logs.A = s.logs.A.map((entry) => entry.replace(/^disconnect.*/, "disconnect")); // the reason depends on timing
  },
});
