// What every client goes through, whoever wrote it and whatever is in between: it connects, authenticates, joins, sends,
// receives, loses the line, comes back, and has missed nothing.
import assert from "node:assert/strict";

import { Tab } from "./browser.js";
import { Line } from "./line.js";

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

/** Runs a client of support/clients.js in a page of its own, which the server serves by the line that fails. */
export const inChromium = (browser, client) => async ({ tell, ...options }) => {
  const { page } = await Tab.open(browser, { ignoreHTTPSErrors: true });
  await page.exposeFunction("tell", tell);
  await page.goto(options.url);
  const begin = `async (options) => { globalThis.client = await (${client})({ ...options, tell }); }`;
  await page.evaluate(`(${begin})(${JSON.stringify(options)})`);
  return {
    say: (message) => page.evaluate(async (message) => void (await globalThis.client.say(message)), message),
    close: () => page.context().close(),
  };
};

/** The backend publishes, past the line. */
async function publish(server, channel, ...numbers) {
  for (const data of numbers) {
    const response = await server.post("api/publish", { channel, data });
    assert.equal(response.status, 200);
  }
}

/** The client joins and is heard by another one. */
async function join(server, client, ear, { channel, user }) {
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

/**
 * Takes a client through it. `line` has the `url` by which the server is reached, and can `cut` that and `heal` it; a client
 * that does not speak listens to its channel from the beginning. Sessions wait for their clients for a while after these
 * have gone, and each user may have ten: every client has a `user` of its own.
 */
export async function missesNothing(open, { server, line, user, speaks = true }) {
  const ear = new Ear();
  const channel = `chat:${user}`;
  const client = await open({ url: line.url, token: server.token(user), channel, tell: ear.tell });
  try {
    await ear.count("opened", 1);
    if (speaks) await join(server, client, ear, { channel, user });
    else await ear.count("subscribed", 1);
    const own = speaks ? [0] : [];
    await publish(server, channel, 1, 2, 3);
    await ear.count("message", own.length + 3);
    const opened = ear.of("opened").length;

    await line.cut();
    await publish(server, channel, 4, 5, 6);
    await line.heal();
    await ear.count("opened", opened + 1);
    await ear.count("message", own.length + 6);
    await publish(server, channel, 7);
    const messages = await ear.count("message", own.length + 7);
    assert.deepEqual(messages.map(({ data }) => data), [...own, 1, 2, 3, 4, 5, 6, 7]);
    if (speaks) {
      await client.say({ type: "ping", id: "still here" });
      assert.equal((await ear.count("pong", 1))[0].id, "still here");
    }
  } finally {
    await client.close();
  }
}
