// The names of this browser's tabs: each tab proposes one that no other tab uses.

const PROPOSED = ["Ann", "Boris", "Chiara", "David", "Emre", "Fatima", "Grace", "Hiro"];
const ANSWER_MS = 120;

export class Names {
  #tabs = new BroadcastChannel("fanfare.names");
  #mine = null;
  #taken = new Set();

  constructor() {
    this.#tabs.onmessage = ({ data }) => {
      if (data.ask && this.#mine !== null) this.#tabs.postMessage({ taken: this.#mine });
      if (data.taken) this.#taken.add(data.taken);
    };
  }

  /** The preferred name if no other tab has it, else another; the other tabs get a moment to answer. */
  async propose(preferred) {
    this.#tabs.postMessage({ ask: true });
    await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
    const candidates = preferred === "" ? PROPOSED : [preferred, ...PROPOSED];
    return candidates.find((name) => !this.#taken.has(name)) ?? preferred;
  }

  take(name) {
    this.#mine = name;
  }

  release() {
    this.#mine = null;
  }
}
