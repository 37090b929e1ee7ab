//! One connection: a socket, a few counters, and buffers that own nothing while they are empty.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use fanfare_wire::deflate::{Deflated, Inflater};
use fanfare_wire::handshake::ClientRequest;
use fanfare_wire::{Message, OpCode};
use mio::net::TcpStream;
use serde_json::Value;

use crate::account::Account;
use crate::adapter::{Adapter, Hearing, Link, Role, Who};
use crate::frame::{self, Piece};
use crate::ledger::{Ledger, Tally, excerpt};

/// How much is read in one go. Large enough for a thousand small messages, small enough for the cache.
const READ_BYTES: usize = 128 * 1024;
/// Room before the read for what the last read left over: the longest message that can be taken in.
const CARRY_BYTES_MAX: usize = 1024 * 1024;

/// Inflated messages that are remembered, of a room or of many that are read in turn.
const INFLATED_KNOWN_MAX: usize = 4096;

/// What all seats share.
pub(crate) struct Ground {
    pub(crate) adapter: &'static dyn Adapter,
    pub(crate) ledger: Ledger,
    /// The rooms' names, by number.
    pub(crate) names: Vec<String>,
    pub(crate) epoch: Instant,
    /// Everything that was read so far.
    pub(crate) received_bytes: u64,
    inflation: Inflation,
    buffer: Vec<u8>,
}

/// Inflates for all seats. A broadcast is the same for each, and inflated once: what receivers do is not measured.
#[derive(Default)]
struct Inflation {
    inflater: Inflater,
    /// What was inflated lately, by its compressed form.
    known: HashMap<Box<[u8]>, Box<[u8]>>,
}

impl Inflation {
    fn inflate(&mut self, payload: &[u8]) -> Result<&[u8], &'static str> {
        if !self.known.contains_key(payload) {
            if self.known.len() >= INFLATED_KNOWN_MAX {
                self.known.clear();
            }
            let deflated = Deflated::new(OpCode::Binary, payload);
            match self.inflater.inflate(deflated, CARRY_BYTES_MAX) {
                Ok(Message::Binary(message)) => {
                    self.known.insert(payload.into(), message.into());
                }
                Ok(_) => return Err("a compressed message of another kind"),
                Err(_) => return Err("a message that cannot be inflated"),
            }
        }
        self.known.get(payload).map(|message| &**message).ok_or("a message that is gone")
    }
}

impl Ground {
    pub(crate) fn new(adapter: &'static dyn Adapter, epoch: Instant, account: Arc<Account>) -> Self {
        let buffer = vec![0; CARRY_BYTES_MAX + READ_BYTES];
        Self {
            adapter,
            ledger: Ledger::new(account),
            names: Vec::new(),
            epoch,
            received_bytes: 0,
            inflation: Inflation::default(),
            buffer,
        }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// The code of the Close frame, if there was one.
    pub(crate) code: Option<u16>,
    /// When, in nanoseconds since the epoch.
    pub(crate) at_ns: u64,
}

/// What a read left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The socket is empty: the poller will tell when there is more.
    Nothing,
    /// There may be more to read, and the poller will not tell.
    More,
}

/// How far a connection has come.
enum Stage {
    /// No WebSocket is wanted.
    Plain,
    /// The handshake is under way.
    Upgrading(Box<ClientRequest>),
    /// Frames are spoken.
    Open,
}

/// One connection.
pub(crate) struct Seat {
    stream: TcpStream,
    pub(crate) role: Role,
    pub(crate) link: Link,
    pub(crate) tally: Tally,
    pub(crate) end: Option<End>,
    /// Set while it is not to read.
    pub(crate) stalled: bool,
    /// The poller has said, and will not say again, that nothing comes after what is there.
    pub(crate) hung_up: bool,
    /// Set while it waits to be flushed.
    pub(crate) dirty: bool,
    stage: Stage,
    /// Bytes of a frame or head that has not arrived whole.
    carry: Vec<u8>,
    /// Payload bytes to come of the frame that is being streamed.
    owed: usize,
    out: Vec<u8>,
    out_done: usize,
}

