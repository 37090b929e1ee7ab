// The page: a form that asks for a name and a room, and the room behind it.
import { Channel } from "./channel.js";
import { speak } from "./companion.js";
import { Conversation } from "./conversation.js";
import { Names } from "./names.js";

const CUT_MS = 5_000;
const LISTED_MAX = 40; // members that are listed by name
const WANTS_A_TOKEN = ["authentication_required", "authentication_failed", "token_expired", "token_revoked"];

const element = (id) => document.getElementById(id);
const remembered = (key) => sessionStorage.getItem(`fanfare.${key}`) ?? localStorage.getItem(`fanfare.${key}`);

const conversation = new Conversation(
  element("scroll"),
  element("messages"),
  element("pending"),
  element("empty"),
  element("newest"),
);
const names = new Names();
const people = new Set();
const trips = new Map(); // own messages that have not come back, and when they were sent

let channel = null;
let me = "";
let room = "";
let ticking = 0;
let unseen = 0;
let crowd = null; // how many users there are, when the server no longer says who comes and goes
let reloaded = false; // whether what follows is history in place of what was missed

// ---- the token, where the server wants one: `/?token=…`

const address = new URL(location.href);
if (address.searchParams.has("token")) {
  sessionStorage.setItem("fanfare.token", address.searchParams.get("token"));
  address.searchParams.delete("token");
  // The address can be shown to others then.
  history.replaceState(null, "", address);
}
let token = sessionStorage.getItem("fanfare.token");

// ---- the door

const slug = (text) => text.trim().toLowerCase().replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+|-+$/g, "");

element("name").value = remembered("name") ?? "";
element("room").value = slug(new URLSearchParams(location.search).get("room") ?? remembered("room") ?? "lobby");
element("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = element("token").value.trim();
  if (given !== "") {
    token = given;
    sessionStorage.setItem("fanfare.token", token);
  }
  enter(element("name").value.trim(), slug(element("room").value));
});
element("leave").addEventListener("click", () => {
  leave();
  location.assign("./");
});
document.querySelector(".brand").addEventListener("click", leave);

function leave() {
  sessionStorage.removeItem("fanfare.joined");
  names.release();
  channel?.close();
}

/** Back to the form: the server wants to know who this is. */
function askForToken(text) {
  leave();
  sessionStorage.removeItem("fanfare.token");
  token = null;
  show("door");
  element("token-field").hidden = false;
  element("refusal").hidden = false;
  element("refusal").textContent = text;
  element("token").required = true;
  element("token").value = "";
  element("token").focus();
}

/** One of the two views. */
function show(view) {
  element("door").hidden = view !== "door";
  for (const id of ["hall", "state", "room-title"]) element(id).hidden = view === "door";
}

/** This tab keeps its own name and room over a reload; other tabs get the last ones as a suggestion. */
function remember() {
  for (const [key, value] of [["name", me], ["room", room]]) {
    sessionStorage.setItem(`fanfare.${key}`, value);
    localStorage.setItem(`fanfare.${key}`, value);
  }
  sessionStorage.setItem("fanfare.joined", room);
  history.replaceState(null, "", `?room=${encodeURIComponent(room)}`);
}

function enter(name, chosen) {
  if (name === "" || chosen === "") return;
  [me, room] = [name, chosen];
  remember();
  conversation.me = me;
  names.take(me);
  show("hall");
  element("room-title").textContent = room;
  // A tab of its own gets the token again: what this one remembers is not given to it.
  element("another").href = `./?${new URLSearchParams(token ? { room, token } : { room })}`;
  element("fact-channel").textContent = `demo:${room}`;
  element("fact-curl").textContent = curl();
  title();
  connect();
  element("text").focus();
}

function curl() {
  const body = JSON.stringify({ channel: `demo:${room}`, data: { text: "Hello from the backend" } });
  const address = new URL("api/publish", location.href.split("?")[0]);
  return [
    `curl ${address} \\`,
    `  -H "X-API-Key: $FANFARE_KEY" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '${body.replaceAll("'", "'\\''")}'`,
  ].join("\n");
}

element("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(element("fact-curl").textContent);
    element("copy").textContent = "Copied";
  } catch {
    // A page that did not come by HTTPS may not use the clipboard: select the text for the visitor to copy.
    getSelection().selectAllChildren(element("fact-curl"));
    element("copy").textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (element("copy").textContent = "Copy"), 2_000);
});

// ---- the connection

function addresses(user) {
  const url = new URL("ws", location.href.split("?")[0]);
  url.protocol = url.protocol.replace("http", "ws");
  // A name is believed in development only. Without it, a server that wants a token can say so.
  const named = new URL(url);
  named.searchParams.set("user", user);
  return token ? [url] : [named, url];
}

function connect() {
  const opened = new Channel(addresses(me), `demo:${room}`, { token });
  channel = opened;
  const on = (type, listener) =>
    opened.addEventListener(type, ({ detail }) => {
      if (channel === opened) listener(detail);
    });
  on("state", showState);
  on("subscribed", subscribed);
  on("message", message);
  on("join", ({ user }) => came(user));
  on("leave", ({ user }) => went(user));
  on("members", members);
  on("sent", ({ nonce }) => conversation.settle(nonce));
  on("rejected", ({ nonce, text }) => conversation.settle(nonce, text));
  on("problem", problem);
  on("known", ({ user }) => {
    if (user !== undefined) conversation.me = me = user;
  });
  opened.open();
}

function problem({ code, text }) {
  if (WANTS_A_TOKEN.includes(code)) {
    return askForToken(code === "authentication_required" ? "This server asks for a token." : `Refused: ${text}.`);
  }
  conversation.note(`${text} (${code})`, "problem");
}

