// What is on the page. Everything that comes from people is put there as text.

export const $ = (id) => document.getElementById(id);

// el makes an element. Properties are set as such; children are elements and text.
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// avatar is a disc with a letter, in a colour that goes with the user.
function avatar({ user, nick }) {
  const disc = el("span", { className: "avatar", ariaHidden: "true" }, [...nick][0].toUpperCase());
  let hue = 0;
  for (const letter of user) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  disc.style.setProperty("--hue", hue);
  return disc;
}

export function showMe(person) {
  $("me").replaceChildren(avatar(person), el("span", { className: "name" }, person.nick), el("span", { className: "edit", ariaHidden: "true" }, "✎"));
  $("me").title = `@${person.user}: change nickname`;
  $("me").ariaLabel = `${person.nick}: change nickname`;
}

export function showState(state) {
  $("state").dataset.state = state;
  $("state").textContent = state;
}

const byTitle = (a, b) => a.title.localeCompare(b.title);

// showList shows the conversations, by kind, and how much of each is unread.
export function showList(conversations, current, choose) {
  const item = (conv) => {
    const button = el("button", { className: "entry" }, el("span", { className: "name" }, conv.title));
    if (conv === current) button.setAttribute("aria-current", "true");
    if (conv.unread) button.append(el("span", { className: "badge", title: "unread" }, String(conv.unread)));
    if (conv.direct) button.prepend(avatar({ user: conv.in.slice(1), nick: conv.title }));
    button.addEventListener("click", () => choose(conv));
    return el("li", {}, button);
  };
  const all = [...conversations].sort(byTitle);
  $("rooms").replaceChildren(...all.filter((conv) => !conv.direct).map(item));
  $("direct").replaceChildren(...all.filter((conv) => conv.direct).map(item));
  $("no-rooms").hidden = $("rooms").childElementCount > 0;
  const unread = all.reduce((sum, conv) => sum + conv.unread, 0);
  document.title = unread ? `(${unread}) Chat` : "Chat";
}

const time = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const day = (ms) => new Date(ms).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });

let atEnd = true; // of the messages

$("scroll").addEventListener("scroll", () => (atEnd = $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 40));
new ResizeObserver(() => atEnd && toEnd()).observe($("scroll")); // a keyboard comes up, for example

export function toEnd() {
  atEnd = true;
  $("scroll").scrollTop = $("scroll").scrollHeight;
}

// showMessages shows a conversation: what has been said, and what of ours is on
// its way, which retry sends again if it was refused. It stays at the end if it
// was there, and else where it was.
export function showMessages(conv, me, retry) {
  const scroll = $("scroll");
  const fromEnd = scroll.scrollHeight - scroll.scrollTop;
  const items = [];
  let before;
  for (const message of conv.messages) {
    const newDay = !before || day(before.at) !== day(message.at);
    if (newDay) items.push(cached(message, "day", () => el("li", { className: "day" }, day(message.at))));
    const joined = !newDay && before.from === message.from && before.nick === message.nick && message.at - before.at < 300_000;
    items.push(cached(message, joined ? "joined" : "first", () => bubble(message, me, joined)));
    before = message;
  }
  for (const pending of conv.outbox) {
    const item = bubble({ from: me.user, nick: me.nick, at: Date.now(), text: pending.text }, me, before?.from === me.user);
    item.classList.add("pending");
    if (pending.failed) {
      const again = el("button", { className: "quiet small" }, "Send again");
      again.addEventListener("click", () => retry(pending));
      item.lastChild.append(el("p", { className: "wrong" }, pending.failed, " ", again));
    }
    items.push(item);
    before = { from: me.user };
  }
  replace($("messages"), items);
  $("earlier").hidden = !conv.earlier;
  $("empty").hidden = items.length > 0 || !conv.loaded;
  $("empty").textContent = "Nothing has been said here yet.";
  if (atEnd) toEnd();
  else scroll.scrollTop = scroll.scrollHeight - fromEnd;
}

const elements = new WeakMap(); // of messages, by kind

function cached(message, kind, make) {
  if (!elements.has(message)) elements.set(message, {});
  return (elements.get(message)[kind] ??= make());
}

