// Who gets in by which road, and how long they stay: npm's `ws`, a page in Chromium, and Python's `websockets`.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { launch, Tab } from "../support/browser.js";
import { Line } from "../support/line.js";
import { Server, sign } from "../support/server.js";

const PYTHON = fileURLToPath(new URL("../../.cache/venv/bin/python", import.meta.url));
const SCENARIO = fileURLToPath(new URL("../python/tokens.py", import.meta.url));
const CSRF = "the-csrf-token-of-this-session";

let server;
let browser;

before(async () => {
  const env = {
    FANFARE_AUTH_MODE: "required",
    FANFARE_AUTH_COOKIE: "session",
    FANFARE_DEADLINES_AUTHENTICATION: "1s",
    FANFARE_DEADLINES_EXPIRY_WARNING: "3s",
  };
  [server, browser] = await Promise.all([Server.start({ secure: true, env }), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
});

const connect = { type: "connect", id: "who" };

test("each road brings a token in, and the subprotocol is not answered with it", async () => {
  const token = server.token("ann");
  const cookie = { Cookie: `session=${token}; fanfare_csrf=${CSRF}`, Origin: server.url.slice(0, -1) };
  const roads = {
    header: [server.address, [], { headers: { Authorization: `Bearer ${token}` } }],
    query: [`${server.address}?token=${token}`, []],
    subprotocol: [server.address, [`auth.${token}`, "fanfare.native"]],
    cookie: [`${server.address}?csrf=${CSRF}`, [], { headers: cookie }],
  };
  for (const [road, [address, protocols, options]] of Object.entries(roads)) {
    const line = await Line.open(address, protocols, options);
    assert.equal(line.socket.protocol, road === "subprotocol" ? "fanfare.native" : "");
    const { user_id, expires_in } = await line.ask(connect);
    assert.equal(user_id, "ann", road);
    assert.ok(expires_in > 3500 && expires_in <= 3600, `${expires_in}`);
    await line.close();
  }
  const line = await Line.open(server.address);
  const { type, user_id } = await line.ask({ type: "auth", id: 1, token });
  assert.deepEqual([type, user_id], ["authenticated", "ann"]);
  await line.close();
});

test("what is no good token is refused with 401 and its reason, and nothing of it is repeated", async () => {
  const tokens = {
    authentication_failed: sign({ sub: "ann", exp: Date.now() / 1000 + 60 }, "not-the-servers-secret-at-all"),
    token_expired: server.token("ann", -60),
  };
  for (const [code, token] of Object.entries(tokens)) {
    for (const [query, protocols] of [[`?token=${token}`, []], ["", [`auth.${token}`]]]) {
      const { status, error } = await Line.refused(server.address + query, protocols);
      assert.deepEqual([status, error.code], [401, code]);
      assert.ok(!error.message.includes(token.slice(-20)));
    }
    const line = await Line.open(server.address);
    line.say({ type: "auth", id: 1, token });
    assert.equal((await line.next("error")).code, code);
    assert.equal((await line.closed).code, 4001);
  }
  const [ann, boris] = [server.token("ann"), server.token("boris")];
  const two = await Line.refused(`${server.address}?token=${ann}`, [`auth.${boris}`]);
  assert.deepEqual([two.status, two.error.code], [400, "bad_handshake"]);
});

test("who does not say who it is can do nothing, and not for long", async () => {
  const line = await Line.open(server.address);
  const refused = await line.ask({ type: "subscribe", id: 1, channel: "chat:lobby" });
  assert.equal(refused.code, "authentication_required");
  assert.equal((await line.ask({ type: "ping", id: 2 })).type, "pong");
  assert.equal((await line.next("error")).code, "authentication_required");
  assert.equal((await line.closed).code, 4001);
});

test("a connection ends with its token, unless there is a newer one in time", async () => {
  const open = () => Line.open(`${server.address}?token=${server.token("ann", 4)}`);
  const [renewed, ended] = await Promise.all([open(), open()]);
  await renewed.ask({ type: "subscribe", id: 1, channel: "chat:expiry" });
  const { expires_in } = await renewed.next("expiring");
  assert.ok(expires_in > 0 && expires_in <= 3, `${expires_in}`);
  const other = await renewed.ask({ type: "auth", id: 2, token: server.token("boris") });
  assert.equal(other.code, "authentication_failed");
  const answer = await renewed.ask({ type: "auth", id: 3, token: server.token("ann") });
  assert.deepEqual([answer.type, answer.user_id], ["authenticated", "ann"]);

  assert.equal((await ended.next("error")).code, "token_expired");
  const { code, reconnect } = await ended.next("disconnect");
  assert.deepEqual([code, reconnect], [4001, false]);
  assert.equal((await ended.closed).code, 4001);
  // Who had the same token and renewed it is still there.
  assert.equal((await renewed.ask({ type: "publish", id: 4, channel: "chat:expiry", data: 1 })).data.published, true);
  await renewed.close();
});

test("a private channel takes a subscription's token, and that takes its own user", async () => {
  const line = await Line.open(`${server.address}?token=${server.token("ann")}`);
  const subscribe = { type: "subscribe", channel: "chat:$board" };
  const denied = await line.ask({ ...subscribe, id: 1 });
  assert.equal(denied.code, "permission_denied");
  const anothers = server.token("boris", 60, { channel: "chat:$board" });
  assert.equal((await line.ask({ ...subscribe, id: 2, token: anothers })).code, "authentication_failed");
  const own = server.token("ann", 60, { channel: "chat:$board" });
  assert.equal((await line.ask({ ...subscribe, id: 3, token: own })).type, "subscribed");
  const published = await line.ask({ type: "publish", id: 4, channel: "chat:$board", data: 1 });
  assert.equal(published.code, "permission_denied", "a subscription's token is for reading");
  await server.post("api/publish", { channel: "chat:$board", data: "to the board" });
  assert.equal((await line.next("message")).data, "to the board");
  // Neither kind of token can be used as the other.
  const refused = await Line.refused(`${server.address}?token=${own}`);
  assert.deepEqual([refused.status, refused.error.code], [401, "authentication_failed"]);
  await line.close();
});

/** Opens a WebSocket in a page, says something, and returns all that is heard up to the end or the type wanted. */
function inPage(page, { address, protocols = [], say, until }) {
  const task = ({ address, protocols, say, until }) =>
    new Promise((resolve) => {
      const heard = [];
      const socket = new WebSocket(address, protocols);
      socket.onopen = () => say.forEach((message) => socket.send(JSON.stringify(message)));
      socket.onclose = ({ code }) => resolve({ code, heard });
      socket.onmessage = ({ data }) => {
        heard.push(JSON.parse(data));
        if (heard.at(-1).type !== until) return;
        socket.onclose = null;
        socket.close();
        resolve({ code: null, heard, protocol: socket.protocol });
      };
    });
  return page.evaluate(task, { address, protocols, say: [say ?? { type: "connect" }].flat(), until });
}

test("a page gets in by each road that a browser has", async () => {
  const { page } = await Tab.open(browser);
  await page.goto(server.url);
  const token = server.token("ann");
  const user = ({ heard }) => heard.find(({ type }) => type === "connected")?.user_id;
  const until = "connected";

  assert.equal(user(await inPage(page, { address: `${server.address}?token=${token}`, until })), "ann");
  const protocols = ["fanfare.native", `auth.${token}`];
  const agreed = await inPage(page, { address: server.address, protocols, until });
  assert.deepEqual([user(agreed), agreed.protocol], ["ann", "fanfare.native"]);
  const say = [{ type: "auth", token }, { type: "connect" }];
  assert.equal(user(await inPage(page, { address: server.address, say, until })), "ann");

  await page.context().addCookies([
    { name: "session", value: token, url: server.url, httpOnly: true },
    { name: "fanfare_csrf", value: CSRF, url: server.url },
  ]);
  assert.equal(user(await inPage(page, { address: `${server.address}?csrf=${CSRF}`, until })), "ann");
  const without = await inPage(page, { address: server.address, until });
  assert.equal(without.code, 1006, "a cookie alone shows nothing");
  const forged = await inPage(page, { address: `${server.address}?csrf=${"x".repeat(CSRF.length)}`, until });
  assert.equal(forged.code, 1006);
});

test("a page without a token, and a page of another origin, stay out", async () => {
  const { page } = await Tab.open(browser);
  await page.goto(server.url);
  const nobody = await inPage(page, { address: server.address });
  assert.equal(nobody.code, 4001);
  assert.ok(nobody.heard.every(({ code }) => code === "authentication_required" || code === 4001));

  const elsewhere = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end("<!doctype html><title>elsewhere</title>");
  }).listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  try {
    await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
    const address = `${server.address}?token=${server.token("ann")}`;
    const { code, heard } = await inPage(page, { address, until: "connected" });
    assert.deepEqual([code, heard], [1006, []]);
  } finally {
    elsewhere.close();
  }
  const headers = { Origin: "http://elsewhere.example" };
  const { status, error } = await Line.refused(`${server.address}?token=${server.token("ann")}`, [], { headers });
  assert.deepEqual([status, error.code], [403, "origin_not_allowed"]);
});

