// Clients that know nothing of this project, each through the same scenario: connect, authenticate, join, send, receive,
// lose the line, come back and have missed nothing.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventSource } from "eventsource";
import WebSocket from "ws";

import { launch, Tab } from "../support/browser.js";
import * as clients from "../support/clients.js";
import { Faults } from "../support/faults.js";
import { Line } from "../support/line.js";
import * as processes from "../support/processes.js";
import { Server } from "../support/server.js";

let server;
let browser;

before(async () => {
  const env = { FANFARE_AUTH_MODE: "required" };
  [server, browser] = await Promise.all([Server.start({ secure: true, env }), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
});

/** What a client hears, to wait on. */
class Ear {
  heard = [];
  #wake = () => {};

  tell = (message) => {
    this.heard.push(message);
    this.#wake();
  };

  /** Waits until so many messages of a type have come. */
  async count(type, count) {
    while (this.of(type).length < count) await new Promise((resolve) => (this.#wake = resolve));
    return this.of(type);
  }

  of(type) {
    return this.heard.filter((message) => message.type === type);
  }
}

/** Runs a client of support/clients.js in a page of its own, which the server serves through the line that fails. */
const inChromium = (client) => async ({ tell, ...options }) => {
  const { page } = await Tab.open(browser);
  await page.exposeFunction("tell", tell);
  await page.goto(options.url);
  const begin = `async (options) => { globalThis.client = await (${client})({ ...options, tell }); }`;
  await page.evaluate(`(${begin})(${JSON.stringify(options)})`);
  return {
    say: (message) => page.evaluate(async (message) => void (await globalThis.client.say(message)), message),
    close: () => page.context().close(),
  };
};

const withPackages = (client) => (options) => client({ ...options, EventSource, WebSocket });

const TWO_WAY = {
  "Chromium's WebSocket, with a session": inChromium(clients.frames),
  "Chromium's WebSocket, recovering its channel": inChromium(clients.recovering),
  "Chromium's EventSource, with a session": inChromium(clients.events),
  "Chromium's EventSource, told its session": inChromium(clients.toldEvents),
  "Chromium's fetch, streaming": inChromium(clients.lines),
  "Chromium's fetch, polling": inChromium(clients.polls),
  "npm's ws, with a session": withPackages(clients.frames),
  "npm's ws, recovering its channel": withPackages(clients.recovering),
  "npm's eventsource, with a session": withPackages(clients.events),
  "npm's eventsource, told its session": withPackages(clients.toldEvents),
  "Node's fetch, streaming": clients.lines,
  "Node's fetch, polling": clients.polls,
  "curl, streaming": processes.curlLines,
  "Python's websockets, with a session": processes.pythonWebsockets,
  "Python's own library, server-sent events": processes.pythonEvents,
};

const ONE_WAY = {
  "Chromium's EventSource, listening": inChromium(clients.listening),
  "npm's eventsource, listening": withPackages(clients.listening),
  "curl, listening": processes.curlListening,
};

/** The backend publishes, past the line. */
async function publish(channel, ...numbers) {
  for (const data of numbers) {
    const response = await server.post("api/publish", { channel, data });
    assert.equal(response.status, 200);
  }
}

/** The client joins and is heard by another one. */
async function join(client, ear, channel, user) {
  await client.say({ type: "subscribe", id: 1, channel });
  assert.equal((await ear.count("subscribed", 1))[0].channel, channel);
  const boris = await Line.open(`${server.address}?token=${server.token("boris")}`);
  await boris.ask({ type: "subscribe", id: 1, channel });
  await client.say({ type: "message", channel, data: 0 });
  const message = await boris.next("message");
  assert.deepEqual([message.from, message.data], [user, 0]);
  await boris.close();
  await ear.count("message", 1); // its own copy
}

async function scenario(open, number, { speaks }) {
  const channel = `chat:foreign-${number}`;
  // Sessions wait for their clients for a while after these have gone; each user may have ten.
  const user = `ann-${number}`;
  const faults = await Faults.start(server.port);
  const ear = new Ear();
  const url = `http://127.0.0.1:${faults.port}/`;
  const client = await open({ url, token: server.token(user), channel, tell: ear.tell });
  try {
    await ear.count("opened", 1);
    if (speaks) await join(client, ear, channel, user);
    else await ear.count("subscribed", 1);
    await publish(channel, 1, 2, 3);
    await ear.count("message", speaks ? 4 : 3);
    const opened = ear.of("opened").length;

    await faults.order("cut");
    await publish(channel, 4, 5, 6);
    await faults.order("heal");
    await ear.count("opened", opened + 1);
    await ear.count("message", speaks ? 7 : 6);
    await publish(channel, 7);
    const messages = await ear.count("message", speaks ? 8 : 7);
    assert.deepEqual(messages.map(({ data }) => data), [...(speaks ? [0] : []), 1, 2, 3, 4, 5, 6, 7]);
    if (speaks) {
      await client.say({ type: "ping", id: "still here" });
      assert.equal((await ear.count("pong", 1))[0].id, "still here");
    }
  } finally {
    await client.close();
    await faults.dispose();
  }
}

describe("a foreign client", { concurrency: 6 }, () => {
  const all = [...Object.entries(TWO_WAY), ...Object.entries(ONE_WAY)];
  for (const [index, [name, open]] of all.entries()) {
    const speaks = name in TWO_WAY;
    test(`${name}, misses nothing`, { timeout: 30_000 }, () => scenario(open, index, { speaks }));
  }
});
