// The page: a door with a name and a room, and the hall behind it.
import { Channel } from "./channel.js";
import { Conversation } from "./conversation.js";

const CUT_MS = 5_000;
const WANTS_A_TOKEN = ["authentication_required", "authentication_failed", "token_expired", "token_revoked"];

const element = (id) => document.getElementById(id);
const remembered = (key) => sessionStorage.getItem(`fanfare.${key}`) ?? localStorage.getItem(`fanfare.${key}`);

const conversation = new Conversation(element("scroll"), element("messages"), element("empty"), element("newest"));
const people = new Set();
const trips = new Map(); // own messages that have not come back, and when they were sent

let channel = null;
let me = "";
let room = "";
let ticking = 0;
let unseen = 0;
let reloaded = false; // whether what follows is history in place of what was missed

// ---- the token, where the server wants one: `/?token=…`

const address = new URL(location.href);
if (address.searchParams.has("token")) {
  sessionStorage.setItem("fanfare.token", address.searchParams.get("token"));
  address.searchParams.delete("token");
  // The address can be shown to others then.
  history.replaceState(null, "", address);
}
const token = sessionStorage.getItem("fanfare.token");

// ---- the door

const slug = (text) => text.trim().toLowerCase().replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+|-+$/g, "");

element("name").value = remembered("name") ?? "";
element("room").value = slug(new URLSearchParams(location.search).get("room") ?? remembered("room") ?? "lobby");
element("join").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(element("name").value.trim(), slug(element("room").value));
});
element("leave").addEventListener("click", () => {
  leave();
  location.assign("./");
});
document.querySelector(".brand").addEventListener("click", leave);

function leave() {
  sessionStorage.removeItem("fanfare.joined");
  channel?.close();
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
  element("door").hidden = true;
  element("hall").hidden = false;
  element("state").hidden = false;
  element("room-title").hidden = false;
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

// ---- the line

function connect() {
  const url = new URL("ws", location.href.split("?")[0]);
  url.protocol = url.protocol.replace("http", "ws");
  // A name is believed in development only; without it a server that wants a token can say so.
  const named = new URL(url);
  named.searchParams.set("user", me);
  channel = new Channel(token ? [url] : [named, url], `demo:${room}`, { token });
  channel.addEventListener("state", ({ detail }) => showState(detail));
  channel.addEventListener("subscribed", ({ detail }) => subscribed(detail));
  channel.addEventListener("message", ({ detail }) => message(detail));
  channel.addEventListener("join", ({ detail }) => came(detail.user));
  channel.addEventListener("leave", ({ detail }) => went(detail.user));
  channel.addEventListener("problem", ({ detail }) => problem(detail));
  channel.addEventListener("known", ({ detail }) => {
    if (detail.user !== undefined) conversation.me = me = detail.user;
  });
  channel.open();
}

function problem({ code, text }) {
  conversation.note(`${text} (${code})`, "problem");
  if (WANTS_A_TOKEN.includes(code)) {
    conversation.note("This server takes a token, such as “fanfare token --user NAME” makes.", "problem");
    conversation.note("Open the page with it: /?token=TOKEN", "problem");
  }
}

element("cut").addEventListener("click", () => {
  if (document.body.dataset.state === "online") channel.cut(CUT_MS);
});

function showState(detail) {
  const { state, until } = detail;
  clearInterval(ticking);
  document.body.dataset.state = state;
  element("send").disabled = state !== "online";
  // Not `disabled`: that would take the focus from who pressed it.
  element("cut").setAttribute("aria-disabled", String(state !== "online"));
  element("cut-text").textContent = state === "cut" ? "Cut off" : "Cut my connection";
  const show = () => {
    const seconds = until === undefined ? 0 : Math.max(0, Math.ceil((until - Date.now()) / 1000));
    const text = stateText(detail, seconds);
    // Said again only when it differs: a screen reader speaks every change.
    if (element("state-text").textContent !== text) element("state-text").textContent = text;
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

function subscribed({ recovered, replayed, cutMs, members, users }) {
  people.clear();
  members.forEach((member) => people.add(member.user));
  showPeople(users);
  if (recovered === undefined) {
    conversation.start(replayed);
    if (reloaded) conversation.note("What was missed could not be replayed: the room's history was loaded again");
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
  const sent = trips.get(detail.data?.nonce);
  if (sent !== undefined) {
    trips.delete(detail.data.nonce);
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

function showPeople(count = people.size) {
  element("people-count").textContent = Math.max(count, people.size);
  const names = [...people].sort((a, b) => (b === me) - (a === me) || a.localeCompare(b));
  element("people").replaceChildren(...names.map((name) => conversation.person(name)));
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
  if (!channel.send({ text: written, nonce })) return;
  trips.set(nonce, performance.now());
  text.value = "";
  fit();
  conversation.toNewest();
});

// A reload stays in the room; a new tab starts at the door.
if (sessionStorage.getItem("fanfare.joined") === element("room").value && element("name").value !== "") {
  enter(element("name").value, element("room").value);
} else {
  element(element("name").value === "" ? "name" : "room").focus();
}
