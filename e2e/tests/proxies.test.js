// Chromium through the documented nginx and HAProxy, over TLS and HTTP/2; the proxy is killed and started again.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";

import { launch, Tab } from "../support/browser.js";
import * as clients from "../support/clients.js";
import { Proxy } from "../support/proxy.js";
import { inChromium, missesNothing } from "../support/scenario.js";
import { Server } from "../support/server.js";

let server;
let browser;

before(async () => {
  const env = {
    FANFARE_AUTH_MODE: "required",
    FANFARE_NETWORK_TRUSTED_PROXIES: "127.0.0.1/32",
    FANFARE_NETWORK_CLIENT_ADDRESS: "x-forwarded-for",
  };
  [server, browser] = await Promise.all([Server.start({ secure: true, env }), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
});

const CLIENTS = {
  WebSocket: clients.frames,
  EventSource: clients.events,
  "fetch, streaming": clients.lines,
  "fetch, polling": clients.polls,
};

// nginx passes WebSockets on only from connections of their own; 101 is HTTP/1.1's, 200 HTTP/2's.
for (const [kind, upgraded] of Object.entries({ nginx: 101, haproxy: 200 })) {
  describe(`through ${kind}, Chromium misses nothing`, { concurrency: 4 }, () => {
    for (const [name, client] of Object.entries(CLIENTS)) {
      test(name, { timeout: 60_000 }, async () => {
        const proxy = await Proxy.start(kind, server);
        const line = { url: proxy.url, cut: () => proxy.stop(), heal: () => proxy.again() };
        const user = `${kind}-${name.replaceAll(/\W+/g, "-")}`;
        try {
          await missesNothing(inChromium(browser, client), { server, line, user });
        } finally {
          await proxy.dispose();
        }
      });
    }
  });

  test(`through ${kind}, a page has nine streams and a WebSocket at once`, { timeout: 60_000 }, async () => {
    const proxy = await Proxy.start(kind, server);
    try {
      const { page } = await Tab.open(browser, { ignoreHTTPSErrors: true });
      const inspector = await page.context().newCDPSession(page);
      await inspector.send("Network.enable");
      const handshake = once(inspector, "Network.webSocketHandshakeResponseReceived");
      await page.goto(proxy.url);
      const opened = await page.evaluate(async (token) => {
        const sources = Array.from({ length: 9 }, () => new EventSource(`/sse?channels=chat:nine&token=${token}`));
        const subscribed = sources.map((source) => new Promise((resolve) => (source.onmessage = resolve)));
        await Promise.all(subscribed);
        const socket = new WebSocket(`wss://${location.host}/ws?token=${token}`);
        await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
        const [{ nextHopProtocol }] = performance.getEntriesByType("navigation");
        return { nextHopProtocol, count: sources.length };
      }, server.token(`${kind}-nine`));
      assert.deepEqual(opened, { nextHopProtocol: "h2", count: 9 });
      const [{ response }] = await handshake;
      assert.equal(response.status, upgraded);
      await page.context().close();
    } finally {
      await proxy.dispose();
    }
  });
}
