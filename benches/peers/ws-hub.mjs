// The hub that everybody writes: a map from rooms to sets of sockets, on the npm package `ws`.
//
// It speaks the subset of Fanfare's native JSON that the load generator uses. One JSON.stringify and one
// Buffer per publication, the same Buffer for every member. Usage: node ws-hub.mjs <port>
import { WebSocketServer } from "ws";

const HEARTBEAT_MS = 25_000;
const rooms = new Map();
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: process.env.WS_DEFLATE ? { threshold: 256, zlibDeflateOptions: { level: 6 } } : false,
  clientTracking: true,
  backlog: 4096,
});

let nextUser = 0;

function subscribe(socket, channel) {
  let members = rooms.get(channel);
  if (members === undefined) {
    members = new Set();
    rooms.set(channel, members);
  }
  members.add(socket);
  socket.channels.push(channel);
}

function unsubscribe(socket, channel) {
  const members = rooms.get(channel);
  if (members === undefined) return;
  members.delete(socket);
  if (members.size === 0) rooms.delete(channel);
}

function publish(socket, channel, data) {
  const members = rooms.get(channel);
  if (members === undefined) return;
  const message = Buffer.from(JSON.stringify({ type: "message", channel, from: socket.user, data }));
  for (const member of members) member.send(message, { binary: false });
}

function reply(socket, message) {
  socket.send(JSON.stringify(message));
}

server.on("connection", (socket) => {
  socket.user = `u${nextUser++}`;
  socket.channels = [];
  socket.alive = true;
  socket.on("pong", () => {
    socket.alive = true;
  });
  socket.on("message", (bytes) => {
    let message;
    try {
      message = JSON.parse(bytes);
    } catch {
      reply(socket, { type: "error", code: "invalid_json", error: "the message is not valid JSON" });
      return;
    }
    const { type, id, channel, data } = message;
    switch (type) {
      case "subscribe":
        subscribe(socket, channel);
        reply(socket, { type: "subscribed", id, channel });
        break;
      case "unsubscribe":
        unsubscribe(socket, channel);
        reply(socket, { type: "unsubscribed", id, channel });
        break;
      case "message":
        publish(socket, channel, data);
        break;
      case "publish":
        publish(socket, channel, data);
        reply(socket, { type: "response", id, data: { published: true } });
        break;
      case "ping":
        reply(socket, { type: "pong" });
        break;
      default:
        reply(socket, { type: "error", id, code: "unknown_type", error: "no such message type" });
    }
  });
  socket.on("close", () => {
    for (const channel of socket.channels) unsubscribe(socket, channel);
  });
  socket.on("error", () => {});
});

setInterval(() => {
  for (const socket of server.clients) {
    if (!socket.alive) {
      socket.terminate();
      continue;
    }
    socket.alive = false;
    socket.ping();
  }
}, HEARTBEAT_MS);
