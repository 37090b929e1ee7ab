//! A socket without any client: bytes out, and whatever comes back.

use std::io::ErrorKind;
use std::net::SocketAddr;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::frames::{self, Frame};
use super::{Outcome, within};

/// A handshake that nobody could object to.
pub(crate) const HEAD: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A connection, or the half of it that is read.
pub(crate) struct Raw<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

/// The head of a response and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// In a few words, as the tables of cases have it: the status, and the code where the body has one.
    pub(crate) fn summary(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let code = body["error"]["code"].as_str().unwrap_or_default();
        format!("HTTP {} {code}", self.status).trim_end().to_owned()
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self::over(stream))
    }

    /// Connects and shakes hands.
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Outcome<Self> {
        let mut raw = Self::connect(address).await?;
        raw.send(HEAD.replacen("/ws", path, 1).as_bytes()).await?;
        let answer = raw.answer().await?;
        if answer.status == 101 { Ok(raw) } else { Err(format!("the handshake was refused: {answer:?}")) }
    }

    /// Ends without a word: the peer's kernel is told with a reset.
    pub(crate) fn reset(self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
    }

    /// For reading and writing at the same time.
    pub(crate) fn split(self) -> (Raw<OwnedReadHalf>, OwnedWriteHalf) {
        let (reader, writer) = self.stream.into_split();
        (Raw { stream: reader, buffer: self.buffer }, writer)
    }
}

impl<S: AsyncWrite + Unpin> Raw<S> {
    /// Sends; a server that has hung up meanwhile is no failure, what it said before is to be read.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Outcome<()> {
        // A server that does not take what was sent shows in what it answers.
        let _ = within("the server to take bytes", self.stream.write_all(bytes)).await?;
        Ok(())
    }

    /// Makes sure that what was sent has left.
    pub(crate) async fn flush(&mut self) -> Outcome<()> {
        self.stream.flush().await.map_err(|error| error.to_string())
    }

    pub(crate) async fn shut(&mut self) {
        let _ = self.stream.shutdown().await;
    }
}

impl<S> Raw<S> {
    /// A connection that is made already.
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    pub(crate) fn into_stream(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> Raw<S> {
    /// Reads once; false at the end of the stream.
    async fn more(&mut self) -> Outcome<bool> {
        let mut bytes = vec![0; 16 * 1024];
        match within("the server to say something", self.stream.read(&mut bytes)).await? {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.buffer.extend(&bytes[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The next response.
    pub(crate) async fn answer(&mut self) -> Outcome<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more().await? {
                return Err(format!("no response but {:?}", String::from_utf8_lossy(&self.buffer)));
            }
        };
        let head: String = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.unwrap_or(0);
        while self.buffer.len() < length && self.more().await? {}
        let body: Vec<u8> = self.buffer.drain(..length.min(self.buffer.len())).collect();
        Ok(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The next frame; none at the end of the stream.
    pub(crate) async fn frame(&mut self) -> Outcome<Option<Frame>> {
        loop {
            if let Some(frame) = Frame::take(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            if !self.more().await? {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err("the stream ended within a frame".to_owned()),
                };
            }
        }
    }

    /// The next frame that is no ping of the server, in a few words; "EOF" at the end.
    pub(crate) async fn said(&mut self) -> Outcome<String> {
        loop {
            match self.frame().await? {
                Some(frame) if frame.opcode == frames::PING => {}
                Some(frame) => return Ok(frame.summary()),
                None => return Ok("EOF".to_owned()),
            }
        }
    }
}
