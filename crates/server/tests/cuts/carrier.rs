//! What carries a session down to its client.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::StreamExt as _;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::events::{Event, Events};
use crate::line::{Line, Stop, body, open, request};

/// How a client may be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    Events,
    Lines,
    Poll,
}

/// The close code of a connection that another one has taken the session from.
const REPLACED: u64 = 4013;

/// A connection that a session's entries come over.
pub(crate) struct Carrier {
    way: Way,
    pass: String,
    /// How many entries of the session the client has had.
    pub(crate) seen: u64,
    /// Whether the server has answered on it.
    pub(crate) is_proven: bool,
    /// Whether it was asked for a sign of life.
    is_pinged: bool,
    came: VecDeque<Result<Value, Stop>>,
}

/// The end of a connection that its client had left.
pub(crate) struct Rest {
    pub(crate) transport: Transport,
    pub(crate) seen: u64,
    pub(crate) messages: Vec<Value>,
    pub(crate) stop: Stop,
    pub(crate) is_pinged: bool,
}

enum Way {
    WebSocket(Box<WebSocketStream<TcpStream>>),
    Events(Incoming, Events),
    Lines(Incoming, Vec<u8>),
    Poll(Line),
}

impl Carrier {
    /// Goes on with a session after the first `seen` entries. A poll is asked only when something is wanted.
    pub(crate) async fn open(
        address: SocketAddr,
        transport: Transport,
        pass: &str,
        seen: u64,
    ) -> Result<Self, Stop> {
        let get = |target: &str| body(request(Method::GET, target), "text/plain", String::new());
        let query = format!("session={pass}&seen={seen}");
        let way = match transport {
            Transport::WebSocket => Way::WebSocket(Box::new(websocket(address, &query).await?)),
            Transport::Events => {
                // The number alone comes as a browser would send it again.
                let target = format!("/sse?session={pass}");
                let builder = request(Method::GET, &target).header("last-event-id", seen.to_string());
                Way::Events(
                    open(address, body(builder, "text/plain", String::new())).await?,
                    Events::default(),
                )
            }
            Transport::Lines => {
                Way::Lines(open(address, get(&format!("/stream?{query}"))).await?, Vec::new())
            }
            Transport::Poll => Way::Poll(Line::new(address)),
        };
        let is_proven = transport != Transport::Poll;
        Ok(Self { way, pass: pass.to_owned(), seen, is_proven, is_pinged: false, came: VecDeque::new() })
    }

    /// The next entry.
    pub(crate) async fn next(&mut self) -> Result<Value, Stop> {
        loop {
            if let Some(came) = self.came.pop_front() {
                let message = came?;
                self.seen += 1;
                return Ok(message);
            }
            self.read().await?;
        }
    }

    /// Everything that still comes, and why nothing more does.
    pub(crate) async fn drain(mut self) -> Rest {
        let transport = match self.way {
            Way::WebSocket(_) => Transport::WebSocket,
            Way::Events(..) => Transport::Events,
            Way::Lines(..) => Transport::Lines,
            Way::Poll(_) => Transport::Poll,
        };
        let (seen, mut messages) = (self.seen, Vec::new());
        loop {
            match self.next().await {
                Ok(message) => messages.push(message),
                Err(stop) => return Rest { transport, seen, messages, stop, is_pinged: self.is_pinged },
            }
        }
    }

    async fn read(&mut self) -> Result<(), Stop> {
        match &mut self.way {
            Way::WebSocket(socket) => match socket.next().await {
                Some(Ok(Message::Text(text))) => self.came.push_back(parse(&text)),
                Some(Ok(Message::Close(Some(close)))) => return Err(closed(u16::from(close.code).into())),
                Some(Ok(Message::Ping(_))) => self.is_pinged = true,
                Some(Ok(other)) => return Err(Stop::Wrong(format!("{other:?}"))),
                Some(Err(_)) | None => return Err(Stop::Broken),
            },
            Way::Events(body, events) => {
                let mut read = Vec::new();
                events.read(&chunk(body).await?, &mut read);
                // Each tells its number, which has to be the next.
                let mut number = self.seen + self.came.len() as u64;
                for event in read {
                    number += 1;
                    self.came.push_back(entry(&event, number));
                }
            }
            Way::Lines(body, rest) => {
                rest.extend_from_slice(&chunk(body).await?);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let line = String::from_utf8_lossy(&line).trim().to_owned();
                    // A blank one is a sign of life.
                    if !line.is_empty() {
                        self.came.push_back(parse(&line).and_then(unless_closed));
                    }
                }
            }
            Way::Poll(line) => {
                let target = format!("/poll?session={}&seen={}", self.pass, self.seen);
                let get = body(request(Method::GET, &target), "text/plain", String::new());
                let mut told = line.ask(get).await?;
                self.is_proven = true;
                let Value::Array(messages) = told["messages"].take() else {
                    return Err(Stop::Wrong(format!("polled: {told}")));
                };
                if told["seen"].as_u64() != Some(self.seen + messages.len() as u64) {
                    return Err(Stop::Wrong(format!(
                        "{} messages after {}: {told}",
                        messages.len(),
                        self.seen
                    )));
                }
                self.came.extend(messages.into_iter().map(Ok));
                if let Err(stop) = unless_closed(told) {
                    self.came.push_back(Err(stop));
                }
            }
        }
        Ok(())
    }
}

async fn websocket(address: SocketAddr, query: &str) -> Result<WebSocketStream<TcpStream>, Stop> {
    let stream = TcpStream::connect(address).await.map_err(|_| Stop::Broken)?;
    stream.set_nodelay(true).map_err(|_| Stop::Broken)?;
    match client_async(format!("ws://localhost/ws?{query}"), stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) if response.status() == StatusCode::GONE => Err(Stop::Lost),
        Err(tungstenite::Error::Http(response)) => Err(Stop::Wrong(format!("{response:?}"))),
        Err(_) => Err(Stop::Broken),
    }
}

async fn chunk(body: &mut Incoming) -> Result<Vec<u8>, Stop> {
    match body.frame().await {
        Some(Ok(frame)) => Ok(frame.into_data().map(Vec::from).unwrap_or_default()),
        Some(Err(_)) | None => Err(Stop::Broken),
    }
}

fn parse(text: &str) -> Result<Value, Stop> {
    serde_json::from_str(text).map_err(|error| Stop::Wrong(format!("{error}: {text}")))
}

/// An event as an entry of the session, which is the `number`th.
fn entry(event: &Event, number: u64) -> Result<Value, Stop> {
    let message = parse(&event.data)?;
    match &*event.name {
        "message" if event.id == number.to_string() => Ok(message),
        "close" => Err(closed(message["code"].as_u64().unwrap_or_default())),
        _ => Err(Stop::Wrong(format!("as entry {number} comes {event:?}"))),
    }
}

fn unless_closed(message: Value) -> Result<Value, Stop> {
    match message["closed"]["code"].as_u64() {
        Some(code) => Err(closed(code)),
        None => Ok(message),
    }
}

fn closed(code: u64) -> Stop {
    if code == REPLACED { Stop::Displaced } else { Stop::Wrong(format!("closed with {code}")) }
}
