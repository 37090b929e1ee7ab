// npm's `ws`, which offers permessage-deflate by default, against a server that compresses.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";

import { Line } from "../support/line.js";
import { Server } from "../support/server.js";

const ENV = { FANFARE_COMPRESSION_ENABLED: "true", FANFARE_COMPRESSION_THRESHOLD_BYTES: "64" };
const IMPOSED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const PROSE = "It was the best of times, it was the worst of times, it was the age of wisdom. ".repeat(100);

let server;
before(async () => (server = await Server.start({ env: ENV })));
after(() => server?.dispose());

/** Opens with options of `ws`; with the answer to its offer, and the stream that counts bytes. */
async function open(user, perMessageDeflate, protocols = []) {
  const socket = new WebSocket(server.socket(user), protocols, { perMessageDeflate });
  const [[response]] = await Promise.all([once(socket, "upgrade"), once(socket, "open")]);
  return { socket, stream: response.socket, agreed: response.headers["sec-websocket-extensions"] };
}

const OFFERS = [
  ["as it comes", true, IMPOSED],
  ["a window of 9 bits", { serverMaxWindowBits: 9 }, `${IMPOSED}; server_max_window_bits=9`],
  ["a window of 15 bits", { serverMaxWindowBits: 15 }, `${IMPOSED}; server_max_window_bits=15`],
  ["its own window bounded", { clientMaxWindowBits: 10 }, IMPOSED],
  ["no takeover", { serverNoContextTakeover: true, clientNoContextTakeover: true }, IMPOSED],
  ["nothing", false, undefined],
];

for (const [what, offer, answer] of OFFERS) {
  test(`offered ${what}, everything arrives as it was said`, async () => {
    const { socket, stream, agreed } = await open("ann", offer);
    assert.equal(agreed, answer);
    const ask = async (message) => {
      socket.send(JSON.stringify(message), { compress: true });
      const [data] = await once(socket, "message");
      return JSON.parse(data.toString());
    };
    const channel = `chat:${what.replaceAll(" ", "-")}`;
    assert.equal((await ask({ type: "subscribe", id: 1, channel })).type, "subscribed");
    for (const data of [PROSE, "short", [..."é🎺".repeat(500)], 7]) {
      const [read, written] = [stream.bytesRead, stream.bytesWritten];
      const message = await ask({ type: "message", channel, data });
      assert.deepEqual(message.data, data);
      if (data === PROSE) {
        const compressed = offer !== false;
        assert.equal(stream.bytesRead - read < PROSE.length / 4, compressed, `${stream.bytesRead - read} bytes`);
        assert.equal(stream.bytesWritten - written < PROSE.length / 4, compressed);
      }
    }
    socket.close(1000);
    assert.equal((await once(socket, "close"))[0], 1000);
  });
}

test("a window in which the server cannot compress is declined", async () => {
  const { socket, agreed } = await open("ann", { serverMaxWindowBits: 8 });
  assert.equal(agreed, undefined);
  socket.terminate();
});

test("a bomb is cut at the limit, and the neighbour does not notice", async () => {
  const boris = await Line.open(server.socket("boris"));
  const { socket } = await open("ann", { threshold: 0 });
  socket.send("[".repeat(64 * 1024 + 1), { compress: true });
  assert.equal((await once(socket, "close"))[0], 1009);
  assert.equal((await boris.ask({ type: "ping", id: 1 })).type, "pong");
  await boris.close();
});

test("lines come several in one message, and none is lost", async () => {
  const { socket, agreed } = await open("ann", true, ["fanfare.native.lines"]);
  assert.equal(agreed, IMPOSED);
  assert.equal(socket.protocol, "fanfare.native.lines");
  const seen = [];
  let joined = 0;
  const subscribed = once(socket, "message");
  socket.send(JSON.stringify({ type: "subscribe", id: 1, channel: "chat:lines" }));
  assert.equal(JSON.parse((await subscribed)[0].toString()).type, "subscribed");
  const arrived = new Promise((resolve) => {
    socket.on("message", (data) => {
      const lines = data.toString().split("\n");
      joined += lines.length - 1;
      seen.push(...lines.map((line) => JSON.parse(line).data));
      if (seen.at(-1) === 299) resolve();
    });
  });
  const items = Array.from({ length: 300 }, (_, data) => ({ publish: { channel: "chat:lines", data } }));
  const response = await server.post("/api/batch", { operations: items });
  assert.equal(response.status, 200, await response.clone().text());
  await arrived;
  assert.deepEqual(seen, Array.from({ length: 300 }, (_, data) => data));
  assert.ok(joined > 0, "a batch is published at once, and joined");
  socket.terminate();
});