// replace changes the children, and leaves alone those that stay: a screen
// reader reads what is new.
function replace(parent, items) {
  const stay = new Set(items);
  for (const child of [...parent.children]) if (!stay.has(child)) child.remove();
  for (const [i, item] of items.entries()) {
    if (parent.children[i] !== item) parent.insertBefore(item, parent.children[i] ?? null);
  }
}

// linked returns a text with its web addresses as links: of http and https only, and
// without the punctuation that ends a sentence or a bracket around it.
export function linked(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(/\bhttps?:\/\/[^\s<>"]+/gi)) {
    let address = found[0].replace(/[.,:;!?'*_]+$/, "");
    while (/[)\]}]$/.test(address) && !balanced(address)) address = address.slice(0, -1).replace(/[.,:;!?'*_]+$/, "");
    if (!URL.canParse(address)) continue;
    parts.push(text.slice(end, found.index), el("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, address));
    end = found.index + address.length;
  }
  parts.push(text.slice(end));
  return parts;
}

// balanced tells of the last bracket of an address whether it has a beginning there.
function balanced(address) {
  const close = address.at(-1);
  const open = { ")": "(", "]": "[", "}": "{" }[close];
  return address.split(open).length >= address.split(close).length;
}

function bubble(message, me, joined) {
  const item = el("li", { className: "message" });
  if (message.from === me.user) item.classList.add("mine");
  if (joined) item.classList.add("joined");
  const body = el("div", { className: "body" });
  if (!joined) {
    const stamp = el("time", { dateTime: new Date(message.at).toISOString() }, time(message.at));
    body.append(el("p", { className: "by" }, el("strong", { title: "@" + message.from }, message.nick), " ", stamp));
  }
  body.append(el("p", { className: "text", title: time(message.at) }, ...linked(message.text)));
  item.append(avatar({ user: message.from, nick: message.nick }), body);
  return item;
}

// showConversation shows all of a conversation; undefined is none.
export function showConversation(conv) {
  $("title").textContent = conv ? conv.title : "Chat";
  $("title").title = conv ? conv.in : "";
  $("leave").hidden = !conv || conv.direct;
  $("say").hidden = !conv;
  $("aside").hidden = !conv || conv.direct;
  $("messages").replaceChildren();
  $("earlier").hidden = true;
  $("empty").hidden = Boolean(conv);
  $("empty").textContent = "Choose a conversation.";
  $("typing").textContent = "";
  toEnd();
  document.body.dataset.showing = conv ? "conversation" : "list";
}

export function showPeople(conv, me, writeTo) {
  const person = ([user, nick]) => {
    const button = el("button", { className: "person", title: "@" + user }, avatar({ user, nick }), el("span", { className: "name" }, nick));
    if (user === me.user) button.append(el("span", { className: "muted" }, "you"));
    else button.addEventListener("click", () => writeTo({ user, nick }));
    return el("li", {}, button);
  };
  $("people").replaceChildren(...[...conv.people].sort((a, b) => a[1].localeCompare(b[1])).map(person));
}

export function showTyping(conv) {
  const nicks = [...conv.typing.values()].map(({ nick }) => nick);
  if (nicks.length === 0) $("typing").textContent = "";
  else if (nicks.length === 1) $("typing").textContent = `${nicks[0]} is typing …`;
  else if (nicks.length === 2) $("typing").textContent = `${nicks[0]} and ${nicks[1]} are typing …`;
  else $("typing").textContent = "Several people are typing …";
}

export function showAllRooms(rooms, isIn, join) {
  const item = ({ room, online }) => {
    const button = el("button", { className: "small", disabled: isIn(room) }, isIn(room) ? "Joined" : "Join");
    button.addEventListener("click", () => join(room));
    return el("li", {}, el("span", { className: "name" }, room), el("span", { className: "muted" }, `${online} online`), button);
  };
  const none = el("li", { className: "muted" }, "There is no room yet: create the first one.");
  $("all-rooms").replaceChildren(...(rooms.length ? rooms.map(item) : [none]));
}

let hide;

// notice shows what went wrong, for a while or for ever.
export function notice(text, stays = false) {
  $("notice").textContent = text;
  $("notice").showPopover();
  clearTimeout(hide);
  if (!stays) hide = setTimeout(() => $("notice").hidePopover(), 6000);
}
