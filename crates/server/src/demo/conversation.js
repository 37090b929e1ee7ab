// The list of messages: who said what, what was missed, and when to scroll.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const SAME_BREATH_S = 120;
const NEAR_PX = 80;
const SHOWN_MAX = 500; // older messages leave the page
const HEX_BYTES_MAX = 32;

export class Conversation {
  me = "";
  #scroll;
  #list;
  #pending;
  #empty;
  #newest;
  #last = null; // the last message, if nothing stands below it
  #missed = 0; // how many of the next messages were missed during a cut
  #shown = new Set(); // the places of the messages that are shown: what is loaded again is not shown twice

  constructor(scroll, list, pending, empty, newest) {
    this.#scroll = scroll;
    this.#list = list;
    this.#pending = pending;
    this.#empty = empty;
    this.#newest = newest;
    newest.addEventListener("click", () => this.toNewest());
    scroll.addEventListener("scroll", () => {
      if (this.#isNear()) newest.hidden = true;
    });
    // The view keeps to the newest when it shrinks, as it does when a phone's keyboard opens.
    new ResizeObserver(() => newest.hidden && this.toNewest()).observe(scroll);
  }

  /** The room's past follows: a screen reader need not hear it all. */
  start(replayed) {
    this.#missed = 0;
    this.#scroll.setAttribute("aria-live", replayed > 0 ? "off" : "polite");
    setTimeout(() => this.#scroll.setAttribute("aria-live", "polite"), 500);
  }

  /** What was missed follows. */
  catchUp(seconds, count) {
    const messages = count === 1 ? "1 missed message" : `${count} missed messages`;
    const gain = count === 0 ? "nothing was missed" : `recovered ${messages}`;
    this.note(`Cut off for ${seconds} s, ${gain}`, "recovered");
    this.#missed = count;
  }

  /** A message of one's own that the server does not have yet. */
  wait(nonce, text) {
    const item = document.createElement("li");
    item.className = "message own continued";
    item.dataset.nonce = nonce;
    const status = document.createElement("span");
    status.className = "status";
    item.append(words({ text }), status);
    this.#pending.append(item);
    this.#empty.hidden = true;
    this.toNewest();
  }

  /** What the pending messages wait for. */
  status(text) {
    const statuses = [...this.#pending.querySelectorAll(".status")];
    statuses.forEach((status, index) => {
      const shown = index === statuses.length - 1 ? text : "";
      if (status.textContent !== shown && !status.dataset.final) status.textContent = shown;
    });
  }

  /** The server has a message that waited, or has refused it, which its author is told. */
  settle(nonce, refusal) {
    const item = [...this.#pending.children].find((item) => item.dataset.nonce === nonce);
    if (refusal === undefined) return item?.remove();
    const status = item?.querySelector(".status");
    if (!status) return;
    status.textContent = `Not sent: ${refusal}`;
    status.dataset.final = "true";
  }

  /** A line that is nobody's message. */
  note(text, kind = "note") {
    const item = document.createElement("li");
    item.className = `note ${kind}`;
    const words = document.createElement("span");
    words.textContent = text;
    item.append(words);
    this.#last = null;
    this.#append(item);
  }

  add({ epoch, offset, from, data, binary, timestamp }) {
    const place = `${epoch}/${offset}`;
    if (this.#shown.has(place)) return;
    this.#shown.add(place);
    const item = document.createElement("li");
    item.className = "message";
    item.dataset.offset = offset;
    item.dataset.place = place;
    item.classList.toggle("own", from === this.me);
    const previous = this.#last;
    const continued =
      previous !== null && previous.from === from && timestamp - previous.timestamp < SAME_BREATH_S;
    item.classList.toggle("continued", continued);
    if (this.#missed > 0) {
      this.#missed -= 1;
      item.classList.add("missed");
    }
    item.append(this.#author(from, timestamp), binary === undefined ? words(data) : bytes(binary));
    this.#append(item, from === this.me);
    this.#last = { from, timestamp };
  }

  /** A member of the room. */
  person(name) {
    const item = document.createElement("li");
    const words = document.createElement("span");
    words.className = "name";
    words.textContent = name;
    item.append(avatar(name), words);
    if (name === this.me) {
      const you = document.createElement("span");
      you.className = "you";
      you.textContent = "you";
      item.append(you);
    }
    return item;
  }

  toNewest() {
    this.#newest.hidden = true;
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #author(from, timestamp) {
    const head = document.createElement("div");
    head.className = "head";
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = from ?? "backend";
    name.style.setProperty("--hue", hue(from ?? "backend"));
    const time = document.createElement("time");
    const date = new Date(timestamp * 1000);
    time.dateTime = date.toISOString();
    time.title = day.format(date);
    time.textContent = clock.format(date);
    head.append(avatar(from ?? "backend"), name, time);
    return head;
  }

  #append(item, follow = false) {
    const near = this.#isNear();
    this.#empty.hidden = true;
    this.#list.append(item);
    while (this.#list.childElementCount > SHOWN_MAX) {
      this.#shown.delete(this.#list.firstElementChild.dataset.place);
      this.#list.firstElementChild.remove();
    }
    if (near || follow) this.toNewest();
    else if (item.classList.contains("message")) this.#newest.hidden = false;
  }

  #isNear() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
    return scrollHeight - scrollTop - clientHeight < NEAR_PX;
  }
}

/** `{text}` and plain strings as text, anything else as the JSON that it is. */
function words(data) {
  const text = typeof data === "string" ? data : data?.text;
  const block = document.createElement(typeof text === "string" ? "p" : "pre");
  block.className = "text";
  block.textContent = typeof text === "string" ? text : JSON.stringify(data, null, 2);
  return block;
}

/** Bytes, of which the first are shown in hexadecimal. */
function bytes(base64) {
  const binary = atob(base64);
  const block = document.createElement("div");
  block.className = "text binary";
  const label = document.createElement("p");
  label.textContent = `Binary message, ${binary.length} ${binary.length === 1 ? "byte" : "bytes"}`;
  const dump = document.createElement("code");
  const shown = [...binary.slice(0, HEX_BYTES_MAX)].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0"));
  dump.textContent = shown.join(" ") + (binary.length > HEX_BYTES_MAX ? " …" : "");
  block.append(label, dump);
  return block;
}

function avatar(name) {
  const circle = document.createElement("span");
  circle.className = "avatar";
  circle.setAttribute("aria-hidden", "true");
  circle.style.setProperty("--hue", hue(name));
  circle.textContent = [...name.trim()][0]?.toUpperCase() ?? "?";
  return circle;
}

/** The same name has the same colour everywhere. */
function hue(name) {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  return ((hash >>> 8) % 15) * 24;
}
