// Chromium over TLS: its page, its requests and its WebSockets share one connection of HTTP/2 (RFC 8441).
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { launch, Tab } from "../support/browser.js";
import { certify } from "../support/certificate.js";
import { Line } from "../support/line.js";
import { freePort, Server } from "../support/server.js";

const folder = mkdtempSync(path.join(tmpdir(), "fanfare-http2-"));

let browser;
let port;
let server;

before(async () => {
  const { certificate, key } = await certify(folder);
  port = await freePort();
  const env = {
    FANFARE_TLS_LISTEN: `127.0.0.1:${port}`,
    FANFARE_TLS_CERT_FILE: certificate,
    FANFARE_TLS_KEY_FILE: key,
  };
  [server, browser] = await Promise.all([Server.start({ env }), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** A page of the server's, and the statuses of the handshakes that it makes. */
async function open() {
  const { page } = await Tab.open(browser, { ignoreHTTPSErrors: true });
  const statuses = [];
  const inspector = await page.context().newCDPSession(page);
  await inspector.send("Network.enable");
  inspector.on("Network.webSocketHandshakeResponseReceived", ({ response }) => statuses.push(response.status));
  await page.goto(`https://localhost:${port}/health`);
  return { page, statuses };
}

test("a page's WebSockets are streams of the connection that brought the page", async () => {
  const { page, statuses } = await open();
  const line = await Line.open(server.socket("boris"));
  await line.ask({ type: "subscribe", id: 1, channel: "chat:h2" });
  const heard = await page.evaluate(async () => {
    const [{ nextHopProtocol }] = performance.getEntriesByType("navigation");
    const sockets = [];
    for (const user of ["ann", "chiara"]) {
      const socket = new WebSocket(`wss://${location.host}/ws?user=${user}`, ["fanfare.native.json"]);
      sockets.push(socket);
      await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
      const subscribed = new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(JSON.parse(data).type)));
      socket.send(JSON.stringify({ type: "subscribe", channel: "chat:h2" }));
      await subscribed;
    }
    const messages = sockets.map(
      (socket) => new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(JSON.parse(data).data))),
    );
    sockets[0].send(JSON.stringify({ type: "message", channel: "chat:h2", data: "é🎺".repeat(9000) }));
    const data = await Promise.all(messages);
    const { protocol } = sockets[0];
    const codes = sockets.map(
      (socket) => new Promise((resolve) => (socket.onclose = ({ code, wasClean }) => resolve([code, wasClean]))),
    );
    for (const socket of sockets) socket.close(1000);
    return { nextHopProtocol, protocol, same: data.every((text) => text === "é🎺".repeat(9000)), ends: await Promise.all(codes) };
  });
  assert.deepEqual(heard, {
    nextHopProtocol: "h2",
    protocol: "fanfare.native.json",
    same: true,
    ends: [
      [1000, true],
      [1000, true],
    ],
  });
  // 101 is HTTP/1.1's.
  assert.deepEqual(statuses, [200, 200]);
  assert.equal((await line.next("message")).from, "ann");
  await line.close();
  await page.context().close();
});

test("a page that is shut takes its streams with it, and another goes on", async () => {
  const join = async ({ page }) => {
    await page.evaluate(async () => {
      globalThis.socket = new WebSocket(`wss://${location.host}/ws`);
      await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
    });
  };
  const [first, second] = [await open(), await open()];
  await join(first);
  await join(second);
  await first.page.context().close();
  const type = await second.page.evaluate(async () => {
    const answer = new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(JSON.parse(data).type)));
    socket.send(JSON.stringify({ type: "ping" }));
    return answer;
  });
  assert.equal(type, "pong");
  assert.deepEqual([first.statuses, second.statuses], [[200], [200]]);
  await second.page.context().close();
});

test("the end of the server reaches the page as a close", async () => {
  const { page } = await open();
  const closed = page.evaluate(async () => {
    const socket = new WebSocket(`wss://${location.host}/ws`);
    await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
    console.info("open");
    return new Promise((resolve) => (socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean })));
  });
  await page.waitForEvent("console");
  await server.stop();
  assert.deepEqual(await closed, { code: 1012, wasClean: true });
});
