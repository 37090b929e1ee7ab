//! From a readable socket to commands.

use std::io::ErrorKind;
use std::sync::Arc;

use fanfare_core::session::{Ending, Phase, SessionKey};
use fanfare_core::shard::Shard;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{CloseCode, Dialect, Incoming};
use fanfare_wire::deflate::Inflater;
use fanfare_wire::{Decoded, Decoder, Limits, Message, Violation, encode_close};

use super::Worker;

/// How often one socket is read before the others get their turn.
const READS_PER_TURN: usize = 4;

/// Bytes after which a turn reads no socket again, and those after which it looks at no other and at no further message:
/// what was read has to be understood too, which takes a millisecond for so many, and there are others to be written
/// to.
const BYTES_READ_AGAIN_MAX: usize = 64 * 1024;
const BYTES_READ_MAX: usize = 256 * 1024;

/// What was compressed counts so many times its length: inflating it takes longer than reading what is sent as it is, and
/// a small part of what a peer sends may become megabytes.
const INFLATED_WEIGHT: usize = 4;

/// What is still read of a peer that has been told that this is the end: it may have written it before it knew.
/// Who writes on is not listened to until the time for the farewell is over.
const BYTES_READ_AT_END_MAX: u32 = 256 * 1024;

/// How long sockets may be left unread because some shard is behind.
const UNREAD_MS_MAX: u64 = 100;

impl Worker {
    /// Reads every socket that may have something, once: those that have more stay in the list.
    pub(super) fn read_all(&mut self) {
        // Publishers feel it: their bytes stay in the kernel until the shards have caught up. Not for long,
        // though: signs of life lie there too.
        let now_ms = self.now_ms();
        if self.to_read.is_empty() || (self.broker.congested() && now_ms < self.read_ms + UNREAD_MS_MAX) {
            return;
        }
        self.read_ms = now_ms;
        self.looked_at_bytes = 0;
        let mut waiting = std::mem::take(&mut self.to_read).into_iter();
        while self.looked_at_bytes < BYTES_READ_MAX
            && let Some(key) = waiting.next()
        {
            if let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) {
                connection.to_read = false;
                self.read(key);
            }
        }
        if waiting.len() > 0 {
            // Who had no turn goes first in the next one.
            let again = std::mem::take(&mut self.to_read);
            self.to_read = waiting.chain(again).collect();
        }
    }

    fn read(&mut self, key: SessionKey) {
        for round in 0..READS_PER_TURN {
            if round > 0 && self.looked_at_bytes > BYTES_READ_AGAIN_MAX {
                break;
            }
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
            if !connection.unread.is_empty() {
                // It is paused; it is read again when it is resumed.
                return;
            }
            // Where the kernel has heard of its end, what it wrote has one too.
            if connection.read_at_end > BYTES_READ_AT_END_MAX && !connection.ending {
                return;
            }
            match connection.stream.read(&mut self.buffer) {
                // A peer may shut its side and still read: what it asked before is answered first.
                Ok(0) if connection.framed.is_some() => return self.hung_up(key),
                Ok(0) => return self.shard.end(key, Ending::HungUp),
                Ok(bytes) => {
                    self.counted.bytes_in += bytes as u64;
                    self.looked_at_bytes += bytes;
                    if connection.broken || self.shard.phase(key) != Phase::Open {
                        connection.read_at_end = connection.read_at_end.saturating_add(bytes as u32);
                    }
                    let has_more = connection.stream.has_more(bytes, self.buffer.len());
                    if connection.takes_frames() {
                        let mut buffer = std::mem::take(&mut self.buffer);
                        self.take_bytes(key, &mut buffer[..bytes]);
                        self.buffer = buffer;
                    }
                    // Of what comes later an event tells. Only the end of the stream may have come with this one.
                    if !has_more && !self.is_ending(key) {
                        return;
                    }
                }
                // Records without content: of what is behind them no event will tell.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !connection.stream.has_more(0, self.buffer.len()) {
                        return;
                    }
                }
                Err(_) => return self.lose(key),
            }
        }
        self.mark_to_read(key);
    }

    fn is_ending(&self, key: SessionKey) -> bool {
        matches!(self.connections.get(key.0 as usize), Some(Some(connection)) if connection.ending)
    }

    /// Decodes and carries out what came; keeps what the session cannot take yet, or the turn has no time for.
    fn take_bytes(&mut self, key: SessionKey, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let ready = self.is_ready(key);
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
            // Behind the close frame of a session that goes on without its connection comes nothing.
            if connection.broken || !connection.takes_frames() {
                break;
            }
            let spent = self.looked_at_bytes > BYTES_READ_MAX;
            if (!ready || spent) && !connection.decoder.mid_message() {
                self.set_aside |= spent;
                connection.unread.extend_from_slice(rest);
                self.paused.push(key);
                break;
            }
            // What comes behind our own farewell is not looked into, so it need not be inflated either.
            let inflater = (self.shard.phase(key) == Phase::Open).then_some(&mut self.inflater);
            let next = next_message(&mut connection.decoder, inflater, rest, &self.wire_limits);
            let Next { consumed, message, inflated_bytes } = match next {
                Ok(next) => next,
                Err(violation) => {
                    connection.broken = true;
                    let code =
                        CloseCode::from_number(violation.close_code()).unwrap_or(CloseCode::ProtocolError);
                    self.shard.end(key, Ending::Violation(code));
                    break;
                }
            };
            self.looked_at_bytes += inflated_bytes * INFLATED_WEIGHT;
            let incoming = match message {
                Some(Message::Text(text)) => Some(Incoming::Text(text)),
                Some(Message::Binary(bytes)) => Some(Incoming::Binary(bytes)),
                Some(Message::Ping(payload)) => {
                    match &mut connection.framed {
                        None => self.shard.pong(key, payload),
                        // RFC 6455, section 5.5.3: of pings that wait for their answer only the newest needs one.
                        Some(framed) => {
                            if self.shard.takes_ping(key, payload) {
                                framed.pong = Some(payload.into());
                            }
                        }
                    }
                    None
                }
                Some(Message::Close(frame)) => {
                    connection.broken = true;
                    let code = frame.map(|frame| frame.code);
                    self.closed(key, code);
                    None
                }
                Some(Message::Pong(_)) => {
                    self.shard.pong_received(key);
                    None
                }
                Some(Message::Deflated(_)) | None => None,
            };
            if let Some(incoming) = incoming {
                understand(&mut self.shard, &self.dialects, &self.decode_limits, key, incoming);
            }
            rest = &mut rest[consumed..];
        }
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
        connection.decoder.release();
        let has_pong = connection.framed.as_ref().is_some_and(|framed| framed.pong.is_some());
        self.shard.heard(key, connection.decoder.mid_message());
        if has_pong {
            self.flush(key);
        }
    }

    /// Nothing more comes from the peer of a connection that frames what it writes.
    fn hung_up(&mut self, key: SessionKey) {
        match self.shard.session(key).is_some_and(|session| session.is_resumable()) {
            true => self.lose(key),
            false => self.shard.end(key, Ending::HungUp),
        }
    }

    /// Ends a connection whose peer has closed it. Where its session goes on without it, the engine does not answer the
    /// close frame.
    fn closed(&mut self, key: SessionKey, code: Option<u16>) {
        self.shard.end(key, Ending::Closed(code));
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
        if connection.framed.is_some() && !self.shard.is_attached(key) {
            let mut frame = Vec::new();
            encode_close(&mut frame, code.unwrap_or(CloseCode::Normal.number()), "");
            // A peer that has closed and reads nothing needs no answer.
            let _ = connection.stream.write(&mut [std::io::IoSlice::new(&frame)]);
            self.lose(key);
        }
    }

    /// Whether the next message may be looked at: not while too many answers are awaited or unwritten. A
    /// client that asks without reading so feels it in its own socket.
    pub(super) fn is_ready(&mut self, key: SessionKey) -> bool {
        if self.shard.phase(key) != Phase::Open {
            return true;
        }
        if !self.shard.has_room(key) && !self.shard.is_blocked(key) {
            // Perhaps nobody has tried to write yet what this turn brought. What is left then waits for the
            // socket, and an event will tell.
            self.flush(key);
        }
        self.shard.takes_commands(key) && self.shard.has_room(key)
    }

    /// Goes on with connections whose session takes commands again.
    pub(super) fn resume_paused(&mut self) {
        self.looked_at_bytes = 0;
        self.set_aside = false;
        let mut paused = std::mem::take(&mut self.paused).into_iter();
        while self.looked_at_bytes < BYTES_READ_MAX
            && let Some(key) = paused.next()
        {
            let ready = self.is_ready(key);
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { continue };
            if !ready {
                self.paused.push(key);
                continue;
            }
            if connection.framed.as_ref().is_some_and(|framed| !framed.posted.is_empty()) {
                self.take_posted(key);
                continue;
            }
            let mut unread = std::mem::take(&mut connection.unread);
            self.take_bytes(key, &mut unread);
            self.mark_to_read(key);
        }
        if paused.len() > 0 {
            // Who had no turn goes first in the next one.
            self.set_aside = true;
            let again = std::mem::take(&mut self.paused);
            self.paused = paused.chain(again).collect();
        }
    }
}

