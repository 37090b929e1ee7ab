// A second client beside the first: who tries the demo alone has somebody to miss messages from.

const LINES = [
  "You are cut off, and a second client goes on talking.",
  "This page cannot hear it: the message waits in the room's history.",
  "When your connection is back, all three arrive: once, and in order.",
];
const FIRST_MS = 700;
const STEP_MS = 1_100;

/** Says three things in a channel over a connection of its own, while the first client is cut off. */
export function speak(url, channel, token) {
  const socket = new WebSocket(url);
  const say = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
  socket.onopen = () => {
    if (token) say({ type: "auth", token });
    LINES.forEach((text, index) => {
      setTimeout(() => say({ type: "message", channel, data: { text } }), FIRST_MS + index * STEP_MS);
    });
    setTimeout(() => socket.close(1000), FIRST_MS + LINES.length * STEP_MS);
  };
}
