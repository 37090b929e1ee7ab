//! Clients of sessions, byte by byte: requests with an answer, and responses without an end.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::frames::{self, FIN, TEXT};
use super::support::raw::{Answer, HEAD, Raw};
use super::support::within;

/// One request on a connection of its own. `head` is all behind the request line and `Host`, in whole lines.
pub(crate) async fn request(address: SocketAddr, line: &str, head: &str, body: &[u8]) -> Answer {
    let mut raw = Raw::connect(address).await.unwrap();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{head}{length}\r\n");
    raw.send(&[head.as_bytes(), body].concat()).await.unwrap();
    raw.answer().await.unwrap()
}

pub(crate) fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// The value of a header; empty where there is none.
pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let fields = answer.head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or("")
}

/// A session, by what opens it.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) address: SocketAddr,
    pub(crate) pass: String,
}

impl Session {
    /// Begins one; `query` is what is behind the question mark.
    pub(crate) async fn begin(address: SocketAddr, query: &str) -> Self {
        let answer = request(address, &format!("POST /session?{query}"), "", b"").await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let pass = body(&answer)["session"].as_str().unwrap().to_owned();
        Self { address, pass }
    }

    /// Posts a body, with more parameters.
    pub(crate) async fn post(&self, more: &str, kind: &str, body: &[u8]) -> Answer {
        let line = format!("POST /send?session={}{more}", self.pass);
        request(self.address, &line, &format!("Content-Type: {kind}\r\n"), body).await
    }

    /// Posts one message, which has to be taken.
    pub(crate) async fn say(&self, message: Value) {
        let answer = self.post("", "application/json", message.to_string().as_bytes()).await;
        assert_eq!((answer.status, body(&answer)), (202, json!({"taken": 1})), "{message}");
    }

    pub(crate) async fn poll(&self, seen: u64) -> Answer {
        let line = format!("GET /poll?session={}&seen={seen}", self.pass);
        request(self.address, &line, "", b"").await
    }

    pub(crate) async fn end(&self) -> Answer {
        request(self.address, &format!("DELETE /session?session={}", self.pass), "", b"").await
    }

    /// Goes on over a transport, from the entry after the first `seen`.
    pub(crate) async fn carry(&self, transport: Transport, seen: u64) -> Carried {
        let query = format!("session={}&seen={seen}", self.pass);
        match transport {
            Transport::WebSocket => {
                Carried::Frames(Raw::open(self.address, &format!("/ws?{query}")).await.unwrap())
            }
            Transport::Events => Carried::Down(self.down(Form::Events, &query).await),
            Transport::Lines => Carried::Down(self.down(Form::Lines, &query).await),
            Transport::Poll => Carried::Poll { session: self.clone(), seen, ready: Vec::new() },
        }
    }

    async fn down(&self, form: Form, query: &str) -> Down {
        Down::open(self.address, form, query, "").await.unwrap()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    Events,
    Lines,
    Poll,
}

impl Transport {
    pub(crate) const ALL: [Self; 4] = [Self::WebSocket, Self::Events, Self::Lines, Self::Poll];
}

/// What a client hears over any transport.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Message(Value),
    /// The end of the session, or of its connection.
    Closed(u64),
    /// Nothing more.
    End,
}

/// A session's way down.
pub(crate) enum Carried {
    Frames(Raw),
    Down(Down),
    Poll { session: Session, seen: u64, ready: Vec<Heard> },
}

impl Carried {
    pub(crate) async fn next(&mut self) -> Heard {
        match self {
            Self::Frames(raw) => loop {
                let Some(frame) = raw.frame().await.unwrap() else { return Heard::End };
                if let Some(code) = frame.close_code() {
                    return Heard::Closed(code.into());
                }
                if frame.opcode == frames::PING {
                    raw.send(&frames::frame(FIN | frames::PONG, frame.payload)).await.unwrap();
                } else if frame.opcode == TEXT {
                    return Heard::Message(frame.json().unwrap());
                }
            },
            Self::Down(down) => loop {
                match down.next().await {
                    None => return Heard::End,
                    Some(event) if event.kind == "session" => {}
                    Some(event) if event.kind == "close" => {
                        return Heard::Closed(event.data["code"].as_u64().unwrap());
                    }
                    Some(event) => return Heard::Message(event.data),
                }
            },
            Self::Poll { session, seen, ready } => {
                while ready.is_empty() {
                    let answer = session.poll(*seen).await;
                    if answer.status == 410 {
                        return Heard::End;
                    }
                    if answer.status == 409 {
                        return Heard::Closed(4013);
                    }
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let told = body(&answer);
                    *seen = told["seen"].as_u64().unwrap();
                    ready.extend(told["messages"].as_array().unwrap().iter().cloned().map(Heard::Message));
                    ready.extend(told["closed"]["code"].as_u64().map(Heard::Closed));
                }
                ready.remove(0)
            }
        }
    }

