// A real Chromium, and the demo page as a person uses it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const PICTURES = fileURLToPath(new URL("../../.cache/e2e/", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function launch() {
  mkdirSync(PICTURES, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ARGUMENTS,
  });
}

/** One person's tab. `complaints` is what the console said that it should not have. */
export class Tab {
  complaints = [];

  constructor(page) {
    this.page = page;
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complaints.push(message.text());
    });
    page.on("request", (request) => this.requests.add(new URL(request.url()).origin));
  }

  requests = new Set();

  /** A tab that shares nothing with others, as in another person's browser. */
  static async open(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, ...options });
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    return new Tab(await context.newPage());
  }

  /** Another tab of the same person's browser. */
  async sibling() {
    return new Tab(await this.page.context().newPage());
  }

  async join(server, name, room) {
    await this.page.goto(server.url);
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("textbox", { name: "Room" }).fill(room);
    await this.page.getByRole("button", { name: "Join the room" }).click();
    await this.state("Connected");
  }

  async say(text) {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.getByLabel("Message", { exact: true }).press("Enter");
    await this.sees(text);
  }

  async sees(text) {
    await this.page.locator("#messages .text").getByText(text, { exact: true }).waitFor();
  }

  async notes(text) {
    await this.page.locator("#messages .note").getByText(text).waitFor();
  }

  async state(text) {
    await this.page.locator("#state-text").getByText(text).waitFor();
  }

  /** Waits until exactly these people are listed, in the page's order. */
  async people(...names) {
    const wanted = names.join();
    await this.page.waitForFunction((wanted) => {
      const shown = [...document.querySelectorAll("#people .name")].map((name) => name.textContent);
      return shown.join() === wanted;
    }, wanted);
  }

  /** All messages from the oldest to the newest. */
  async texts() {
    return this.page.locator("#messages .text").allTextContents();
  }

  async offsets() {
    const items = this.page.locator("#messages .message");
    return items.evaluateAll((items) => items.map((item) => Number(item.dataset.offset)));
  }

  async picture(name) {
    await this.page.screenshot({ path: `${PICTURES}${name}.png` });
  }

  /** What a checker of accessibility finds: labels, roles, contrast. */
  async barriers() {
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run());
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(" ")}`);
  }

  /** Nothing was refused, nothing failed, and nothing came from elsewhere. */
  isClean(server) {
    assert.deepEqual(this.complaints, []);
    for (const origin of this.requests) assert.equal(`${origin}/`, server.url);
  }

  async close() {
    await this.page.close();
  }
}