test("the demo page takes a token, and says plainly when it needs one", async () => {
  const ann = await Tab.open(browser);
  await ann.page.goto(`${server.url}?token=${server.token("ann")}`);
  assert.ok(!ann.page.url().includes("token"), "the address can be shown to others");
  await ann.page.getByLabel("Your name").fill("Ann");
  await ann.page.getByRole("button", { name: "Join the room" }).click();
  await ann.state("Connected");
  await ann.say("Good morning!");
  await ann.people("ann");
  await ann.page.reload();
  await ann.state("Connected");
  await ann.sees("Good morning!");
  const opened = ann.page.context().waitForEvent("page");
  await ann.page.getByRole("link", { name: "Open a second tab" }).click();
  const second = new Tab(await opened);
  await second.page.getByRole("button", { name: "Join the room" }).click();
  await second.sees("Good morning!");
  assert.ok(!second.page.url().includes("token"), "nor is that of the second tab");

  const late = await Tab.open(browser);
  await late.page.goto(`${server.url}?token=${server.token("ann", -60)}`);
  await late.page.getByLabel("Your name").fill("Late");
  await late.page.getByRole("button", { name: "Join the room" }).click();
  const asked = (tab) => tab.page.getByRole("textbox", { name: "Token" }).waitFor();
  await asked(late);
  assert.match(await late.page.locator("#refusal").textContent(), /expired/);

  const nobody = await Tab.open(browser);
  await nobody.page.goto(server.url);
  await nobody.page.getByLabel("Your name").fill("Nobody");
  await nobody.page.getByRole("button", { name: "Join the room" }).click();
  await asked(nobody);
  assert.match(await nobody.page.locator("#refusal").textContent(), /asks for a token/);
  await nobody.picture("token-wanted");
});

test("python's websockets gets in by each road, and is told why not", async () => {
  const [good, old] = [server.token("ann"), server.token("ann", -60)];
  const board = server.token("ann", 60, { channel: "chat:$board" });
  const { stdout } = await promisify(execFile)(PYTHON, [SCENARIO, server.address, good, old, board]);
  assert.equal(stdout, "ok roads\nok refusals\nok private_channel\n");
});
