// The documented configurations of nginx and HAProxy in front of a server, over TLS, on a port of their own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { certify } from "./certificate.js";
import { freePort } from "./server.js";

const DEPLOY = fileURLToPath(new URL("../../deploy/", import.meta.url));
const KINDS = {
  nginx: { file: "nginx/fanfare.conf", program: "/usr/sbin/nginx", arguments: ["-e", "stderr", "-c"] },
  haproxy: { file: "haproxy/haproxy.cfg", program: "/usr/sbin/haproxy", arguments: ["-db", "-f"] },
};

/** What an nginx.conf has around the documented file, with nothing outside its folder. */
const around = (folder, file) => `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
events {}
http {
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  include ${file};
}`;

export class Proxy {
  #kind;
  #process;
  #folder = mkdtempSync(path.join(tmpdir(), "fanfare-proxy-"));

  /** Starts nginx or haproxy in front of a server. */
  static async start(kind, server) {
    const proxy = new Proxy();
    proxy.#kind = KINDS[kind];
    const { certificate, key } = await certify(proxy.#folder);
    writeFileSync(path.join(proxy.#folder, "fanfare.pem"), readFileSync(certificate, "utf8") + readFileSync(key, "utf8"));
    const [plain, tls] = [await freePort(), await freePort()];
    const text = readFileSync(DEPLOY + proxy.#kind.file, "utf8")
      .replace("listen 80;", `listen 127.0.0.1:${plain};`)
      .replace("listen 443 ssl", `listen 127.0.0.1:${tls} ssl`)
      .replace("bind :80", `bind 127.0.0.1:${plain}`)
      .replace("bind :443", `bind 127.0.0.1:${tls}`)
      .replace("127.0.0.1:8000", `127.0.0.1:${server.port}`)
      .replace("/etc/nginx/tls/fanfare.crt", certificate)
      .replace("/etc/nginx/tls/fanfare.key", key)
      .replaceAll(/\/etc\/haproxy|\/var\/log\/nginx/g, proxy.#folder);
    const file = path.join(proxy.#folder, "fanfare.conf");
    writeFileSync(file, text);
    writeFileSync(path.join(proxy.#folder, "nginx.conf"), around(proxy.#folder, file));
    proxy.port = tls;
    await proxy.again();
    return proxy;
  }

  get url() {
    return `https://localhost:${this.port}/`;
  }

  /** Starts the process, and waits until it listens. */
  async again() {
    const file = path.join(this.#folder, this.#kind === KINDS.nginx ? "nginx.conf" : "fanfare.conf");
    this.#process = spawn(this.#kind.program, [...this.#kind.arguments, file], { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    this.#process.stderr.on("data", (text) => (log += text));
    for (;;) {
      const socket = connect(this.port, "127.0.0.1");
      const accepted = await once(socket, "connect").then(() => true, () => false);
      socket.destroy();
      if (accepted) return;
      if (this.#process.exitCode !== null) throw new Error(`${this.#kind.program} has ended:\n${log}`);
    }
  }

  /** Ends the process, and with it every line through it. */
  async stop() {
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async dispose() {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
