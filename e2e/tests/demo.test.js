// The demo page in real tabs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, Tab } from "../support/browser.js";
import { Line } from "../support/line.js";
import { Server } from "../support/server.js";

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
});

test("two people talk, and see each other come and go", async () => {
  const ann = await Tab.open(browser);
  const boris = await Tab.open(browser);
  await ann.join(server, "Ann", "two-people");
  await ann.people("Ann");
  await boris.join(server, "Boris", "two-people");
  await boris.people("Boris", "Ann");
  await ann.people("Ann", "Boris");
  await ann.notes("Boris joined");

  await ann.say("Good morning!");
  await boris.sees("Good morning!");
  await boris.say("And to you: <b>bold</b> & 🎺");
  await ann.sees("And to you: <b>bold</b> & 🎺");
  assert.deepEqual(await ann.texts(), await boris.texts());
  await ann.picture("talk");

  await boris.close();
  await ann.notes("Boris left");
  await ann.people("Ann");
  ann.isClean(server);
  boris.isClean(server);
});

test("a reload keeps the name, the room and what was said", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Ann", "reload");
  for (const text of ["one", "two", "three"]) await ann.say(text);
  await ann.page.reload();
  await ann.state("Connected");
  await ann.sees("three");
  assert.deepEqual(await ann.texts(), ["one", "two", "three"]);
  assert.equal(await ann.page.locator("#messages .own").count(), 3, "they are still Ann's own");
  await ann.say("four");
  assert.deepEqual(await ann.texts(), ["one", "two", "three", "four"]);

  const newcomer = await Tab.open(browser);
  await newcomer.join(server, "Chiara", "reload");
  await newcomer.sees("four");
  assert.deepEqual(await newcomer.texts(), ["one", "two", "three", "four"]);
  ann.isClean(server);
});

test("the second tab proposes another name", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Ann", "names");
  const [page] = await Promise.all([
    ann.page.context().waitForEvent("page"),
    ann.page.getByRole("link", { name: "Open a second tab" }).click(),
  ]);
  await page.waitForFunction(() => document.getElementById("name").value === "Boris");
  assert.equal(await page.getByRole("textbox", { name: "Room" }).inputValue(), "names");
  await page.getByRole("button", { name: "Join the room" }).click();
  await ann.people("Ann", "Boris");
});

test("a browser that was here before proposes its own name again", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Zoe", "own-name");
  const later = await ann.sibling();
  await ann.close();
  await later.page.goto(server.url);
  await later.page.waitForFunction(() => document.getElementById("name").value === "Zoe");
});

test("a server that wants tokens has a field for one", async () => {
  const other = await Server.start({ secure: true, env: { FANFARE_AUTH_MODE: "required" } });
  try {
    const ann = await Tab.open(browser);
    await ann.page.goto(other.url);
    await ann.page.getByLabel("Your name").fill("Ann");
    await ann.page.getByRole("textbox", { name: "Room" }).fill("tokens");
    await ann.page.getByRole("button", { name: "Join the room" }).click();
    const field = ann.page.getByRole("textbox", { name: "Token" });
    await field.waitFor();
    assert.match(await ann.page.locator("#refusal").textContent(), /token|authenticat/);
    assert.deepEqual(await ann.barriers(), []);
    await ann.picture("token");
    await field.fill("no.such.token");
    await ann.page.getByRole("button", { name: "Join the room" }).click();
    await ann.page.waitForFunction(() => document.getElementById("token").value === "");
    await field.fill(other.token("ann-of-the-token"));
    await ann.page.getByRole("button", { name: "Join the room" }).click();
    await ann.state("Connected");
    await ann.people("ann-of-the-token");
    await ann.say("hello");
  } finally {
    await other.dispose();
  }
});

test("a binary message is shown as one", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Ann", "binary");
  const answer = await server.post("api/publish", { channel: "demo:binary", binary: "AAEC/f7/" });
  assert.equal(answer.status, 200, await answer.text());
  await ann.page.locator("#messages .binary").getByText("Binary message, 6 bytes").waitFor();
  await ann.page.locator("#messages .binary code").getByText("00 01 02 fd fe ff").waitFor();
  ann.isClean(server);
});

test("the list of members is capped", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Ann", "crowd");
  const lines = [];
  for (let index = 0; index < 60; index += 1) {
    const line = await Line.open(server.socket(`user ${index}`));
    line.say({ type: "subscribe", id: 1, channel: "demo:crowd" });
    await line.next("subscribed");
    lines.push(line);
  }
  await ann.page.locator("#people .rest").getByText("and 21 more").waitFor();
  assert.equal(await ann.page.locator("#people .name").count(), 40);
  assert.equal(await ann.page.locator("#people-count").textContent(), "61");
  for (const line of lines) await line.close();
});

test("two tabs of one person are one member, and both get everything", async () => {
  const one = await Tab.open(browser);
  await one.join(server, "Ann", "one-person");
  const two = await one.sibling();
  await two.page.goto(`${server.url}?room=one-person`);
  await two.page.getByLabel("Your name").fill("Ann");
  await two.page.getByRole("button", { name: "Join the room" }).click();
  await two.state("Connected");
  await two.people("Ann");
  await one.say("from the first");
  await two.sees("from the first");
  await two.say("from the second");
  await one.sees("from the second");
  await two.close();
  await one.say("still here");
  await one.people("Ann");
});

test("a backend's message appears", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Ann", "backend");
  const answer = await server.post("api/publish", { channel: "demo:backend", data: { text: "from afar" } });
  assert.equal(answer.status, 200, await answer.text());
  await ann.sees("from afar");
  await server.post("api/publish", { channel: "demo:backend", data: { price: 12.5 } });
  await ann.page.locator("#messages pre").getByText('"price": 12.5').waitFor();
  assert.match(await ann.page.locator("#fact-curl").textContent(), /api\/publish/);
  await ann.page.getByText("Publish from a backend").click();
  const wide = await ann.page.locator("details pre").evaluate((pre) => pre.scrollWidth - pre.clientWidth);
  assert.ok(wide <= 0, "the command line wraps");
  await ann.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await ann.page.getByRole("button", { name: "Copy" }).click();
  await ann.page.getByRole("button", { name: "Copied" }).waitFor();
  const copied = await ann.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, await ann.page.locator("#fact-curl").textContent());
  ann.isClean(server);
});

test("a room's name is made fit for an address", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Ann", "  Café & Bar ");
  assert.equal(await ann.page.locator("#room-title").textContent(), "café-bar");
  assert.equal(new URL(ann.page.url()).searchParams.get("room"), "café-bar");
  await ann.say("hello");
  ann.isClean(server);
});
