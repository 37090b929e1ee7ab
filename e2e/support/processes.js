// The clients of support/clients.js, for programs: curl, and Python with `websockets` and with its own library.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const PYTHON = fileURLToPath(new URL("../../.cache/venv/bin/python", import.meta.url));
const CLIENT = fileURLToPath(new URL("../python/client.py", import.meta.url));

/** Starts a program, hears its lines, and starts it again when it ends, until it is closed. */
function again(program, nextArguments, hear) {
  let child;
  let closed = false;
  const running = (async () => {
    while (!closed) {
      child = spawn(program, nextArguments(), { stdio: ["ignore", "pipe", "inherit"] });
      const gone = once(child, "exit");
      for await (const line of createInterface({ input: child.stdout })) hear(line);
      await gone;
    }
  })();
  return async () => {
    closed = true;
    child.kill();
    await running;
  };
}

const RETRY = ["--retry-connrefused", "--retry", "100", "--retry-delay", "1"];
const curl = async (...options) => JSON.parse((await promisify(execFile)("curl", ["-sSf", ...options])).stdout);

/** curl listens to a channel; whoever starts it again gives it the last id. */
export async function curlListening({ url, token, channel, tell }) {
  let last;
  const address = `${url}sse?channels=${channel}`;
  const options = () => ["-sfN", ...RETRY, "-H", `Authorization: Bearer ${token}`, address];
  const hear = (line) => {
    const [field, value] = [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)];
    if (field === "retry") tell({ type: "opened" });
    if (field === "id") last = value;
    if (field === "data") tell(JSON.parse(value));
  };
  return { close: again("curl", () => [...(last ? ["-H", `Last-Event-ID: ${last}`] : []), ...options()], hear) };
}

/** curl reads lines, and another curl sends. */
export async function curlLines({ url, token, tell }) {
  const { session } = await curl("-X", "POST", "-H", `Authorization: Bearer ${token}`, `${url}session`);
  let seen = 0;
  const hear = (line) => {
    if (line.length > 1000 && !line.trim()) tell({ type: "opened" }); // the padding
    if (!line.trim()) return;
    seen += 1;
    tell(JSON.parse(line));
  };
  const options = () => ["-sfN", ...RETRY, `${url}stream?session=${session}&seen=${seen}`];
  return {
    say: (message) => curl("-d", JSON.stringify(message), "-H", "Content-Type: text/plain", `${url}send?session=${session}`),
    close: again("curl", options, hear),
  };
}

const python = (kind) =>
  async function ({ url, token, channel, tell }) {
    const child = spawn(PYTHON, [CLIENT, kind, url, token, channel], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: child.stdout }).on("line", (line) => tell(JSON.parse(line)));
    return {
      say: (message) => child.stdin.write(`${JSON.stringify(message)}\n`),
      close: async () => {
        const gone = once(child, "exit");
        child.kill();
        await gone;
      },
    };
  };
export const pythonWebsockets = python("frames");
export const pythonEvents = python("events");
