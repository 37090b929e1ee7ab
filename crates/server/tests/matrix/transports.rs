//! The same questions over sessions: asked by POST, answered by server-sent events, a stream of lines or polls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

type Line = BufReader<TcpStream>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Down {
    Events,
    Lines,
    Poll,
}

impl Down {
    pub(crate) const ALL: [Self; 3] = [Self::Events, Self::Lines, Self::Poll];
}

/// A session and the two connections that it is used by.
pub(crate) struct Session {
    up: Line,
    down: Line,
    kind: Down,
    pass: String,
    seen: u64,
    next: u64,
}

async fn line(address: SocketAddr) -> Line {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

async fn read_line(line: &mut Line) -> String {
    let mut text = String::new();
    let read = tokio::time::timeout(Duration::from_secs(20), line.read_line(&mut text)).await;
    assert_ne!(read.expect("an answer in time").unwrap(), 0, "the connection ended");
    text
}

/// The head of a request whose token, if there is one, is in a header.
fn request(line: &str, token: Option<&str>, body: &str) -> String {
    let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Type: application/x-ndjson\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// Reads the head of a response; gives its status and the length of its body.
async fn head(line: &mut Line) -> (u16, usize) {
    let status = read_line(line).await.split(' ').nth(1).unwrap().parse().unwrap();
    let mut length = 0;
    loop {
        let field = read_line(line).await.to_ascii_lowercase();
        if field == "\r\n" {
            return (status, length);
        }
        if let Some(value) = field.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
}

async fn exchange(line: &mut Line, request: &str, wanted: u16) -> Value {
    line.get_mut().write_all(request.as_bytes()).await.unwrap();
    let (status, length) = head(line).await;
    let mut body = vec![0; length];
    line.read_exact(&mut body).await.unwrap();
    assert_eq!(status, wanted, "{request}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// The next message of a response without an end.
async fn message(line: &mut Line, kind: Down) -> Value {
    loop {
        let text = read_line(line).await;
        let data = if kind == Down::Events { text.strip_prefix("data: ") } else { Some(&*text) };
        if let Some(data) = data.filter(|data| !data.trim().is_empty()) {
            return serde_json::from_str(data).unwrap();
        }
    }
}

impl Session {
    pub(crate) async fn begin(address: SocketAddr, kind: Down, token: Option<&str>, dialect: &str) -> Self {
        let (mut up, mut down) = (line(address).await, line(address).await);
        let begin = format!("POST /session?dialect={dialect}");
        let told = exchange(&mut up, &request(&begin, token, ""), 201).await;
        let pass = told["session"].as_str().unwrap().to_owned();
        let path = match kind {
            Down::Events => "/sse",
            Down::Lines => "/stream",
            Down::Poll => return Self { up, down, kind, pass, seen: 0, next: 0 },
        };
        let ask = request(&format!("GET {path}?session={pass}"), None, "");
        down.get_mut().write_all(ask.as_bytes()).await.unwrap();
        assert_eq!(head(&mut down).await.0, 200);
        Self { up, down, kind, pass, seen: 0, next: 0 }
    }

    /// Asks several things at once; whether each is allowed. Every other refusal than that of the rules is a failure.
    pub(crate) async fn are_allowed(&mut self, channel: &str, operations: &[&str]) -> Vec<bool> {
        let first = self.next + 1;
        let mut body = String::new();
        for operation in operations {
            self.next += 1;
            let mut message = json!({ "type": operation, "channel": channel, "id": self.next });
            if *operation == "publish" {
                message["data"] = json!(1);
            }
            body += &format!("{message}\n");
        }
        self.post(&body).await;
        let mut answers = BTreeMap::new();
        while answers.len() < operations.len() {
            for message in self.hear().await {
                if let Some(id) = message["id"].as_u64().filter(|id| *id >= first) {
                    answers.insert(id, message);
                }
            }
        }
        let allowed = answers.into_values().map(|answer| {
            let refused = answer["type"] == "error";
            assert!(!refused || answer["code"] == "permission_denied", "{channel}: {answer}");
            !refused
        });
        allowed.collect()
    }

    /// Posts messages, one on each line.
    pub(crate) async fn post(&mut self, lines: &str) {
        let ask = request(&format!("POST /send?session={}", self.pass), None, lines);
        exchange(&mut self.up, &ask, 202).await;
    }

    /// What comes next.
    pub(crate) async fn hear(&mut self) -> Vec<Value> {
        if self.kind != Down::Poll {
            return vec![message(&mut self.down, self.kind).await];
        }
        let ask = request(&format!("GET /poll?session={}&seen={}", self.pass, self.seen), None, "");
        let told = exchange(&mut self.down, &ask, 200).await;
        self.seen = told["seen"].as_u64().unwrap();
        told["messages"].as_array().unwrap().clone()
    }
}

/// Which of these channels a client without a session is let into.
pub(crate) async fn listens(
    address: SocketAddr,
    kind: Down,
    token: Option<&str>,
    channels: &[String],
) -> Vec<bool> {
    let path = if kind == Down::Events { "/sse" } else { "/stream" };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for channel in channels {
        query.append_pair("channel", channel);
    }
    let mut line = line(address).await;
    let ask = request(&format!("GET {path}?{}", query.finish()), token, "");
    line.get_mut().write_all(ask.as_bytes()).await.unwrap();
    assert_eq!(head(&mut line).await.0, 200);
    let mut let_in = Vec::new();
    if token.is_some() {
        assert_eq!(message(&mut line, kind).await["type"], "authenticated");
    }
    for _ in channels {
        let answer = message(&mut line, kind).await;
        match answer["type"].as_str() {
            Some("subscribed") => let_in.push(answer["channel"].as_str().unwrap().to_owned()),
            _ => assert_eq!(answer["code"], "permission_denied", "{answer}"),
        }
    }
    channels.iter().map(|channel| let_in.contains(channel)).collect()
}
