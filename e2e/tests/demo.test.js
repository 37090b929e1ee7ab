// The demo page in real tabs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, Tab } from "../support/browser.js";
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

test("what is said during a cut arrives afterwards, once and in order", async () => {
  const ann = await Tab.open(browser);
  const boris = await Tab.open(browser);
  await ann.join(server, "Ann", "cut");
  await boris.join(server, "Boris", "cut");
  await ann.say("before");
  await boris.sees("before");

  await ann.page.getByRole("button", { name: "Cut my connection" }).click();
  await ann.state(/^Cut, back in \d s$/);
  await ann.picture("cut");
  assert.equal(await ann.page.getByRole("button", { name: "Send" }).isEnabled(), false);
  const missed = Array.from({ length: 20 }, (_, index) => `missed ${index + 1}`);
  for (const text of missed) await boris.say(text);
  assert.match(await ann.page.locator("#state-text").textContent(), /^Cut/, "Ann was away all the time");
  assert.deepEqual(await ann.texts(), ["before"]);

  await ann.state("Connected");
  await ann.notes("recovered 20 missed messages");
  await ann.sees("missed 20");
  assert.equal(await ann.page.locator("#messages .missed").count(), 20);
  await ann.say("after");
  await boris.sees("after");
  assert.deepEqual(await ann.texts(), ["before", ...missed, "after"]);
  assert.deepEqual(await boris.texts(), ["before", ...missed, "after"]);
  const offsets = await ann.offsets();
  assert.deepEqual(offsets, offsets.map((_, index) => offsets[0] + index), "no gap, none twice");
  await ann.picture("recovered");
  ann.isClean(server);
  boris.isClean(server);
});

test("a cut in which nobody spoke says so", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Ann", "quiet-cut");
  await ann.say("before");
  await ann.page.getByRole("button", { name: "Cut my connection" }).click();
  await ann.notes("nothing was missed");
  await ann.state("Connected");
  assert.deepEqual(await ann.texts(), ["before"]);
  ann.isClean(server);
});

test("two tabs of one person are one member, and both get everything", async () => {
  const one = await Tab.open(browser);
  await one.join(server, "Ann", "one-person");
  const two = await one.sibling();
  await two.page.goto(`${server.url}?room=one-person`);
  assert.equal(await two.page.getByLabel("Your name").inputValue(), "Ann", "the name is remembered");
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

test("a crashed server is found again, and the page says what that means", async () => {
  const other = await Server.start();
  try {
    const ann = await Tab.open(browser);
    await ann.join(other, "Ann", "crash");
    await ann.say("before the crash");
    await other.crashAndRestart();
    await ann.notes("history was loaded again");
    await ann.state("Connected");
    assert.deepEqual(await ann.texts(), [], "a node's memory is gone with it");
    await ann.say("after the crash");
    assert.deepEqual(await ann.texts(), ["after the crash"]);
  } finally {
    await other.dispose();
  }
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