element("cut").addEventListener("click", () => {
  if (document.body.dataset.state !== "online") return;
  channel.cut(CUT_MS);
  if (crowd === null && people.size <= 1) speak(addresses("Second client")[0], `demo:${room}`, token);
});

function showState(detail) {
  const { state, until } = detail;
  clearInterval(ticking);
  document.body.dataset.state = state;
  element("text").placeholder = state === "online" ? "Write a message" : "Write a message: it is sent when you are back";
  // Not `disabled`: that would take the focus from who pressed it.
  element("cut").setAttribute("aria-disabled", String(state !== "online"));
  element("cut-text").textContent = state === "cut" ? "Cut off" : "Cut my connection";
  const show = () => {
    const seconds = until === undefined ? 0 : Math.max(0, Math.ceil((until - Date.now()) / 1000));
    const text = stateText(detail, seconds);
    // Said again only when it differs: a screen reader speaks every change.
    if (element("state-text").textContent !== text) element("state-text").textContent = text;
    conversation.status(state === "online" ? "Sending" : "Waits for your connection");
  };
  show();
  if (until !== undefined) ticking = setInterval(show, 200);
}

function stateText({ state, reason, failures }, seconds) {
  switch (state) {
    case "online":
      return "Connected";
    case "connecting":
      return "Connecting";
    case "cut":
      return `Cut, back in ${seconds} s`;
    case "waiting":
      return failures > 2 ? `No answer, again in ${seconds} s` : `Reconnecting in ${seconds} s`;
    default:
      return reason ? `Closed: ${reason}` : "Closed";
  }
}

function subscribed({ recovered, replayed, cutMs, sameEpoch, members: listed, users }) {
  members({ members: listed, users });
  if (recovered === undefined) {
    conversation.start(replayed);
    if (reloaded) {
      conversation.note(
        sameEpoch
          ? "More was said than the server keeps: older messages are missing here"
          : "The server started anew: it cannot say what was missed. The room goes on from here",
      );
    }
    reloaded = false;
  } else if (recovered) {
    conversation.catchUp(Math.max(1, Math.round((cutMs ?? 0) / 1000)), replayed);
  } else {
    reloaded = true; // the channel asks for the history next
  }
}

function message(detail) {
  conversation.add(detail);
  const { offset, epoch } = channel.position;
  element("fact-position").textContent = `${offset} of epoch ${epoch.slice(0, 6)}`;
  element("fact-position").title = epoch;
  const nonce = detail.data?.nonce;
  if (detail.from === me) conversation.settle(nonce);
  const sent = trips.get(nonce);
  if (sent !== undefined) {
    trips.delete(nonce);
    element("fact-trip").textContent = `${(performance.now() - sent).toFixed(1)} ms`;
  }
  if (document.hidden && !detail.replayed) {
    unseen += 1;
    title();
  }
}

document.addEventListener("visibilitychange", () => {
  unseen = 0;
  title();
});

function title() {
  if (room !== "") document.title = `${unseen > 0 ? `(${unseen}) ` : ""}${room} · Fanfare`;
}

// ---- who is there

function came(user) {
  if (people.has(user)) return;
  people.add(user);
  showPeople();
  conversation.note(`${user} joined`, "join");
}

function went(user) {
  if (!people.delete(user)) return;
  showPeople();
  conversation.note(`${user} left`, "leave");
}

/** A fresh list, or the news that the server no longer says who comes and goes. */
function members({ members: listed, users, complete = true }) {
  crowd = complete ? null : people.size;
  if (listed !== undefined && complete) {
    people.clear();
    listed.forEach((member) => people.add(member.user));
    if (users > people.size) crowd = users;
  }
  showPeople();
}

function showPeople() {
  element("people-count").textContent = crowd === null ? people.size : `${Math.max(crowd, people.size)}+`;
  const sorted = [...people].sort((a, b) => (b === me) - (a === me) || a.localeCompare(b));
  const items = sorted.slice(0, LISTED_MAX).map((name) => conversation.person(name));
  const rest = Math.max(crowd ?? 0, sorted.length) - items.length;
  if (rest > 0) {
    const more = document.createElement("li");
    more.className = "rest";
    more.textContent = `and ${rest} more`;
    items.push(more);
  }
  element("people").replaceChildren(...items);
}

// ---- what is written

const text = element("text");
const fit = () => {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
};
text.addEventListener("input", fit);
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element("compose").requestSubmit();
});
element("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const written = text.value.trim();
  if (written === "") return;
  const nonce = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  if (!channel.send({ text: written, nonce })) {
    conversation.note("Too many messages wait already: this one stays in the field", "problem");
    return;
  }
  const online = document.body.dataset.state === "online";
  if (online) trips.set(nonce, performance.now());
  conversation.wait(nonce, written);
  conversation.status(online ? "" : "Waits for your connection");
  text.value = "";
  fit();
});

// ---- a phone: the rest of the side opens below the strip

element("more").addEventListener("click", () => {
  const open = element("side").toggleAttribute("data-open");
  element("more").setAttribute("aria-expanded", String(open));
});

// A reload stays in the room; a new tab starts at the form, with a name that no other tab uses.
if (sessionStorage.getItem("fanfare.joined") === element("room").value && element("name").value !== "") {
  enter(element("name").value, element("room").value);
} else {
  const name = element("name");
  const remembered = name.value;
  let touched = false;
  name.addEventListener("input", () => (touched = true), { once: true });
  name.focus();
  names.propose(remembered).then((proposed) => {
    if (touched) return; // whoever writes the proposed name means it
    name.value = proposed;
    name.select();
  });
}
