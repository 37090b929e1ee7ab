// What the README tells a newcomer to do, done as it is written there.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { launch } from "../support/browser.js";
import { Line } from "../support/line.js";
import { BINARY, KEY, Server } from "../support/server.js";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const run = promisify(execFile);

/** The first block of a language that contains a word, with the server's address in place of the usual one. */
function block(language, word) {
  const blocks = [...README.matchAll(/```(\w+)[^\n]*\n(.*?)```/gs)];
  const found = blocks.find(([, kind, text]) => kind === language && text.includes(word));
  assert.ok(found, `the README has a block of ${language} with ${word}`);
  return found[2].replaceAll("127.0.0.1:8000", `127.0.0.1:${server?.port}`);
}

let server;
let browser;
let folder;
let pages;
let origin;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "fanfare-readme-"));
  // Stands for the README's `python3 -m http.server 3000`.
  pages = createServer((request, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end(request.url === "/chat.html" ? readFileSync(path.join(folder, "chat.html")) : "");
  }).listen(0, "localhost");
  await once(pages, "listening");
  const [, allowed] = block("sh", "fanfare serve").match(/--origin (\S+)/);
  origin = allowed.replace("3000", pages.address().port);
  [server, browser] = await Promise.all([Server.start({ origin }), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
  pages?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("the client of twenty lines chats in two tabs, and hears the backend's curl", async () => {
  const html = block("html", "WebSocket");
  assert.ok(html.trim().split("\n").length <= 24, "it stays short");
  const file = path.join(folder, "chat.html");
  writeFileSync(file, html);
  const tabs = [await browser.newPage(), await browser.newPage()];
  const complaints = [];
  for (const tab of tabs) {
    tab.on("console", (message) => complaints.push(message.text()));
    tab.on("pageerror", (error) => complaints.push(error.message));
    const subscribed = tab.waitForEvent("websocket").then((socket) => socket.waitForEvent("framereceived"));
    await tab.goto(`${origin}/chat.html`);
    await subscribed;
  }
  await tabs[0].locator("#text").fill("hello from a tab");
  await tabs[0].locator("#text").press("Enter");
  for (const tab of tabs) await tab.locator("li").getByText(/^user\d+: hello from a tab$/).waitFor();

  const curl = block("sh", "api/publish").replace(/^export .*$/m, "");
  await run("bash", ["-euc", curl], { env: { PATH: process.env.PATH, FANFARE_KEY: KEY } });
  for (const tab of tabs) await tab.locator("li").getByText("backend: hello from the backend").waitFor();
  assert.deepEqual(complaints, []);
});

test("the command publishes what curl publishes", async () => {
  const line = await Line.open(server.socket("ann"));
  await line.ask({ type: "subscribe", id: 1, channel: "demo:lobby" });
  const [, inline] = README.match(/`fanfare (publish .*?)`/);
  await run("bash", ["-euc", `"$0" ${inline}`, BINARY], {
    env: { PATH: process.env.PATH, FANFARE_KEY: KEY, FANFARE_URL: server.url },
  });
  assert.deepEqual((await line.next("message")).data, { text: "hello" });
  await line.close();
});

test("the configuration is one", async () => {
  const file = path.join(folder, "fanfare.toml");
  writeFileSync(file, block("toml", "[limits]"));
  const { stdout } = await run(BINARY, ["check", "--config", file]);
  assert.match(stdout, /namespaces\.prices\.outbox_policy = "keep_latest" +# .*fanfare\.toml/);
});

test("a server that others could reach does not start insecure when told so once", async () => {
  const refused = run(BINARY, ["serve", "--listen", "0.0.0.0:0", "--insecure"], { env: { FANFARE_DATA_DIR: folder } });
  await assert.rejects(refused, (error) => error.code === 1 && /insecure/.test(error.stderr));
});
