// The recovery that the demo page shows, in real tabs.
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

// A lone visitor pressed the button in an empty room, and was told "could not be replayed", or nothing at all.
test("a visitor who is alone sees the recovery: a second client speaks during the cut", async () => {
  const ann = await Tab.open(browser);
  await ann.join(server, "Ann", "alone");
  await ann.page.getByRole("button", { name: "Cut my connection" }).click();
  await ann.state(/^Cut/);
  await ann.picture("cut-alone");
  await ann.notes("recovered 3 missed messages");
  await ann.state("Connected");
  assert.equal(await ann.page.locator("#messages .missed").count(), 3);
  assert.equal(await ann.page.locator("#messages .name").first().textContent(), "Second client");
  const offsets = await ann.offsets();
  assert.deepEqual(offsets, [1, 2, 3], "each once, in order");
  await ann.picture("recovered-alone");
  await ann.page.getByRole("button", { name: "Cut my connection" }).click();
  await ann.page.locator("#messages .missed").nth(5).waitFor();
  assert.deepEqual(await ann.offsets(), [1, 2, 3, 4, 5, 6], "and a second time");
  await ann.people("Ann");
  ann.isClean(server);
});

test("a cut in which nobody spoke says so", async () => {
  const ann = await Tab.open(browser);
  const boris = await Tab.open(browser);
  await ann.join(server, "Ann", "quiet-cut");
  await boris.join(server, "Boris", "quiet-cut");
  await ann.people("Ann", "Boris");
  await ann.say("before");
  await ann.page.getByRole("button", { name: "Cut my connection" }).click();
  await ann.notes("nothing was missed");
  await ann.state("Connected");
  assert.deepEqual(await ann.texts(), ["before"]);
  ann.isClean(server);
});

// What was typed during a cut could not be sent: the button was disabled, and Enter did nothing.
test("what is written during a cut waits, says so, and is sent once", async () => {
  const ann = await Tab.open(browser);
  const boris = await Tab.open(browser);
  await ann.join(server, "Ann", "queue");
  await boris.join(server, "Boris", "queue");
  await ann.people("Ann", "Boris");
  await ann.page.getByRole("button", { name: "Cut my connection" }).click();
  await ann.state(/^Cut/);
  const field = ann.page.getByLabel("Message", { exact: true });
  for (const text of ["one", "two"]) {
    await field.fill(text);
    await field.press("Enter");
  }
  await ann.page.locator("#pending .status").getByText("Waits for your connection").waitFor();
  assert.deepEqual(await ann.page.locator("#pending .text").allTextContents(), ["one", "two"]);
  assert.deepEqual(await ann.texts(), []);
  await ann.picture("queued");
  await boris.sees("two");
  await ann.sees("two");
  await ann.page.waitForFunction(() => document.getElementById("pending").childElementCount === 0);
  assert.deepEqual(await ann.texts(), ["one", "two"]);
  assert.deepEqual(await boris.texts(), ["one", "two"]);
  ann.isClean(server);
});

test("a crashed server is found again, and the page says what that means", async () => {
  const other = await Server.start();
  try {
    const ann = await Tab.open(browser);
    await ann.join(other, "Ann", "crash");
    await ann.say("before the crash");
    await other.crashAndRestart();
    await ann.notes("The server started anew");
    await ann.state("Connected");
    assert.deepEqual(await ann.texts(), ["before the crash"], "what the page has stays there");
    await ann.say("after the crash");
    assert.deepEqual(await ann.texts(), ["before the crash", "after the crash"]);
    await ann.people("Ann"); // and not a connection's id: the page had given up its name when the server was away
    assert.equal(await ann.page.locator("#messages .own").count(), 2);
  } finally {
    await other.dispose();
  }
});
