// The project's own fault proxy between a client and a port of this host.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";

import { BINARY } from "./server.js";

const PROXY = path.join(path.dirname(BINARY), "fanfare-faults");

export class Faults {
  #process;
  #answers;

  /** A whole line to a port; what is random follows from the seed. */
  static async start(port, seed = 0) {
    const faults = new Faults();
    const child = spawn(PROXY, [`127.0.0.1:${port}`, `${seed}`], { stdio: ["pipe", "pipe", "inherit"] });
    faults.#process = child;
    faults.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    faults.port = Number((await faults.#answer()).split(":")[1]);
    return faults;
  }

  /** Gives an order, of which `crates/testkit/src/faults/orders.rs` has the list, and waits until it is carried out. */
  async order(line) {
    this.#process.stdin.write(`${line}\n`);
    const answer = await this.#answer();
    if (!answer.startsWith("ok")) throw new Error(`${line}: ${answer}`);
    return answer.slice("ok".length).trim();
  }

  async #answer() {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("the fault proxy has ended");
    return value;
  }

  async dispose() {
    const gone = once(this.#process, "exit");
    this.#process.stdin.end();
    await gone;
  }
}
