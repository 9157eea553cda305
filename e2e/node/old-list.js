// What clients of Socket.IO 1 and 2 must be able to do: one list, for Node and for a page. A classic script, since those
// clients are older than modules.
globalThis.oldList = async function (io, url, { transports, forceJSONP = false, bytes, sizeOf, ascii = false, largest = 600000 }) {
  const options = { transports, forceJSONP, forceNew: true, reconnection: false, timeout: 20000 };
  const text = ascii ? "text \\n \n \u2028" : "é€😀 \\n \n \u2028 </script>";
  const next = (socket, event) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no event " + event)), 20000);
      socket.once(event, (...args) => (clearTimeout(timer), resolve(args)));
    });
  const ask = (socket, event, ...args) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no answer to " + event)), 20000);
      socket.emit(event, ...args, (...answer) => (clearTimeout(timer), resolve(answer)));
    });
  const same = (got, want, what) => {
    if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)?.slice(0, 200)}, not ${JSON.stringify(want)?.slice(0, 200)}`);
  };

  const socket = io(url + "/", { ...options, query: { token: "abc" } });
  const [sid, token] = await next(socket, "welcome");
  same(sid, socket.id, "the session id");
  same(token, "abc", "the query of the connection");

  // Events and acknowledgements, both ways, with text and binary data.
  same(await ask(socket, "echo", text, 1, null, { a: [true] }), [text, 1, null, { a: [true] }], "an echo");
  same(await ask(socket, "echo"), [], "an empty echo");
  const [binary, beside] = await ask(socket, "echo", { data: bytes(300) }, "beside");
  same([sizeOf(binary.data), beside], [300, "beside"], "binary data");
  socket.on("question", (q, data, answer) => answer(q + "!", data));
  const answered = next(socket, "answered");
  socket.emit("ask", text);
  const [answer, back] = await answered;
  same([answer, sizeOf(back)], [text + "!", 4], "an answer to the server");

  // Order.
  const numbers = [];
  socket.on("number", (n) => numbers.push(n));
  for (let i = 0; i < 200; i++) socket.emit("number", i);
  await ask(socket, "echo");
  same(numbers, [...Array(200).keys()], "the order of events");

  // Large messages, both ways.
  const large = "y".repeat(400000);
  same((await ask(socket, "size", large))[0], large.length, "a large message");
  same((await ask(socket, "size", bytes(100000)))[0], 100000, "large binary data");
  if ((await ask(socket, "make", largest))[0] !== "z".repeat(largest)) throw new Error("a large message arrived damaged");
  same(sizeOf((await ask(socket, "make binary", largest / 2))[0]), largest / 2, "large binary data from the server");

  // Namespaces, with a query, and refusals.
  const chat = io(url + "/chat", { ...options, query: { test: "123" } });
  same((await next(chat, "welcome"))[1], { test: "123" }, "the query of a namespace");
  same(await ask(chat, "echo", 7), [7], "an echo in a namespace");
  for (const [ns, want] of [["/deny", "denied"], ["/data", { code: 7 }], ["/nowhere", { message: "Invalid namespace" }]]) {
    const refused = io(url + ns, options);
    same(await next(refused, "error"), [want], "the refusal by " + ns);
    refused.close();
  }

  // A room with clients of every age.
  const heard = next(socket, "news");
  same(await ask(socket, "join and shout"), [], "joining");
  const [news, picture] = await heard;
  same([news, sizeOf(picture)], [text.includes("é") ? "näws" : "näws", 3], "a broadcast");

  // It stays: several heartbeats later nothing has happened.
  let lost = "";
  socket.on("disconnect", (why) => (lost = why));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  same(lost, "", "a disconnect");
  same(await ask(socket, "echo", "alive"), ["alive"], "an echo after some heartbeats");

  // Leaving, and being sent away.
  const gone = next(chat, "disconnect");
  chat.emit("go");
  same((await gone)[0], "io server disconnect", "the reason");
  socket.close();
  return "ok";
};
