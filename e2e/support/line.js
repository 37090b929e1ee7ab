// A connection of npm's `ws`, with its messages in a queue to wait on.
import { once } from "node:events";
import WebSocket from "ws";

export class Line {
  #queue = [];
  #waiting = [];

  constructor(address, protocols, options) {
    this.socket = new WebSocket(address, protocols, options);
    this.closed = once(this.socket, "close").then(([code, reason]) => ({ code, reason: reason.toString() }));
    this.socket.on("message", (bytes, binary) => this.#arrived(binary ? bytes : JSON.parse(bytes.toString())));
    this.socket.on("error", () => {}); // told by `opened` or `closed`
  }

  /** The status and the body of the answer to a handshake that the server refuses. */
  static async refused(address, protocols, options) {
    const { socket } = new Line(address, protocols, options);
    const [request, response] = await once(socket, "unexpected-response");
    const chunks = await response.toArray();
    request.destroy();
    return { status: response.statusCode, ...JSON.parse(Buffer.concat(chunks).toString()) };
  }

  static async open(address, protocols, options) {
    const line = new Line(address, protocols, options);
    await once(line.socket, "open");
    return line;
  }

  say(message) {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The first message not yet taken that is of this type. */
  async next(type) {
    const fits = (message) => type === undefined || message.type === type;
    const index = this.#queue.findIndex(fits);
    if (index >= 0) return this.#queue.splice(index, 1)[0];
    return new Promise((resolve, reject) => {
      this.#waiting.push({ fits, resolve });
      this.closed.then(({ code, reason }) => reject(new Error(`closed ${code} ${reason} before ${type}`)));
    });
  }

  /** The answer to a request. */
  async ask(message) {
    this.say(message);
    for (;;) {
      const answer = await this.next();
      if (answer.id === message.id) return answer;
    }
  }

  async close(code = 1000) {
    this.socket.close(code);
    return this.closed;
  }

  #arrived(message) {
    const index = this.#waiting.findIndex(({ fits }) => fits(message));
    if (index >= 0) this.#waiting.splice(index, 1)[0].resolve(message);
    else this.#queue.push(message);
  }
}