impl Seat {
    /// A connection that is being made. Without a request it speaks plain bytes.
    pub(crate) fn new(stream: TcpStream, role: Role, tally: Tally, request: Option<ClientRequest>) -> Self {
        let out = request.as_ref().map_or_else(Vec::new, |request| request.head().to_vec());
        Self {
            stream,
            role,
            link: Link::default(),
            tally,
            end: None,
            stalled: false,
            hung_up: false,
            dirty: false,
            out,
            stage: request.map_or(Stage::Plain, |request| Stage::Upgrading(Box::new(request))),
            carry: Vec::new(),
            owed: 0,
            out_done: 0,
        }
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Appends the frames of one publication; [`Seat::flush`] sends them.
    pub(crate) fn publish(&mut self, adapter: &dyn Adapter, room: &str, data: &[u8]) {
        adapter.publish(room, data, &mut self.out);
    }

    /// Writes what waits, as far as the socket takes it. An error shows again, and better, on reading.
    pub(crate) fn flush(&mut self) {
        self.dirty = false;
        while self.out_done < self.out.len() {
            match self.stream.write(&self.out[self.out_done..]) {
                Ok(written) => self.out_done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
        self.out_done = 0;
        // A subscriber speaks once, then answers pings: it need not keep the memory. A publisher does.
        if self.role == Role::Publisher { self.out.clear() } else { self.out = Vec::new() }
    }

    /// Says goodbye and closes the sending side.
    pub(crate) fn part(&mut self) {
        if self.end.is_none() && matches!(self.stage, Stage::Open) {
            frame::push(&mut self.out, OpCode::Close, &1000_u16.to_be_bytes());
            self.flush();
        }
    }

    /// Reads once and takes in what came.
    pub(crate) fn read(&mut self, ground: &mut Ground) -> Rest {
        let carried = self.carry.len();
        if carried > CARRY_BYTES_MAX {
            ground.ledger.fault(|| format!("a message longer than {CARRY_BYTES_MAX} bytes"));
            self.finish(None, ground);
            return Rest::Nothing;
        }
        let mut buffer = std::mem::take(&mut ground.buffer);
        let space = &mut buffer[carried..carried + READ_BYTES];
        let rest = match self.stream.read(space) {
            Ok(0) => {
                self.unready(ground, "the server closed a connection before it was ready");
                Rest::Nothing
            }
            Ok(read_bytes) => {
                ground.received_bytes += read_bytes as u64;
                buffer[..carried].copy_from_slice(&self.carry);
                self.take_in(&buffer[..carried + read_bytes], ground);
                // Less than was asked for means that the socket is empty; its end has yet to be read.
                let more = read_bytes == READ_BYTES || self.hung_up;
                if more && self.end.is_none() { Rest::More } else { Rest::Nothing }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Rest::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Rest::More,
            Err(error) => {
                self.unready(ground, &format!("a connection broke before it was ready: {error}"));
                Rest::Nothing
            }
        };
        ground.buffer = buffer;
        rest
    }

    fn finish(&mut self, code: Option<u16>, ground: &mut Ground) {
        if self.end.is_none() {
            self.end = Some(End { code, at_ns: ground.now_ns() });
            if self.link.ready && (self.tally.counted || self.role == Role::Publisher) {
                ground.ledger.ended();
            }
        }
    }

    /// The socket is writable, so it is connected; what waits can be sent.
    pub(crate) fn writable(&mut self, ground: &mut Ground) {
        if !self.link.ready
            && let Ok(Some(error)) = self.stream.take_error()
        {
            return self.unready(ground, &format!("cannot connect: {error}"));
        }
        if matches!(self.stage, Stage::Plain) && !self.link.ready {
            self.hear(ground, |adapter, who, hearing| adapter.opened(who, hearing));
        }
        self.flush();
    }

    /// The connection is gone, and if it was not ready yet, that is why.
    fn unready(&mut self, ground: &mut Ground, why: &str) {
        if !self.link.ready && self.end.is_none() {
            ground.ledger.unready(|| why.to_owned());
        }
        self.finish(None, ground);
    }

    /// Goes through received bytes and keeps what is not complete.
    fn take_in(&mut self, bytes: &[u8], ground: &mut Ground) {
        let done = match &self.stage {
            Stage::Plain => {
                self.hear(ground, |adapter, who, hearing| adapter.heard(who, bytes, hearing));
                bytes.len()
            }
            Stage::Upgrading(request) => match request.response(bytes) {
                Ok(None) => 0,
                Ok(Some(response)) => {
                    self.stage = Stage::Open;
                    self.hear(ground, |adapter, who, hearing| adapter.opened(who, hearing));
                    response.consumed + self.frames(&bytes[response.consumed..], ground)
                }
                Err(error) => {
                    let status = error.status().map_or(String::new(), |status| format!(" (status {status})"));
                    let said = refusal(error.extract()).unwrap_or_else(|| error.content_type().to_owned());
                    ground.ledger.unready(|| {
                        format!("handshake: {}{status} {said}", error.text()).trim_end().to_owned()
                    });
                    self.finish(None, ground);
                    return;
                }
            },
            Stage::Open => self.frames(bytes, ground),
        };
        let rest = &bytes[done..];
        if rest.is_empty() {
            self.carry = Vec::new();
        } else {
            self.carry.clear();
            self.carry.extend_from_slice(rest);
        }
        if !self.out.is_empty() {
            self.flush();
        }
    }

    fn frames(&mut self, bytes: &[u8], ground: &mut Ground) -> usize {
        let streamed = ground.adapter.is_streamed();
        let mut owed = self.owed;
        let mut closed = None;
        let mut inflation = std::mem::take(&mut ground.inflation);
        let walked = self.hear(ground, |adapter, who, hearing| {
            frame::walk::<&'static str>(bytes, streamed, &mut owed, |piece| {
                match piece {
                    Piece::Data(message) => adapter.heard(who, message, hearing),
                    Piece::Deflated(payload) => {
                        for line in inflation.inflate(payload)?.split(|byte| *byte == b'\n') {
                            adapter.heard(who, line, hearing);
                        }
                    }
                    Piece::Ping(payload) => hearing.reply(OpCode::Pong, payload),
                    Piece::Pong => {}
                    Piece::Close(code) => closed = Some(code),
                }
                Ok(())
            })
        });
        ground.inflation = inflation;
        self.owed = owed;
        if closed.is_some() {
            self.finish(closed, ground);
        }
        walked.unwrap_or_else(|text| {
            ground.ledger.fault(|| format!("framing: {text}"));
            self.finish(None, ground);
            bytes.len()
        })
    }

    /// Lets the adapter hear something, and notices when that made the seat ready.
    fn hear<R>(
        &mut self,
        ground: &mut Ground,
        listen: impl FnOnce(&dyn Adapter, &Who<'_>, &mut Hearing<'_>) -> R,
    ) -> R {
        let now_ns = ground.now_ns();
        let was_ready = self.link.ready;
        let who = Who { role: self.role, room: &ground.names[self.tally.room as usize] };
        let mut hearing = Hearing {
            link: &mut self.link,
            tally: &mut self.tally,
            ledger: &mut ground.ledger,
            out: &mut self.out,
            now_ns,
        };
        let result = listen(ground.adapter, &who, &mut hearing);
        if !was_ready && self.link.ready {
            ground.ledger.enter(&mut self.tally);
        }
        result
    }
}

/// What the server says in an error's form. A page of HTML would tell nobody more than its type.
fn refusal(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let (code, message) = (body["error"]["code"].as_str()?, body["error"]["message"].as_str()?);
    Some(excerpt(format!("{code}: {message}").as_bytes()))
}
