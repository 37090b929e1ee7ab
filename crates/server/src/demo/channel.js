// One channel over one WebSocket that reconnects by itself, recovers what it missed, and sends what was written meanwhile.
//
// Events (all `CustomEvent`, the facts in `detail`):
//   state       {state: "connecting" | "online" | "waiting" | "cut" | "closed", until?, reason?, failures?}
//   subscribed  {recovered: true | false | undefined, replayed, cutMs?, sameEpoch?, members, users}
//   message     {epoch, offset, from, data, binary, timestamp, replayed}
//   join, leave {user}
//   members     {members, users} | {complete: false}  a fresh list, or the news that the server stopped sending events
//   sent        {nonce}         the server has the message
//   rejected    {nonce, text}   the server refused it
//   problem     {code, text}
//   known       {user}          the user that the token belongs to
//
// `subscribed` comes before the messages that were missed, and each message comes once, in order.

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 15_000;
const QUIET_MS = 25_000;
const ANSWER_MS = 8_000;
const OUTBOX_MAX = 20;
const NOT_A_GOODBYE = 4999; // any code but 1000: after it the user stays a member for the grace period

export class Channel extends EventTarget {
  #urls; // the first is used; see `#isRefused`
  #token;
  #name;
  #history;
  #socket = null;
  #subscribed = false;
  #opened = false; // whether any connection has ever opened
  #position = null; // {epoch, offset} of the last message seen
  #replays = 0; // how many of the next messages are old ones
  #outbox = new Map(); // nonce -> data of messages that the server has not acknowledged, in order
  #failures = 0;
  #lostAt = null;
  #lostEpoch = null;
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
      this.#opened = opened = true;
      this.#listen(QUIET_MS);
      // By message and not with the handshake: why a handshake failed, no page is told.
      if (this.#token) this.#say({ type: "auth", id: "auth", token: this.#token });
      else this.#subscribe();
    };
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = async (event) => {
      if (!opened && (await this.#isRefused())) this.#urls.shift();
      if (this.#socket === socket) this.#lost(event);
    };
  }

  /**
   * Whether the address itself was refused. Browsers do not tell a page why a handshake failed, so it asks whether the
   * server is up. An address that has worked once is kept: a server that restarts refuses connections too.
   */
  async #isRefused() {
    if (this.#opened || this.#urls.length === 1) return false;
    const health = new URL("health", new URL("./", location.href));
    return fetch(health).then((answer) => answer.ok, () => false);
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

  /**
   * Sends a message, or keeps it until the connection is back; false when too many wait already. It is sent until the
   * server acknowledges it, and the idempotency key makes sure that it is published once.
   */
  send(data) {
    if (this.#outbox.size >= OUTBOX_MAX) return false;
    this.#outbox.set(data.nonce, data);
    if (this.#subscribed) this.#publish(data);
    return true;
  }

  #publish(data) {
    const { nonce } = data;
    this.#say({ type: "publish", id: nonce, channel: this.#name, data, echo: true, idempotency_key: nonce });
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
        // Where a cookie brought a token too, the server says so by itself, and we have subscribed already.
        if (message.id !== "auth") return;
        this.#tell("known", { user: message.user_id });
        return this.#subscribe();
      case "subscribed":
        return this.#joined(message);
      case "message":
        return this.#message(message);
      case "join":
      case "leave":
        return this.#tell(message.type, { user: message.user });
      case "presence":
        return this.#tell("members", message);
      case "response":
        if (this.#outbox.delete(message.id)) this.#tell("sent", { nonce: message.id });
        return;
      case "disconnect":
        this.#retryMs = message.reconnect ? (message.retryAfter ?? 0) * 1000 : null;
        if (!message.reconnect) this.close(message.reason);
        return;
      case "error":
        return this.#refused(message);
    }
  }

  #joined({ epoch, offset, recovered, replayed = 0, members = [], users = members.length }) {
    this.#failures = 0;
    this.#subscribed = true;
    this.#tell("state", { state: "online" });
    const cutMs = this.#lostAt === null ? undefined : Date.now() - this.#lostAt;
    this.#lostAt = null;
    const facts = { recovered, cutMs, sameEpoch: this.#lostEpoch === epoch, members, users };
    this.#lostEpoch = null;
    if (recovered === false) {
      // Some of what was missed is gone. Load what the channel still has.
      this.#lostEpoch = this.#position.epoch;
      this.#position = null;
      this.#subscribed = false;
      this.#tell("subscribed", { ...facts, replayed: 0 });
      this.#say({ type: "unsubscribe", channel: this.#name });
      return this.#subscribe();
    }
    // Replayed messages are the newest ones, so the offset before them is known. After a recovery it is
    // the one that was asked for.
    this.#position = { epoch, offset: offset - replayed };
    this.#replays = replayed;
    this.#tell("subscribed", { ...facts, replayed });
    for (const data of this.#outbox.values()) this.#publish(data);
  }

  #message({ offset, from, data, binary, timestamp }) {
    if (offset === undefined) return; // to this user or to everyone, not to the room
    if (this.#position === null || offset <= this.#position.offset) return;
    this.#position.offset = offset;
    const replayed = this.#replays > 0;
    if (replayed) this.#replays -= 1;
    this.#tell("message", { epoch: this.#position.epoch, offset, from, data, binary, timestamp, replayed });
  }

  #refused({ id, code, error, retryAfter }) {
    if (this.#outbox.has(id)) return this.#rejected(id, error, retryAfter);
    this.#tell("problem", { code, text: error });
    if (id !== "subscribe" && id !== "auth") return;
    if (retryAfter === undefined) return this.close(error);
    this.#retryMs = retryAfter * 1000;
    this.#drop();
    this.#wait();
  }

  /** The server did not take a message: not now, which is tried again, or never. */
  #rejected(nonce, text, retryAfter) {
    if (retryAfter === undefined) {
      this.#outbox.delete(nonce);
      return this.#tell("rejected", { nonce, text });
    }
    const socket = this.#socket;
    setTimeout(() => {
      // On another connection it has been sent again already.
      if (socket === this.#socket && this.#outbox.has(nonce)) this.#publish(this.#outbox.get(nonce));
    }, retryAfter * 1000);
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
    this.#subscribed = false;
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
