// The built server as a process of its own, on a free port, in an empty folder.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const BINARY =
  process.env.FANFARE_BIN ?? path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target", "debug", "fanfare");

export const KEY = "the-end-to-end-tests-own-key";

export class Server {
  #process;
  #flags = [];
  #env = {};
  #folder = mkdtempSync(path.join(tmpdir(), "fanfare-e2e-"));
  log = "";

  constructor(port) {
    this.port = port;
  }

  /**
   * Starts one; pages of `origin` may connect to it beside its own. Most tests are not about limits and
   * authentication, so `--insecure` lifts them; those that are say `secure`, and what else they want by variables
   * of the environment.
   */
  static async start({ port, origin, secure = false, env = {} } = {}) {
    const server = new Server(port ?? (await freePort()));
    server.#flags = [...(origin ? ["--origin", origin] : []), ...(secure ? [] : ["--insecure"])];
    server.#env = env;
    await server.#spawn();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** The address of the WebSocket for a user, with further parameters. */
  socket(user, parameters = {}) {
    return `ws://127.0.0.1:${this.port}/ws?${new URLSearchParams({ user, ...parameters })}`;
  }

  /** The address of the WebSocket, for a client that does not say who it is. */
  get address() {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** A token of this server's own, for a user and some seconds; with `channel` for a subscription. */
  token(sub, seconds = 3600, claims = {}) {
    const secret = readFileSync(path.join(this.#folder, "token.secret"), "utf8").trim();
    return sign({ sub, exp: Math.floor(Date.now() / 1000) + seconds, ...claims }, secret);
  }

  async #spawn() {
    const child = spawn(BINARY, ["serve", "--listen", `127.0.0.1:${this.port}`, ...this.#flags], {
      cwd: this.#folder,
      env: {
        PATH: process.env.PATH,
        FANFARE_API_KEYS: KEY,
        FANFARE_DATA_DIR: this.#folder,
        FANFARE_ADMIN_LISTEN: "127.0.0.1:0", // several servers run at once
        ...this.#env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (this.log += text));
    await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${this.log}`)));
      accepts(this.port, () => child.exitCode === null).then(resolve, reject);
    });
  }

  /** Ends the process at once, as a power cut would, and starts it anew on the same port. */
  async crashAndRestart() {
    await this.stop("SIGKILL");
    await this.#spawn();
  }

  /** Asks it to end, as an operator does, and starts it anew on the same port. */
  async restart(signal = "SIGTERM") {
    await this.stop(signal);
    await this.start();
  }

  /** Starts it again once it has ended. */
  async start() {
    await this.#spawn();
  }

  /** Asks it to end; its exit code. */
  async stop(signal = "SIGTERM") {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return exitCode;
    const gone = once(this.#process, "exit");
    this.#process.kill(signal);
    const [code] = await gone;
    return code;
  }

  /** Ends it however it can, and fails when it panicked. */
  async dispose() {
    await this.stop("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
    if (this.log.includes("panicked")) throw new Error(`the server panicked:\n${this.log}`);
  }

  async post(path, body, headers = { "X-API-Key": KEY }) {
    return fetch(new URL(path, this.url), {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  }
}

/** A JSON Web Token as any library makes it. */
export function sign(claims, secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Settles when a connection is accepted. */
async function accepts(port, alive) {
  while (alive()) {
    const socket = connect(port, "127.0.0.1");
    const accepted = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (accepted) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the server ended before it listened");
}
