//! One WebSocket: a socket, the bytes on their way in and out, and the watch over its silence.

use std::io;
use std::time::Duration;

use fanfare_wire::handshake::{ClientRequest, HandshakeError};
use fanfare_wire::{Decoder, Limits, Message, OpCode, Role, encode_close_masked, encode_frame_masked};
use serde::de::IgnoredAny;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::error::{Ending, Error};
use crate::options::{FRAGMENTS_MAX, MESSAGE_BYTES_MAX, Options};
use crate::stream::Stream;
use crate::target::Target;
use crate::words::{Said, understand};

/// How much is read in one go.
const READ_BYTES: usize = 16 * 1024;
/// How much of a refused handshake is read.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;
/// The longest a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

const LIMITS: Limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, fragments_max: FRAGMENTS_MAX };

/// An open WebSocket.
pub(crate) struct Connection {
    stream: Stream,
    decoder: Decoder,
    /// Received and not yet decoded.
    input: Vec<u8>,
    /// Encoded and not yet sent.
    out: Vec<u8>,
    heard_at: Instant,
    /// Whether the server has been asked for a sign of life since it was last heard.
    asked: bool,
    ping_after: Duration,
    pong_timeout: Duration,
}

impl Connection {
    /// Connects and shakes hands.
    pub(crate) async fn open(target: &Target, options: &Options) -> Result<Self, Error> {
        match timeout(options.connect_timeout, Self::shake_hands(target, options)).await {
            Ok(result) => result,
            Err(_) => Err(Error::connect("cannot connect: it takes too long", true)),
        }
    }

