// Clients that know nothing of this project, each through the same scenario, over a line that is cut.
import { after, before, describe, test } from "node:test";
import { EventSource } from "eventsource";
import WebSocket from "ws";

import { launch } from "../support/browser.js";
import * as clients from "../support/clients.js";
import { Faults } from "../support/faults.js";
import * as processes from "../support/processes.js";
import { inChromium, missesNothing } from "../support/scenario.js";
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

const chromium = (client) => (options) => inChromium(browser, client)(options);
const npm = (client) => (options) => client({ ...options, EventSource, WebSocket });

const SPEAKING = {
  "Chromium's WebSocket, with a session": chromium(clients.frames),
  "Chromium's WebSocket, recovering its channel": chromium(clients.recovering),
  "Chromium's EventSource, with a session": chromium(clients.events),
  "Chromium's EventSource, told its session": chromium(clients.toldEvents),
  "Chromium's fetch, streaming": chromium(clients.lines),
  "Chromium's fetch, polling": chromium(clients.polls),
  "npm's ws, with a session": npm(clients.frames),
  "npm's ws, recovering its channel": npm(clients.recovering),
  "npm's eventsource, with a session": npm(clients.events),
  "npm's eventsource, told its session": npm(clients.toldEvents),
  "Node's fetch, streaming": clients.lines,
  "Node's fetch, polling": clients.polls,
  "curl, streaming": processes.curlLines,
  "Python's websockets, with a session": processes.pythonWebsockets,
  "Python's own library, server-sent events": processes.pythonEvents,
};

const LISTENING = {
  "Chromium's EventSource, listening": chromium(clients.listening),
  "npm's eventsource, listening": npm(clients.listening),
  "curl, listening": processes.curlListening,
};

describe("a foreign client misses nothing", { concurrency: 6 }, () => {
  for (const [index, [name, open]] of Object.entries({ ...SPEAKING, ...LISTENING }).entries()) {
    test(name, { timeout: 60_000 }, async () => {
      const faults = await Faults.start(server.port);
      const line = {
        url: `http://127.0.0.1:${faults.port}/`,
        cut: () => faults.order("cut"),
        heal: () => faults.order("heal"),
      };
      try {
        await missesNothing(open, { server, line, user: `ann-${index}`, speaks: name in SPEAKING });
      } finally {
        await faults.dispose();
      }
    });
  }
});
