//! HTTP/1.1 over one client's line, which may be cut at any time.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Why something over the line did not go on.
pub(crate) enum Stop {
    /// The line broke: whether the other side got what was said is not known.
    Broken,
    /// Another connection carries the session now.
    Displaced,
    /// The session is no more.
    Lost,
    /// The session has not taken in yet what it was sent before.
    Busy,
    /// The server did what it must not.
    Wrong(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the line broke",
            Self::Displaced => "another connection has the session",
            Self::Lost => "the session is lost",
            Self::Busy => "the session is busy",
            Self::Wrong(what) => what,
        })
    }
}

/// A connection that requests follow each other on; made anew when it breaks.
pub(crate) struct Line {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// A request without its body.
pub(crate) fn request(method: Method, target: &str) -> http::request::Builder {
    Request::builder().method(method).uri(target).header(HOST, "localhost")
}

/// A body.
pub(crate) fn body(builder: http::request::Builder, kind: &str, body: String) -> Request<Full<Bytes>> {
    builder.header(CONTENT_TYPE, kind).body(Full::new(body.into())).unwrap()
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Stop> {
    let stream = TcpStream::connect(address).await.map_err(|_| Stop::Broken)?;
    stream.set_nodelay(true).map_err(|_| Stop::Broken)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Stop::Broken)?;
    // What goes wrong on it shows in the requests.
    tokio::spawn(connection);
    Ok(sender)
}

/// Asks for a response without an end, on a connection of its own.
pub(crate) async fn open(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Incoming, Stop> {
    let mut sender = connect(address).await?;
    let response = sender.send_request(request).await.map_err(|_| Stop::Broken)?;
    if response.status() == StatusCode::OK {
        return Ok(response.into_body());
    }
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|_| Stop::Broken)?.to_bytes();
    Err(refused(status, &body))
}

impl Line {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, sender: None }
    }

    /// Asks, and gives the answer if it is a success.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Value, Stop> {
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => connect(self.address).await?,
        };
        sender.ready().await.map_err(|_| Stop::Broken)?;
        let response = sender.send_request(request).await.map_err(|_| Stop::Broken)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|_| Stop::Broken)?.to_bytes();
        if !status.is_success() {
            return Err(refused(status, &body));
        }
        self.sender = Some(sender);
        serde_json::from_slice(&body).map_err(|error| Stop::Wrong(format!("{error}: {body:?}")))
    }
}

fn refused(status: StatusCode, body: &[u8]) -> Stop {
    match status {
        StatusCode::GONE => Stop::Lost,
        StatusCode::CONFLICT => Stop::Displaced,
        StatusCode::TOO_MANY_REQUESTS => Stop::Busy,
        _ => Stop::Wrong(format!("{status}: {}", String::from_utf8_lossy(body))),
    }
}
