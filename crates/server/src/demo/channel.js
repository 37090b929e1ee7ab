// One channel over one WebSocket, kept alive: it connects again by itself and asks for what it missed.
//
// Events (all `CustomEvent`, the facts in `detail`):
//   state       {state: "connecting" | "online" | "waiting" | "cut" | "closed", until?, reason?}
//   subscribed  {recovered: true | false | undefined, replayed, cutMs?, members, users}
//   message     {offset, from, data, timestamp, replayed}
//   join, leave {user}
//   problem     {code, text}
//   known       {user}  who the server takes the token's bearer for
//
// `subscribed` comes before the messages that were missed, and each message comes once, in order.

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 15_000;
const QUIET_MS = 25_000;
const ANSWER_MS = 8_000;
const NOT_A_GOODBYE = 4999; // any code but 1000: whoever is cut off is still a member for a while

export class Channel extends EventTarget {
  #urls; // tried in turn until one opens
  #token;
  #name;
  #history;
  #socket = null;
  #position = null; // {epoch, offset} of the last message seen
  #replays = 0; // how many of the next messages are old ones
  #failures = 0;
  #lostAt = null;
  #retryMs = null;
  #timer = 0;
  #watch = 0;

  constructor(urls, name, { history = 50, token } = {}) {
    super();
    this.#urls = urls;
    this.#token = token;
    this.#name = name;
    this.#history = history;
  }

  get position() {
    return this.#position;
  }

  open() {
    clearTimeout(this.#timer);
    this.#tell("state", { state: "connecting" });
    const socket = new WebSocket(this.#urls[0]);
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#listen(QUIET_MS);
      // By message and not with the handshake: why a handshake failed, no page is told.
      if (this.#token) this.#say({ type: "auth", id: "auth", token: this.#token });
      else this.#subscribe();
    };
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (!opened) this.#urls.push(this.#urls.shift());
      this.#lost(event);
    };
  }

  close(reason) {
    this.#drop(1000);
    this.#tell("state", { state: "closed", reason });
  }

  /** Loses the connection, and takes it up again after `ms`. */
  cut(ms) {
    this.#drop();
    this.#lostAt ??= Date.now();
    this.#tell("state", { state: "cut", until: Date.now() + ms });
    this.#timer = setTimeout(() => this.open(), ms);
  }

  /** Whether it could be sent now. Its own copy comes back as a `message`. */
  send(data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#say({ type: "message", channel: this.#name, data });
    return true;
  }

  #subscribe() {
    const how = this.#position ? { recover: this.#position } : { history: this.#history };
    this.#say({ type: "subscribe", id: "subscribe", channel: this.#name, presence: true, ...how });
    this.#listen(QUIET_MS);
  }

  #receive(message) {
    this.#listen(QUIET_MS);
    if (message.channel !== undefined && message.channel !== this.#name) return;
    switch (message.type) {
      case "authenticated":
        this.#tell("known", { user: message.user_id });
        return this.#subscribe();
      case "subscribed":
        return this.#subscribed(message);
      case "message":
        return this.#message(message);
      case "join":
      case "leave":
        return this.#tell(message.type, { user: message.user });
      case "disconnect":
        this.#retryMs = message.reconnect ? (message.retryAfter ?? 0) * 1000 : null;
        if (!message.reconnect) this.close(message.reason);
        return;
      case "error":
        return this.#refused(message);
    }
  }

  #subscribed({ epoch, offset, recovered, replayed = 0, members = [], users = members.length }) {
    this.#failures = 0;
    this.#tell("state", { state: "online" });
    const cutMs = this.#lostAt === null ? undefined : Date.now() - this.#lostAt;
    this.#lostAt = null;
    if (recovered === false) {
      // Too much happened since: start again with what the channel still has.
      this.#position = null;
      this.#tell("subscribed", { recovered, replayed: 0, cutMs, members, users });
      this.#say({ type: "unsubscribe", channel: this.#name });
      return this.#subscribe();
    }
    // Replayed messages are the newest ones, so the place before them is known. After a recovery it is
    // the place asked for.
    this.#position = { epoch, offset: offset - replayed };
    this.#replays = replayed;
    this.#tell("subscribed", { recovered, replayed, cutMs, members, users });
  }

  #message({ offset, from, data, timestamp }) {
    if (offset === undefined) return; // to this user or to everyone, not to the room
    if (this.#position === null || offset <= this.#position.offset) return;
    this.#position.offset = offset;
    const replayed = this.#replays > 0;
    if (replayed) this.#replays -= 1;
    this.#tell("message", { offset, from, data, timestamp, replayed });
  }

  #refused({ id, code, error, retryAfter }) {
    this.#tell("problem", { code, text: error });
    if (id !== "subscribe" && id !== "auth") return;
    if (retryAfter === undefined) return this.close(error);
    this.#retryMs = retryAfter * 1000;
    this.#drop();
    this.#wait();
  }

  #lost(event) {
    const final = [1002, 1003, 1007, 1008, 1009].includes(event.code);
    this.#drop();
    if (final) return this.close(event.reason);
    this.#lostAt ??= this.#position ? Date.now() : null;
    this.#wait();
  }

  /** Full jitter: clients that lost one server do not come to the next all at once. */
  #wait() {
    this.#failures += 1;
    const bound = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    const delay = this.#retryMs ?? FIRST_DELAY_MS / 2 + Math.random() * bound;
    this.#retryMs = null;
    this.#tell("state", { state: "waiting", until: Date.now() + delay, failures: this.#failures });
    this.#timer = setTimeout(() => this.open(), delay);
  }

  /** A line that is dead in one direction looks open for minutes: ask when nothing was heard. */
  #listen(ms, asked = false) {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      if (asked) return this.#lost({ code: 1006, reason: "" });
      this.#say({ type: "ping" });
      this.#listen(ANSWER_MS, true);
    }, ms);
  }

  #drop(code = NOT_A_GOODBYE) {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  #say(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