    async fn shake_hands(target: &Target, options: &Options) -> Result<Self, Error> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| Error::connect(error.to_string(), false))?;
        let token = match &options.token {
            Some(token) => Some(token.get().await?),
            None => None,
        };
        let request = target.request(options.user.as_deref(), token.as_ref(), nonce);
        let address = (target.host.as_str(), target.port);
        let stream = TcpStream::connect(address).await.map_err(|error| Error::io(&error))?;
        stream.set_nodelay(true).map_err(|error| Error::io(&error))?;
        let mut stream = match target.tls {
            true => Stream::secure(stream, &target.host, &options.trust).await?,
            false => Stream::plain(stream),
        };
        stream.write_all(request.head()).await.map_err(|error| Error::io(&error))?;
        let mut input = Vec::with_capacity(1024);
        loop {
            if stream.read_more(&mut input).await.map_err(|error| Error::io(&error))? == 0 {
                return Err(Error::connect("the server closed the connection during the handshake", true));
            }
            match request.response(&input) {
                Ok(None) => {}
                Ok(Some(response)) => {
                    input.drain(..response.consumed);
                    break;
                }
                Err(error) => return Err(refusal(&mut stream, &request, input, error).await),
            }
        }
        Ok(Self {
            stream,
            decoder: Decoder::new(Role::Client),
            input,
            out: Vec::new(),
            heard_at: Instant::now(),
            asked: false,
            ping_after: options.ping_after,
            pong_timeout: options.pong_timeout,
        })
    }

    /// Waits until something can be read, or written where something is to be.
    pub(crate) async fn ready(&self) {
        let interest =
            if self.out.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        // An error shows again, and better, on reading.
        let _ = self.stream.ready(interest).await;
    }

    /// Bytes that the socket has not taken yet.
    pub(crate) fn out_bytes(&self) -> usize {
        self.out.len()
    }

    /// Whether bytes came with the handshake that nobody has looked at.
    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Queues a message.
    pub(crate) fn say(&mut self, text: &str) -> Result<(), Ending> {
        encode_frame_masked(&mut self.out, OpCode::Text, text.as_bytes(), key()?);
        Ok(())
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self) -> Result<(), Ending> {
        while !self.out.is_empty() {
            match self.stream.try_write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Ending::broken(error.to_string())),
            }
        }
        self.stream.push().map_err(|error| Ending::broken(error.to_string()))
    }

    /// Takes in what has arrived and appends what was said.
    pub(crate) fn read(&mut self, said: &mut Vec<Said>) -> Result<(), Ending> {
        loop {
            let filled = self.input.len();
            self.input.resize(filled + READ_BYTES, 0);
            let read = self.stream.try_read(&mut self.input[filled..]);
            self.input.truncate(filled + read.as_ref().map_or(0, |read| *read));
            match read {
                Ok(0) => return Err(Ending::broken("the server closed the connection")),
                Ok(_) => {
                    self.heard_at = Instant::now();
                    self.asked = false;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Ending::broken(error.to_string())),
            }
            self.decode(said)?;
        }
    }

    /// Decodes the input that is there.
    pub(crate) fn decode(&mut self, said: &mut Vec<Said>) -> Result<(), Ending> {
        let mut at = 0;
        let mut end = None;
        while at < self.input.len() && end.is_none() {
            let decoded = match self.decoder.decode(&mut self.input[at..], &LIMITS) {
                Ok(decoded) => decoded,
                Err(violation) => {
                    end = Some(Ending::broken(violation.to_string()));
                    break;
                }
            };
            at += decoded.consumed;
            match decoded.message {
                Some(Message::Text(text)) => said.push(understand(text).unwrap_or(Said::Other)),
                Some(Message::Ping(payload)) => {
                    encode_frame_masked(&mut self.out, OpCode::Pong, payload, key()?);
                }
                Some(Message::Close(frame)) => {
                    end = Some(frame.map_or_else(
                        || Ending::closed(1005, "closed without a reason"),
                        |frame| Ending::closed(frame.code, frame.reason),
                    ));
                }
                // Compression is not offered, so that nothing comes compressed.
                Some(Message::Binary(_) | Message::Pong(_) | Message::Deflated(_)) | None => {}
            }
        }
        self.decoder.release();
        self.input.clear();
        end.map_or(Ok(()), Err)
    }

    /// When the silence has to be looked into.
    pub(crate) fn silence_ends(&self) -> Instant {
        let patience = if self.asked { self.ping_after + self.pong_timeout } else { self.ping_after };
        self.heard_at + patience
    }

    /// The server has been silent: ask it, or give it up.
    pub(crate) fn break_silence(&mut self) -> Result<(), Ending> {
        if self.asked {
            return Err(Ending::broken("the server gave no sign of life"));
        }
        self.asked = true;
        encode_frame_masked(&mut self.out, OpCode::Ping, b"", key()?);
        Ok(())
    }

    /// Sends what is left and a Close, and waits a moment for the server's.
    pub(crate) async fn close(mut self, code: u16) {
        let Ok(key) = key() else { return };
        encode_close_masked(&mut self.out, code, "", key);
        let goodbye = async {
            self.stream.write_all(&self.out).await?;
            self.stream.shutdown().await?;
            while self.stream.read_more(&mut self.input).await? > 0 {
                self.input.clear();
            }
            Ok::<(), io::Error>(())
        };
        // Whether it hears us or not, this is the end.
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// Why the server refused: its words may come in later packets than the status.
async fn refusal(
    stream: &mut Stream,
    request: &ClientRequest,
    mut input: Vec<u8>,
    first: HandshakeError,
) -> Error {
    let mut last = first;
    // Beyond this, whatever came serves as the explanation.
    let _ = timeout(GOODBYE, async {
        let refused = last.status().is_some_and(|status| status >= 400);
        let complete = |error: &HandshakeError| serde_json::from_str::<IgnoredAny>(error.extract()).is_ok();
        while refused && !complete(&last) && input.len() < REFUSAL_BYTES_MAX {
            match stream.read_more(&mut input).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if let Err(error) = request.response(&input) {
                last = error;
            }
        }
    })
    .await;
    Error::handshake(&last)
}

/// A masking key: fresh and unpredictable, so that nobody can make this client send bytes of their choice.
fn key() -> Result<[u8; 4], Ending> {
    match getrandom::u32() {
        Ok(random) => Ok(random.to_ne_bytes()),
        Err(error) => Err(Ending::broken(error.to_string())),
    }
}
