// The npm package `ws`, which knows nothing of this project, against the native protocol.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";

import { Line } from "../support/line.js";
import { Server } from "../support/server.js";

let server;
before(async () => (server = await Server.start()));
after(() => server?.dispose());

const open = (user, parameters) => Line.open(server.socket(user, parameters));

test("a message reaches everyone in the channel, its sender too", async () => {
  const [ann, boris] = await Promise.all([open("ann"), open("boris")]);
  const reply = await ann.ask({ type: "subscribe", id: 1, channel: "chat:talk" });
  assert.equal(reply.type, "subscribed");
  assert.equal(reply.channel, "chat:talk");
  await boris.ask({ type: "subscribe", id: "a string", channel: "chat:talk" });
  ann.say({ type: "message", channel: "chat:talk", data: { text: "hello", deep: [1, null, "é🎺"] } });
  for (const line of [ann, boris]) {
    const message = await line.next("message");
    assert.equal(message.from, "ann");
    assert.deepEqual(message.data, { text: "hello", deep: [1, null, "é🎺"] });
    assert.equal(message.offset, reply.offset + 1);
    assert.ok(Math.abs(message.timestamp - Date.now() / 1000) < 60);
  }
  await Promise.all([ann.close(), boris.close()]);
});

test("an acknowledged publish answers its sender and reaches the others", async () => {
  const [ann, boris] = await Promise.all([open("ann"), open("boris")]);
  await ann.ask({ type: "subscribe", id: 1, channel: "chat:publish" });
  await boris.ask({ type: "subscribe", id: 1, channel: "chat:publish" });
  const answer = await ann.ask({ type: "publish", id: 3, channel: "chat:publish", data: 7 });
  assert.equal(answer.type, "response");
  assert.equal(answer.data.published, true);
  assert.equal((await boris.next("message")).data, 7);
  // The next message that Ann sees is the one after: her own was left out.
  await boris.ask({ type: "publish", id: 4, channel: "chat:publish", data: 8 });
  assert.equal((await ann.next("message")).data, 8);
  await Promise.all([ann.close(), boris.close()]);
});

test("what was missed is recovered, and what cannot be is told", async () => {
  const [ann, boris] = await Promise.all([open("ann"), open("boris")]);
  const { epoch } = await ann.ask({ type: "subscribe", id: 1, channel: "chat:recover" });
  await boris.ask({ type: "subscribe", id: 1, channel: "chat:recover" });
  for (const data of [1, 2, 3]) await ann.ask({ type: "publish", id: data + 1, channel: "chat:recover", data });
  const { offset } = await boris.next("message");
  boris.socket.terminate();
  await boris.closed;

  const again = await open("boris");
  const reply = await again.ask({
    type: "subscribe",
    id: 1,
    channel: "chat:recover",
    recover: { epoch, offset },
  });
  assert.equal(reply.recovered, true);
  assert.equal(reply.replayed, 2);
  assert.deepEqual([(await again.next("message")).data, (await again.next("message")).data], [2, 3]);

  const stranger = await open("chiara");
  const other = epoch.replace(/[0-9a-f]/g, (digit) => (digit === "0" ? "1" : "0"));
  const refused = await stranger.ask({
    type: "subscribe",
    id: 1,
    channel: "chat:recover",
    recover: { epoch: other, offset },
  });
  assert.equal(refused.recovered, false);
  assert.equal(refused.replayed, 0);
  await Promise.all([ann.close(), again.close(), stranger.close()]);
});

test("history, presence and ping answer", async () => {
  const ann = await open("ann");
  await ann.ask({ type: "subscribe", id: 1, channel: "chat:ask" });
  await ann.ask({ type: "publish", id: 2, channel: "chat:ask", data: "first" });
  const history = await ann.ask({ type: "history", id: 3, channel: "chat:ask", limit: 10 });
  assert.deepEqual(history.messages.map((message) => message.data), ["first"]);
  const presence = await ann.ask({ type: "presence", id: 4, channel: "chat:ask" });
  assert.deepEqual(presence.members.map((member) => member.user), ["ann"]);
  ann.say({ type: "ping" });
  assert.deepEqual(await ann.next("pong"), { type: "pong" });
  const left = await ann.ask({ type: "unsubscribe", id: 5, channel: "chat:ask" });
  assert.equal(left.type, "unsubscribed");
  await ann.close();
});

