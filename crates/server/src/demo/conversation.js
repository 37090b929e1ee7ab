// The list of messages: who said what, what was missed, and when to scroll.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const SAME_BREATH_S = 120;
const NEAR_PX = 80;

export class Conversation {
  me = "";
  #scroll;
  #list;
  #empty;
  #newest;
  #last = null; // the last message, if nothing stands below it
  #missed = 0; // how many of the next messages were missed during a cut

  constructor(scroll, list, empty, newest) {
    this.#scroll = scroll;
    this.#list = list;
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
    this.#list.replaceChildren();
    this.#last = null;
    this.#missed = 0;
    this.#empty.hidden = false;
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

  add({ offset, from, data, timestamp }) {
    const item = document.createElement("li");
    item.className = "message";
    item.dataset.offset = offset;
    item.classList.toggle("own", from === this.me);
    const previous = this.#last;
    const continued =
      previous !== null && previous.from === from && timestamp - previous.timestamp < SAME_BREATH_S;
    item.classList.toggle("continued", continued);
    if (this.#missed > 0) {
      this.#missed -= 1;
      item.classList.add("missed");
    }
    item.append(this.#author(from, timestamp), words(data));
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
