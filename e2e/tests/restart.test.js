// A server that is started anew under open pages: what the documentation shows goes on by itself and misses nothing.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";

import { launch, Tab } from "../support/browser.js";
import { Proxy } from "../support/proxy.js";
import { Server } from "../support/server.js";

const PAGE = readFileSync(new URL("../../docs/transports.md", import.meta.url), "utf8");

/** The first block of JavaScript in the page that contains a word. */
function block(word) {
  const blocks = [...PAGE.matchAll(/```js\n(.*?)```/gs)].map(([, text]) => text);
  const found = blocks.find((text) => text.includes(word));
  assert.ok(found, `docs/transports.md has a block of JavaScript with ${word}`);
  return found;
}

let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** What a page has logged, to wait on. */
async function opened(url, script) {
  const { page } = await Tab.open(browser, { ignoreHTTPSErrors: true });
  const heard = [];
  let wake = () => {};
  await page.exposeFunction("tell", (message) => {
    heard.push(message);
    wake();
  });
  await page.goto(url);
  await page.evaluate(`(() => { ${script.replaceAll("console.log(", "tell(")} })()`);
  const has = async (fits) => {
    while (!heard.some(fits)) await new Promise((resolve) => (wake = resolve));
  };
  return { page, heard, has, close: () => page.context().close() };
}

async function publish(server, data) {
  const response = await server.post("api/publish", { channel: "news", data });
  assert.equal(response.status, 200);
}

/** Publishes, starts the server anew, publishes while nobody is there yet and once they are, and looks what was heard. */
async function goesOn(server, { heard, has }, restart) {
  await has(({ type }) => type === "subscribed");
  await publish(server, "before");
  await has(({ data }) => data === "before");
  await restart();
  await publish(server, "meanwhile");
  await has(({ data }) => data === "meanwhile");
  await publish(server, "after");
  await has(({ data }) => data === "after");
  const messages = heard.filter(({ type }) => type === "message").map(({ data }) => data);
  assert.deepEqual(messages, ["before", "meanwhile", "after"]);
}

const LISTENING = `${block("/sse?channels=news,sport")}
  globalThis.source = source;`;

describe("an EventSource outlives the server", { concurrency: 3 }, () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"]) {
    test(`that it is connected to, ${signal}`, { timeout: 60_000 }, async () => {
      const server = await Server.start();
      try {
        const tab = await opened(server.url, LISTENING);
        await goesOn(server, tab, () => server.restart(signal));
        assert.equal(await tab.page.evaluate(() => globalThis.source.readyState), 1);
        await tab.close();
      } finally {
        await server.dispose();
      }
    });
  }

  for (const kind of ["nginx", "haproxy"]) {
    test(`behind ${kind}, which is alone for a while`, { timeout: 60_000 }, async () => {
      const server = await Server.start();
      const proxy = await Proxy.start(kind, server);
      try {
        const tab = await opened(proxy.url, LISTENING);
        const refused = tab.page.waitForResponse(
          async (response) => response.url().includes("/sse") && (await response.text()).includes("no server is there"),
        );
        await goesOn(server, tab, async () => {
          assert.equal(await server.stop(), 0);
          assert.equal((await refused).status(), 200);
          await server.start();
        });
        assert.equal(await tab.page.evaluate(() => globalThis.source.readyState), 1);
        await tab.close();
      } finally {
        await proxy.dispose();
        await server.dispose();
      }
    });
  }

  test("that turns it away, full as it is", { timeout: 60_000 }, async () => {
    const server = await Server.start({ env: { FANFARE_LIMITS_CONNECTIONS_MAX: "1" } });
    try {
      const first = await opened(server.url, LISTENING);
      await first.has(({ type }) => type === "subscribed");
      const second = await opened(server.url, LISTENING);
      await second.page.waitForFunction(() => globalThis.source.readyState === 0);
      await first.close();
      await second.has(({ type }) => type === "subscribed");
      await second.close();
    } finally {
      await server.dispose();
    }
  });
});

test("a page that polls by hand outlives the server", { timeout: 60_000 }, async () => {
  const server = await Server.start();
  try {
    const script = block("&wait=25s");
    assert.ok(script.trim().split("\n").length <= 22, "it stays short");
    const tab = await opened(server.url, `${script}; globalThis.say = say;`);
    await goesOn(server, tab, () => server.restart());
    assert.equal(await tab.page.evaluate(async () => (await globalThis.say({ type: "ping", id: 7 })).status), 202);
    await tab.has(({ type, id }) => type === "pong" && id === 7);
    await tab.close();
  } finally {
    await server.dispose();
  }
});

test("a page of a named origin sends its cookies along", { timeout: 60_000 }, async () => {
  const pages = createServer((request, response) => response.end("a page")).listen(0, "localhost");
  await once(pages, "listening");
  const origin = `http://localhost:${pages.address().port}`;
  const env = { FANFARE_AUTH_MODE: "required", FANFARE_AUTH_COOKIE: "token", FANFARE_AUTH_CSRF_COOKIE: "guard" };
  const server = await Server.start({ secure: true, origin, env });
  try {
    const { page } = await Tab.open(browser);
    const guard = "0123456789abcdef0123456789abcdef";
    await page.context().addCookies([
      { name: "token", value: server.token("ann"), url: origin, httpOnly: true },
      { name: "guard", value: guard, url: origin },
    ]);
    await page.goto(origin);
    const told = await page.evaluate(async ({ url, guard }) => {
      const source = new EventSource(`${url}sse?csrf=${guard}`, { withCredentials: true });
      const session = await new Promise((resolve, reject) => {
        source.onerror = () => reject(new Error("the EventSource was not let in"));
        source.addEventListener("session", (event) => resolve(JSON.parse(event.data).session));
      });
      const answer = new Promise((resolve) => (source.onmessage = (event) => resolve(JSON.parse(event.data))));
      const body = JSON.stringify({ type: "connect" });
      const headers = { "Fanfare-Session": session, "X-CSRF-Token": guard };
      const sent = await fetch(`${url}send`, { method: "POST", body, headers, credentials: "include" });
      const begun = await fetch(`${url}session`, { method: "POST", headers: { "X-CSRF-Token": guard }, credentials: "include" });
      return { user: (await answer).user_id, sent: sent.status, begun: begun.status };
    }, { url: `http://localhost:${server.port}/`, guard });
    assert.deepEqual(told, { user: "ann", sent: 202, begun: 201 });
    await page.context().close();
  } finally {
    await server.dispose();
    pages.close();
  }
});
