// Clients as people write them by hand, with nothing but what a browser has. Each is one function that stands alone, so
// that a page can be given its text, and Node.js runs it with the npm packages that offer the same classes.
//
// `url` is where the server is, `tell` hears `{ type: "opened" }` for every connection and then every message.

/** A session over an EventSource, which comes back by itself and says where it was. */
export async function events({ url, token, tell, EventSource = globalThis.EventSource }) {
  const headers = { Authorization: `Bearer ${token}` };
  const { session } = await (await fetch(`${url}session`, { method: "POST", headers })).json();
  const source = new EventSource(`${url}sse?session=${session}`);
  source.onopen = () => tell({ type: "opened" });
  source.onmessage = ({ data }) => tell(JSON.parse(data));
  return {
    say: (message) => fetch(`${url}send?session=${session}`, { method: "POST", body: JSON.stringify(message) }),
    close: () => source.close(),
  };
}

/** An EventSource that is told its session. */
export async function toldEvents({ url, token, tell, EventSource = globalThis.EventSource }) {
  const source = new EventSource(`${url}sse?token=${token}`);
  source.onopen = () => tell({ type: "opened" });
  source.onmessage = ({ data }) => tell(JSON.parse(data));
  const session = await new Promise((resolve) => {
    source.addEventListener("session", ({ data }) => resolve(JSON.parse(data).session), { once: true });
  });
  return {
    say: (message) => fetch(`${url}send?session=${session}`, { method: "POST", body: JSON.stringify(message) }),
    close: () => source.close(),
  };
}

/** An EventSource that listens to a channel and says nothing. */
export async function listening({ url, token, channel, tell, EventSource = globalThis.EventSource }) {
  const source = new EventSource(`${url}sse?channels=${channel}&token=${token}`);
  source.onopen = () => tell({ type: "opened" });
  source.onmessage = ({ data }) => tell(JSON.parse(data));
  return { close: () => source.close() };
}

/** A session over a response that is read as it comes. */
export async function lines({ url, token, tell }) {
  const headers = { Authorization: `Bearer ${token}` };
  const { session } = await (await fetch(`${url}session`, { method: "POST", headers })).json();
  const closing = new AbortController();
  let seen = 0;
  async function read() {
    const response = await fetch(`${url}stream?session=${session}&seen=${seen}`, { signal: closing.signal });
    if (!response.ok) throw new Error(`${response.status}`);
    tell({ type: "opened" });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let unread = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const whole = (unread + value).split("\n");
      unread = whole.pop();
      for (const line of whole.filter((line) => line.trim())) {
        seen += 1;
        tell(JSON.parse(line));
      }
    }
  }
  (async () => {
    while (!closing.signal.aborted) {
      await read().catch(() => new Promise((resolve) => setTimeout(resolve, 100)));
    }
  })();
  return {
    say: (message) => fetch(`${url}send?session=${session}`, { method: "POST", body: JSON.stringify(message) }),
    close: () => closing.abort(),
  };
}

/** A session over one request after the other. */
export async function polls({ url, token, tell }) {
  const headers = { Authorization: `Bearer ${token}` };
  const { session } = await (await fetch(`${url}session`, { method: "POST", headers })).json();
  const closing = new AbortController();
  let seen = 0;
  async function poll() {
    tell({ type: "opened" });
    const response = await fetch(`${url}poll?session=${session}&seen=${seen}`, { signal: closing.signal });
    if (!response.ok) throw new Error(`${response.status}`);
    const polled = await response.json();
    seen = polled.seen;
    polled.messages.forEach((message) => tell(message));
  }
  (async () => {
    while (!closing.signal.aborted) {
      await poll().catch(() => new Promise((resolve) => setTimeout(resolve, 100)));
    }
  })();
  return {
    say: (message) => fetch(`${url}send?session=${session}`, { method: "POST", body: JSON.stringify(message) }),
    close: () => closing.abort(),
  };
}

/** A session over a WebSocket, and over another one when that is lost. */
export async function frames({ url, token, tell, WebSocket = globalThis.WebSocket }) {
  const headers = { Authorization: `Bearer ${token}` };
  const { session } = await (await fetch(`${url}session`, { method: "POST", headers })).json();
  let seen = 0;
  let socket;
  (function connect() {
    socket = new WebSocket(`${url.replace("http", "ws")}ws?session=${session}&seen=${seen}`);
    socket.onopen = () => tell({ type: "opened" });
    socket.onerror = () => {}; // told by onclose
    socket.onclose = () => setTimeout(connect, 100);
    socket.onmessage = ({ data }) => {
      seen += 1;
      tell(JSON.parse(data));
    };
  })();
  return {
    say: (message) => socket.send(JSON.stringify(message)),
    close: () => {
      socket.onclose = null;
      socket.close();
    },
  };
}

/** A WebSocket without a session, which says for its channel where it was. */
export async function recovering({ url, token, channel, tell, WebSocket = globalThis.WebSocket }) {
  let recover;
  let socket;
  (function connect() {
    socket = new WebSocket(`${url.replace("http", "ws")}ws`, ["fanfare.native", `auth.${token}`]);
    socket.onopen = () => {
      tell({ type: "opened" });
      if (recover) socket.send(JSON.stringify({ type: "subscribe", channel, recover }));
    };
    socket.onerror = () => {}; // told by onclose
    socket.onclose = () => setTimeout(connect, 100);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "subscribed") recover ??= { epoch: message.epoch, offset: message.offset };
      if (message.type === "message") recover.offset = message.offset;
      tell(message);
    };
  })();
  return {
    say: (message) => socket.send(JSON.stringify(message)),
    close: () => {
      socket.onclose = null;
      socket.close();
    },
  };
}