const WRONG = [
  ["not JSON", "hello", "invalid_json"],
  ["half JSON", '{"type":"ping"', "invalid_json"],
  ["two values", '{"type":"ping"}{}', "invalid_json"],
  ["an empty message", "", "invalid_json"],
  ["null", "null", "invalid_message"],
  ["a number", "17", "invalid_message"],
  ["a list", '[{"type":"ping"}]', "invalid_message"],
  ["no type", '{"id":1}', "invalid_message"],
  ["a type that is a number", '{"id":1,"type":7}', "invalid_message"],
  ["an unknown type", '{"id":1,"type":"dance"}', "unknown_type"],
  ["no channel", '{"id":1,"type":"subscribe"}', "missing_field"],
  ["a null channel", '{"id":1,"type":"subscribe","channel":null}', "missing_field"],
  ["a channel that is a number", '{"id":1,"type":"subscribe","channel":7}', "invalid_field"],
  ["an empty channel", '{"id":1,"type":"subscribe","channel":""}', "invalid_channel"],
  ["a control character in a channel", '{"id":1,"type":"subscribe","channel":"a\\u0000b"}', "invalid_channel"],
  ["a long channel", `{"id":1,"type":"subscribe","channel":"${"x".repeat(256)}"}`, "invalid_channel"],
  ["no data", '{"id":1,"type":"publish","channel":"chat:x"}', "missing_field"],
  ["a huge number", '{"id":1,"type":"subscribe","channel":"chat:x","history":1e999}', "invalid_field"],
  ["deep nesting", `{"id":1,"type":"publish","channel":"chat:x","data":${"[".repeat(10_000)}${"]".repeat(10_000)}}`, "nesting_too_deep"],
  ["an id that is an object", '{"id":{},"type":"ping"}', "invalid_field"],
  ["leaving what was not joined", '{"id":1,"type":"unsubscribe","channel":"chat:x"}', "not_subscribed"],
  ["an unknown method", '{"id":1,"type":"request","method":"fly"}', "unknown_method"],
];

for (const [what, text, code] of WRONG) {
  test(`${what} is answered with ${code}, and the connection goes on`, async () => {
    const ann = await open("ann");
    ann.say(text);
    const error = await ann.next("error");
    assert.equal(error.code, code, error.error);
    assert.ok(error.error.length > 0 && error.error.length < 400, error.error);
    if (text.startsWith('{"id":1')) assert.equal(error.id, 1);
    assert.equal((await ann.ask({ type: "ping", id: 2 })).type, "pong");
    assert.equal((await ann.close()).code, 1000);
  });
}

test("a message over the limit closes with 1009, and the neighbour does not notice", async () => {
  const [ann, boris] = await Promise.all([open("ann"), open("boris")]);
  await boris.ask({ type: "subscribe", id: 1, channel: "chat:large" });
  ann.say({ type: "message", channel: "chat:large", data: "x".repeat(64 * 1024) });
  assert.equal((await ann.closed).code, 1009);
  assert.equal((await boris.ask({ type: "publish", id: 2, channel: "chat:large", data: 1, echo: true })).type, "response");
  assert.equal((await boris.next("message")).data, 1);
  await boris.close();
});

test("a close is answered with its own code", async () => {
  for (const code of [1000, 1001, 3000, 4999]) {
    const ann = await open("ann");
    assert.equal((await ann.close(code)).code, code);
  }
});

test("the handshake is refused with a status and a code that say why", async () => {
  const refusal = async (address, protocols, options) => {
    const socket = new WebSocket(address, protocols, options);
    socket.on("error", () => {});
    const [request, response] = await once(socket, "unexpected-response");
    const chunks = await response.toArray();
    request.destroy();
    return [response.statusCode, JSON.parse(Buffer.concat(chunks).toString()).error.code];
  };
  assert.deepEqual(await refusal(server.socket("ann", { dialect: "klingon" })), [400, "unknown_dialect"]);
  const old = await refusal(server.socket("ann"), [], { protocolVersion: 8 });
  assert.deepEqual(old, [426, "unsupported_version"]);
  const plain = await fetch(new URL("ws", server.url));
  assert.equal(plain.status, 426);
  assert.equal((await plain.json()).error.code, "upgrade_required");
});

test("a subprotocol that is spoken is chosen", async () => {
  const line = await Line.open(server.socket("ann"), ["something.else", "fanfare.native.json"]);
  assert.equal(line.socket.protocol, "fanfare.native.json");
  await line.close();
});

test("a server that is told to end says so, closes with 1012, and exits with 0", async () => {
  const other = await Server.start();
  try {
    const line = await Line.open(other.socket("ann"));
    const [goodbye, closed, code] = await Promise.all([line.next("disconnect"), line.closed, other.stop()]);
    assert.equal(goodbye.code, 1012);
    assert.equal(goodbye.reconnect, true);
    assert.ok(goodbye.retryAfter >= 0 && goodbye.retryAfter <= 25);
    assert.equal(closed.code, 1012);
    assert.equal(code, 0);
  } finally {
    await other.dispose();
  }
});
