// How the demo page looks and whom it serves: light, dark, a phone, a keyboard, a screen reader.
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

const lightness = (tab) =>
  tab.page.evaluate(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data[0];
  });

for (const colorScheme of ["light", "dark"]) {
  test(`the ${colorScheme} page has no barriers, before and behind the door`, async () => {
    const tab = await Tab.open(browser, { colorScheme });
    await tab.page.goto(server.url);
    assert.deepEqual(await tab.barriers(), []);
    await tab.picture(`door-${colorScheme}`);
    await tab.join(server, "Ann", `barriers-${colorScheme}`);
    await tab.picture(`empty-${colorScheme}`);
    await tab.say("hello");
    const boris = await Tab.open(browser, { colorScheme });
    await boris.join(server, "Boris", `barriers-${colorScheme}`);
    await boris.say("good evening");
    await tab.sees("good evening");
    await tab.page.getByText("Publish from a backend").click();
    assert.deepEqual(await tab.barriers(), []);
    await tab.picture(`room-${colorScheme}`);
    tab.isClean(server);
  });
}

test("light and dark follow the system until somebody chooses", async () => {
  const tab = await Tab.open(browser, { colorScheme: "light" });
  const toggle = tab.page.getByRole("button", { name: "Dark appearance" });
  await tab.page.goto(server.url);
  assert.ok((await lightness(tab)) > 200);
  await tab.page.emulateMedia({ colorScheme: "dark" });
  assert.ok((await lightness(tab)) < 60);
  assert.equal(await toggle.getAttribute("aria-pressed"), "true");
  await toggle.click();
  assert.ok((await lightness(tab)) > 200);
  await tab.page.reload();
  assert.ok((await lightness(tab)) > 200, "the choice outlives a reload");
  assert.equal(await toggle.getAttribute("aria-pressed"), "false");
  tab.isClean(server);
});

test("a phone shows everything without scrolling sideways", async () => {
  const tab = await Tab.open(browser, { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true });
  await tab.page.goto(server.url);
  await tab.picture("phone-door");
  const card = await tab.page.locator(".card").boundingBox();
  const field = await tab.page.getByLabel("Your name").boundingBox();
  const button = await tab.page.getByRole("button", { name: "Join the room" }).boundingBox();
  assert.equal(field.width, button.width, "fields keep within the card");
  assert.ok(Math.abs(card.x - (360 - card.x - card.width)) < 1, "the card is in the middle");
  await tab.join(server, "Ann", "phone");
  await tab.say(`a long word: ${"o".repeat(120)}`);
  await tab.picture("phone");
  const overflow = await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} pixels too wide`);
  for (const name of ["Cut my connection", "Send", "Dark appearance"]) {
    const box = await tab.page.getByRole("button", { name }).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 360 && box.y >= 0 && box.y + box.height <= 640, name);
  }
  assert.deepEqual(await tab.barriers(), []);
  await tab.page.getByRole("button", { name: "More" }).click();
  for (const name of ["Leave the room", "Copy"]) {
    if (name === "Copy") await tab.page.getByText("Publish from a backend").click();
    await tab.page.getByRole("button", { name }).scrollIntoViewIfNeeded();
    assert.ok(await tab.page.getByRole("button", { name }).isVisible(), name);
  }
  assert.ok(await tab.page.getByRole("link", { name: "Open a second tab" }).isVisible());
  assert.ok(await tab.page.locator("#fact-position").isVisible());
  await tab.picture("phone-more");
  assert.deepEqual(await tab.barriers(), []);
  tab.isClean(server);
});

// In landscape the side was hidden, and with it the button that the demo is about.
test("a phone on its side has the button and the list of members", async () => {
  const tab = await Tab.open(browser, { viewport: { width: 740, height: 360 }, hasTouch: true, isMobile: true });
  await tab.page.goto(server.url);
  await tab.picture("landscape-door");
  await tab.join(server, "Ann", "landscape");
  await tab.say("hello");
  await tab.picture("landscape");
  for (const name of ["Cut my connection", "Send"]) {
    const box = await tab.page.getByRole("button", { name }).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 740 && box.y >= 0 && box.y + box.height <= 360, name);
  }
  assert.ok(await tab.page.locator("#people .name").first().isVisible());
  assert.deepEqual(await tab.barriers(), []);
  tab.isClean(server);
});

test("the first view says what Fanfare is, and where to read on", async () => {
  const tab = await Tab.open(browser);
  await tab.page.goto(server.url);
  assert.equal(await tab.page.locator(".points li").count(), 3);
  for (const name of ["Documentation", "HTTP API", "Source"]) {
    assert.ok(await tab.page.getByRole("link", { name }).isVisible(), name);
  }
  tab.isClean(server);
});

test("a keyboard is enough", async () => {
  const tab = await Tab.open(browser);
  const { keyboard } = tab.page;
  await tab.page.goto(server.url);
  await tab.page.waitForFunction(() => document.getElementById("name").value !== "");
  await keyboard.type("Ann"); // in place of the name that is proposed and selected
  await keyboard.press("Tab");
  await keyboard.type("keyboard");
  await keyboard.press("Enter");
  await tab.state("Connected");
  await keyboard.type("first line");
  await keyboard.press("Shift+Enter");
  await keyboard.type("second line");
  await keyboard.press("Enter");
  await tab.sees("first line\nsecond line");
  const cut = tab.page.getByRole("button", { name: "Cut my connection" });
  for (let step = 0; !(await cut.evaluate((button) => button === document.activeElement)); step += 1) {
    assert.ok(step < 20, "the button is reached by Tab");
    await keyboard.press("Shift+Tab");
  }
  await keyboard.press("Enter");
  await tab.state(/^Cut/);
  assert.equal(await tab.page.evaluate(() => document.activeElement.id), "cut", "the focus stays");
  await tab.notes("recovered 3 missed messages");
  tab.isClean(server);
});

test("who reads old messages is not dragged away by new ones", async () => {
  const ann = await Tab.open(browser);
  const boris = await Tab.open(browser);
  await ann.join(server, "Ann", "scroll");
  await boris.join(server, "Boris", "scroll");
  for (let index = 1; index <= 25; index += 1) await ann.say(`line ${index}`);
  const atEnd = () =>
    ann.page.locator("#scroll").evaluate((scroll) => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 2);
  assert.ok(await atEnd());
  await ann.page.locator("#scroll").evaluate((scroll) => (scroll.scrollTop = 0));
  await boris.say("news");
  const newest = ann.page.getByRole("button", { name: "New messages" });
  await newest.waitFor();
  assert.equal(await ann.page.locator("#scroll").evaluate((scroll) => scroll.scrollTop), 0);
  await newest.click();
  assert.ok(await atEnd());
  await newest.waitFor({ state: "hidden" });
  ann.isClean(server);
});
