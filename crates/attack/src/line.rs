//! One WebSocket connection of somebody who means well.

use std::io;
use std::net::SocketAddr;

use fanfare_wire::handshake::ClientRequest;
use fanfare_wire::{Decoder, Limits, Message, OpCode, Role, encode_frame_masked};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::source::Sources;

/// The key that frames are masked with. Nobody's cache is between, so it need not be unpredictable.
pub(crate) const MASK: [u8; 4] = [0x5A, 0x17, 0xC3, 0x68];

const LIMITS: Limits = Limits { message_bytes_max: 1 << 20, fragments_max: 1024 };

/// A connection after its handshake.
pub(crate) struct Line {
    stream: TcpStream,
    decoder: Decoder,
    buffer: Vec<u8>,
}

/// What was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    Text(String),
    /// Wants its payload back.
    Ping(Vec<u8>),
    /// The end, as the server tells it.
    Close(u16),
    /// Nothing that needs anything.
    Other,
}

/// A handshake for `path`. The nonce may be the same each time: nothing caches here.
pub(crate) fn request(server: SocketAddr, path: &str) -> ClientRequest {
    ClientRequest::new(&server.to_string(), path, &[], &[], *b"fanfare attack!!")
}

/// The same, offering compression.
pub(crate) fn request_deflated(server: SocketAddr, path: &str) -> ClientRequest {
    let offer = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    ClientRequest::new(&server.to_string(), path, &[], &offer, *b"fanfare attack!!")
}

impl Line {
    /// Connects from the next address and shakes hands.
    ///
    /// # Errors
    /// When the server does not agree; the error has its status.
    pub(crate) async fn open(sources: &Sources, server: SocketAddr, path: &str) -> io::Result<Self> {
        Self::shake(sources.connect(server).await?, server, path).await
    }

    /// Shakes hands over a connection that is made already.
    ///
    /// # Errors
    /// When the server does not agree; the error has its status.
    pub(crate) async fn shake(stream: TcpStream, server: SocketAddr, path: &str) -> io::Result<Self> {
        Self::shake_by(&request(server, path), stream).await
    }

    /// The same with a request that is made already.
    ///
    /// # Errors
    /// As [`Line::shake`].
    pub(crate) async fn shake_by(request: &ClientRequest, mut stream: TcpStream) -> io::Result<Self> {
        stream.write_all(request.head()).await?;
        let mut buffer = Vec::with_capacity(512);
        loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match request.response(&buffer) {
                Ok(None) => {}
                Ok(Some(response)) => {
                    buffer.drain(..response.consumed);
                    return Ok(Self { stream, decoder: Decoder::new(Role::Client), buffer });
                }
                Err(error) => {
                    let status = error.status().unwrap_or_default();
                    return Err(io::Error::other(format!("{status} {} {}", error.text(), error.extract())));
                }
            }
        }
    }

    /// The next thing that is said. What is under way stays in the line when this is dropped.
    pub(crate) async fn hear(&mut self) -> io::Result<Heard> {
        loop {
            if let Some(heard) = self.take()? {
                return Ok(heard);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<Heard>> {
        let mut done = 0;
        let mut heard = None;
        while heard.is_none() && done < self.buffer.len() {
            let decoded = self
                .decoder
                .decode(&mut self.buffer[done..], &LIMITS)
                .map_err(|violation| io::Error::other(format!("the server's framing: {violation:?}")))?;
            heard = decoded.message.map(|message| match message {
                Message::Text(text) => Heard::Text(text.to_owned()),
                Message::Ping(payload) => Heard::Ping(payload.to_vec()),
                Message::Close(close) => Heard::Close(close.map_or(1005, |close| close.code)),
                _ => Heard::Other,
            });
            if decoded.consumed == 0 {
                break;
            }
            done += decoded.consumed;
        }
        self.decoder.release();
        self.buffer.drain(..done);
        Ok(heard)
    }

    /// Sends a text message.
    pub(crate) async fn say(&mut self, text: &str) -> io::Result<()> {
        self.send(OpCode::Text, text.as_bytes()).await
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, opcode: OpCode, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        encode_frame_masked(&mut frame, opcode, payload, MASK);
        self.stream.write_all(&frame).await
    }

    /// Waits for an event of this type; answers pings meanwhile.
    ///
    /// # Errors
    /// When the connection ends before, or what comes is an error.
    pub(crate) async fn until(&mut self, kind: &str) -> io::Result<serde_json::Value> {
        loop {
            match self.hear().await? {
                Heard::Text(text) => {
                    let event: serde_json::Value = serde_json::from_str(&text)?;
                    if event["type"] == kind {
                        return Ok(event);
                    }
                    if event["type"] == "error" {
                        return Err(io::Error::other(format!("{kind} was awaited, {text} came")));
                    }
                }
                Heard::Ping(payload) => self.send(OpCode::Pong, &payload).await?,
                Heard::Close(code) => return Err(io::Error::other(format!("closed with {code}"))),
                Heard::Other => {}
            }
        }
    }

    /// The bare connection.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}
