//! A connection of HTTP/2 by the h2 crate, and WebSockets on it by tokio-tungstenite.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{Ping, PingPong, RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::super::support::client::Client;
use super::super::support::raw::Raw;
use super::super::support::within;

/// A connection that says of the server what the server has said.
pub(super) struct Connection {
    pub(super) requests: SendRequest<Bytes>,
    ping: PingPong,
    driver: JoinHandle<Result<(), h2::Error>>,
}

/// A response and its body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A stream that is read and written as if it were a socket.
pub(super) struct Tunnel {
    send: SendStream<Bytes>,
    receive: RecvStream,
    unread: Bytes,
}

/// A handshake that nobody could object to.
pub(super) fn handshake(path: &str) -> http::request::Builder {
    Request::builder()
        .method("CONNECT")
        .uri(format!("http://localhost{path}"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await
    }

    /// One that leaves the server no room for any part of an answer.
    pub(super) async fn without_room(address: SocketAddr) -> Self {
        let mut client = h2::client::Builder::new();
        client.initial_window_size(0);
        Self::by(&client, TcpStream::connect(address).await.unwrap()).await
    }

    /// Begins on any stream, and waits for the server's settings.
    pub(super) async fn over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // What one stream leaves unread is not to hold up the others.
        let mut client = h2::client::Builder::new();
        client.initial_connection_window_size(4 << 20);
        Self::by(&client, stream).await
    }

    async fn by<S>(client: &h2::client::Builder, stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, mut connection) = client.handshake(stream).await.unwrap();
        let ping = connection.ping_pong().unwrap();
        let driver = tokio::spawn(connection);
        let settings = async {
            while !requests.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        };
        within("the server to offer extended CONNECT", settings).await.unwrap();
        Self { requests, ping, driver }
    }

    /// Sends the head of a request, or says why the connection takes no more.
    pub(super) async fn send(
        &mut self,
        request: http::request::Builder,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        requests.send_request(request.body(()).unwrap(), end)
    }

    /// Asks, and gives the answer with its body.
    pub(super) async fn ask(&mut self, request: http::request::Builder) -> Answer {
        let (response, _send) = self.send(request, false).await.unwrap();
        let response = within("an answer", response).await.unwrap().unwrap();
        Answer::read(response).await
    }

    /// Opens a stream that is a WebSocket, or gives what the server said instead.
    pub(super) async fn tunnel(&mut self, request: http::request::Builder) -> Result<Tunnel, Answer> {
        let (response, send) = self.send(request, false).await.unwrap();
        let response = within("an answer", response).await.unwrap().unwrap();
        match response.status().as_u16() {
            200 => Ok(Tunnel { send, receive: response.into_body(), unread: Bytes::new() }),
            _ => Err(Answer::read(response).await),
        }
    }

    /// A WebSocket by bytes.
    pub(super) async fn raw(&mut self, path: &str) -> Raw<Tunnel> {
        Raw::over(self.tunnel(handshake(path)).await.unwrap())
    }

    /// A WebSocket by a client that somebody else wrote.
    pub(super) async fn client(&mut self, path: &str) -> Client {
        let tunnel = self.tunnel(handshake(path)).await.unwrap();
        Client::within(WebSocketStream::from_raw_socket(tunnel, Role::Client, None).await)
    }

    /// Waits until the server has seen everything sent so far, or gives the connection's end.
    pub(super) async fn seen(&mut self) -> Result<(), h2::Error> {
        within("an answer to a ping", self.ping.ping(Ping::opaque())).await.unwrap().map(drop)
    }

    /// Waits for the connection's end, and gives what it ended with.
    pub(super) async fn ended(self) -> Result<(), h2::Error> {
        let Self { requests, ping, driver } = self;
        let result = within("the connection to end", driver).await.unwrap().unwrap();
        drop((requests, ping));
        result
    }

    /// Ends without a word.
    pub(super) fn cut(self) {
        self.driver.abort();
    }
}

impl Answer {
    async fn read(response: http::Response<RecvStream>) -> Self {
        let (head, mut stream) = response.into_parts();
        let mut body = Vec::new();
        while let Some(bytes) = within("the body", stream.data()).await.unwrap() {
            let bytes = bytes.unwrap();
            stream.flow_control().release_capacity(bytes.len()).unwrap();
            body.extend(bytes);
        }
        let body = String::from_utf8(body).unwrap();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// In a few words: the status, and the code where the body has one.
    pub(super) fn summary(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        format!("{} {}", self.status, body["error"]["code"].as_str().unwrap_or_default())
    }
}

impl Tunnel {
    /// Ends the stream in both directions at once (RST_STREAM with CANCEL, which is TCP's reset here: RFC 8441 §4).
    pub(super) fn reset(mut self) {
        self.send.send_reset(h2::Reason::CANCEL);
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.receive.poll_data(context)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(bytes)) => {
                    let _ = self.receive.flow_control().release_capacity(bytes.len());
                    self.unread = bytes;
                }
            }
        }
        let count = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread[..count]);
        self.unread.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(bytes.len());
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(context)) {
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Some(result) => drop(result.map_err(io::Error::other)?),
            }
        }
        let count = self.send.capacity().min(bytes.len());
        let chunk = Bytes::copy_from_slice(&bytes[..count]);
        self.send.send_data(chunk, false).map_err(io::Error::other)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.send.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}