struct Next<'a> {
    /// How many bytes were used up.
    consumed: usize,
    /// What they completed.
    message: Option<Message<'a>>,
    /// How long it is, if it was compressed.
    inflated_bytes: usize,
}

fn next_message<'a>(
    decoder: &'a mut Decoder,
    inflater: Option<&'a mut Inflater>,
    bytes: &'a mut [u8],
    limits: &Limits,
) -> Result<Next<'a>, Violation> {
    let Decoded { consumed, message } = decoder.decode(bytes, limits)?;
    let Some(Message::Deflated(deflated)) = message else {
        return Ok(Next { consumed, message, inflated_bytes: 0 });
    };
    let Some(inflater) = inflater else {
        return Ok(Next { consumed, message: None, inflated_bytes: 0 });
    };
    let message = inflater.inflate(deflated, limits.message_bytes_max)?;
    let inflated_bytes = match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
        _ => 0,
    };
    Ok(Next { consumed, message: Some(message), inflated_bytes })
}

/// Carries out one message.
pub(super) fn understand(
    shard: &mut Shard,
    dialects: &[Arc<dyn Dialect>],
    limits: &DecodeLimits,
    key: SessionKey,
    incoming: Incoming<'_>,
) {
    // What comes behind our own farewell is nobody's business any more.
    let Some(session) = shard.session(key).filter(|_| shard.phase(key) == Phase::Open) else { return };
    let dialect = &dialects[usize::from(session.opening().lane.0)];
    let command = match (session.is_authenticated(), session.has_spoken()) {
        (false, _) => dialect.decode_first(incoming, limits),
        (true, false) => dialect.decode_opening(incoming, limits),
        (true, true) => dialect.decode(incoming, limits),
    };
    shard.command(key, command);
}