    /// The next message, which must be of this type.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        match self.next().await {
            Heard::Message(message) if message["type"] == kind => message,
            other => panic!("no {kind} but {other:?}"),
        }
    }

    /// Hears out until the end is told, and gives its code.
    pub(crate) async fn closed(&mut self) -> u64 {
        loop {
            match self.next().await {
                Heard::Closed(code) => return code,
                Heard::Message(_) => {}
                Heard::End => panic!("the end was not told"),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Events,
    Lines,
}

/// A response without an end.
pub(crate) struct Down<S = TcpStream> {
    pub(crate) stream: S,
    pub(crate) head: String,
    form: Form,
    chunked: bool,
    /// As it came.
    raw: Vec<u8>,
    /// Without what HTTP puts around it.
    text: Vec<u8>,
    /// Signs of life so far.
    pub(crate) beats: u32,
}

/// One event or line.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Down {
    pub(crate) async fn open(
        address: SocketAddr,
        form: Form,
        query: &str,
        more: &str,
    ) -> Result<Self, Answer> {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, form, &format!("{query} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Down<S> {
    /// `rest` is the request behind the question mark.
    pub(crate) async fn over(mut stream: S, form: Form, rest: &str) -> Result<Self, Answer> {
        let path = if form == Form::Events { "/sse" } else { "/stream" };
        stream.write_all(format!("GET {path}?{rest}").as_bytes()).await.unwrap();
        Self::answered(stream, form).await
    }

    /// Reads the answer to a request that was sent already.
    pub(crate) async fn answered(stream: S, form: Form) -> Result<Self, Answer> {
        let mut down = Self {
            stream,
            head: String::new(),
            form,
            chunked: false,
            raw: Vec::new(),
            text: Vec::new(),
            beats: 0,
        };
        let end = loop {
            if let Some(at) = down.raw.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(down.more().await, "no head but {:?}", String::from_utf8_lossy(&down.raw));
        };
        down.head = String::from_utf8(down.raw.drain(..end).collect()).unwrap();
        let lower = down.head.to_ascii_lowercase();
        down.chunked = lower.contains("transfer-encoding: chunked");
        if lower.split(' ').nth(1) != Some("200") {
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            while down.raw.len() < length.unwrap_or(0) && down.more().await {}
            let status = lower.split(' ').nth(1).unwrap().parse().unwrap();
            let body = String::from_utf8(down.raw).unwrap();
            return Err(Answer { status, head: down.head, body });
        }
        Ok(down)
    }

    async fn more(&mut self) -> bool {
        let mut bytes = vec![0; 16 * 1024];
        match within("the server to say something", self.stream.read(&mut bytes)).await.unwrap() {
            Ok(0) => false,
            Ok(count) => {
                self.raw.extend(&bytes[..count]);
                true
            }
            // A TLS stream without its last words, or a reset.
            Err(_) => false,
        }
    }

    /// Takes off the chunks' sizes.
    fn unwrap_chunks(&mut self) {
        if !self.chunked {
            self.text.append(&mut self.raw);
            return;
        }
        while let Some(at) = self.raw.windows(2).position(|window| window == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..at]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if self.raw.len() < at + 2 + size + 2 {
                return;
            }
            self.text.extend(&self.raw[at + 2..at + 2 + size]);
            self.raw.drain(..at + 2 + size + 2);
        }
    }

    /// The next event or line that is no sign of life; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(event) = self.take() {
                if let Some(event) = event {
                    return Some(event);
                }
            }
            if !self.more().await {
                assert!(self.text.is_empty() && self.raw.is_empty(), "the stream ended within an event");
                return None;
            }
        }
    }

    /// Waits for so many signs of life in all.
    pub(crate) async fn beats(&mut self, count: u32) {
        while self.beats < count {
            if let Some(event) = self.take() {
                assert!(event.is_none(), "{event:?}");
                continue;
            }
            assert!(self.more().await, "the stream ended");
        }
    }

    /// Takes one event, or what is none, off the front.
    fn take(&mut self) -> Option<Option<Event>> {
        self.unwrap_chunks();
        let end: &[u8] = if self.form == Form::Events { b"\n\n" } else { b"\n" };
        let at = self.text.windows(end.len()).position(|window| window == end)?;
        let text: Vec<u8> = self.text.drain(..at + end.len()).collect();
        let text = std::str::from_utf8(&text[..at]).unwrap();
        if text == ":" || text.is_empty() {
            self.beats += 1;
            return Some(None);
        }
        Some(if self.form == Form::Events { event(text) } else { line(text) })
    }
}

fn event(text: &str) -> Option<Event> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").to_owned();
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    if data.is_empty() {
        return None;
    }
    let data = serde_json::from_str(&data.join("\n")).unwrap_or_else(|error| panic!("{error}: {text}"));
    Some(Event { kind: field("event: "), id: field("id: "), data })
}

fn line(text: &str) -> Option<Event> {
    if text.trim().is_empty() {
        return None;
    }
    let mut data: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let kind = match &data {
        told if told["session"].is_string() => "session",
        told if told["closed"].is_object() => "close",
        _ => "",
    };
    if kind == "close" {
        data = data["closed"].take();
    }
    Some(Event { kind: kind.to_owned(), id: String::new(), data })
}

/// The status of a WebSocket handshake.
pub(crate) async fn knock(address: SocketAddr, path: &str) -> Answer {
    let mut raw = Raw::connect(address).await.unwrap();
    raw.send(HEAD.replacen("/ws", path, 1).as_bytes()).await.unwrap();
    raw.answer().await.unwrap()
}
