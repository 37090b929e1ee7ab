//! From a readable socket to commands.

use std::io::ErrorKind;

use fanfare_core::session::{Ending, Phase, Session, SessionKey};
use fanfare_protocol::{CloseCode, Incoming};
use fanfare_wire::Message;

use super::Worker;

/// How often one socket is read before the others get their turn.
const READS_PER_TURN: usize = 4;

/// Bytes after which a turn reads no socket again, and those after which it reads no other: what was read has to be
/// understood too, which takes some milliseconds for so many, and there are others to be written to.
const BYTES_READ_AGAIN_MAX: u64 = 256 * 1024;
const BYTES_READ_MAX: u64 = 1024 * 1024;

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
        let mut waiting = std::mem::take(&mut self.to_read).into_iter();
        while self.counted.bytes_in < BYTES_READ_MAX
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
            if round > 0 && self.counted.bytes_in > BYTES_READ_AGAIN_MAX {
                break;
            }
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
            if !connection.unread.is_empty() {
                // It is paused; it is read again when it is resumed.
                return;
            }
            match connection.stream.read(&mut self.buffer) {
                // A peer may shut its side and still read: what it asked before is answered first.
                Ok(0) => return self.shard.end(key, Ending::HungUp),
                Ok(bytes) => {
                    self.counted.bytes_in += bytes as u64;
                    let has_more = connection.stream.has_more(bytes, self.buffer.len());
                    let mut buffer = std::mem::take(&mut self.buffer);
                    self.take_bytes(key, &mut buffer[..bytes]);
                    self.buffer = buffer;
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
                Err(_) => return self.drop_connection(key),
            }
        }
        self.mark_to_read(key);
    }

    fn is_ending(&self, key: SessionKey) -> bool {
        matches!(self.connections.get(key.0 as usize), Some(Some(connection)) if connection.ending)
    }

    /// Decodes and carries out what came; keeps what the session cannot take yet.
    fn take_bytes(&mut self, key: SessionKey, bytes: &mut [u8]) {
        let Some(session) = self.shard.session(key) else { return };
        let lane = session.opening().lane;
        let mut rest = bytes;
        while !rest.is_empty() {
            let ready = self.is_ready(key);
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
            if connection.broken {
                break;
            }
            if !ready && !connection.decoder.mid_message() {
                connection.unread.extend_from_slice(rest);
                self.paused.push(key);
                break;
            }
            let decoded = match connection.decoder.decode(rest, &self.wire_limits) {
                Ok(decoded) => decoded,
                Err(violation) => {
                    connection.broken = true;
                    let code = CloseCode::from_number(violation.close_code());
                    let code = code.unwrap_or(CloseCode::ProtocolError);
                    self.shard.end(key, Ending::Violation(code));
                    break;
                }
            };
            let consumed = decoded.consumed;
            let incoming = match decoded.message {
                Some(Message::Text(text)) => Some(Incoming::Text(text)),
                Some(Message::Binary(bytes)) => Some(Incoming::Binary(bytes)),
                Some(Message::Ping(payload)) => {
                    self.shard.pong(key, payload);
                    None
                }
                Some(Message::Close(frame)) => {
                    self.shard.end(key, Ending::Closed(frame.map(|frame| frame.code)));
                    connection.broken = true;
                    None
                }
                Some(Message::Pong(_)) | None => None,
            };
            if let Some(incoming) = incoming {
                let dialect = &self.dialects[usize::from(lane.0)];
                let is_known = self.shard.session(key).is_none_or(Session::is_authenticated);
                let command = match is_known {
                    true => dialect.decode(incoming, &self.decode_limits),
                    false => dialect.decode_first(incoming, &self.decode_limits),
                };
                self.shard.command(key, command);
            }
            rest = &mut rest[consumed..];
        }
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
        connection.decoder.release();
        self.shard.heard(key, connection.decoder.mid_message());
    }

    /// Whether the next message may be looked at: not while too many answers are awaited or unwritten. A
    /// client that asks without reading so feels it in its own socket.
    fn is_ready(&mut self, key: SessionKey) -> bool {
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
        for key in std::mem::take(&mut self.paused) {
            let ready = self.is_ready(key);
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { continue };
            if !ready {
                self.paused.push(key);
                continue;
            }
            let mut unread = std::mem::take(&mut connection.unread);
            self.take_bytes(key, &mut unread);
            self.mark_to_read(key);
        }
    }
}
