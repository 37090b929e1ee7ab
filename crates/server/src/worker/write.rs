//! From an outbox to a socket: everything that waits, in one write.

use std::io::{ErrorKind, IoSlice};

use fanfare_core::session::{Phase, SessionKey};

use super::Worker;

/// Chunks that one vectored write takes.
const SLICES_PER_WRITE: usize = 64;

impl Worker {
    /// Writes what waits: all that is urgent, and of the copies for large channels one slice.
    pub(super) fn flush_all(&mut self) {
        while let Some(key) = self.shard.next_flush(false) {
            self.flush(key);
        }
        for _ in 0..self.fanout_slice {
            let Some(key) = self.shard.next_flush(true) else { return };
            self.flush(key);
        }
    }

    /// Writes one outbox until it is empty or the socket takes no more.
    pub(super) fn flush(&mut self, key: SessionKey) {
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
        let phase = self.shard.phase(key);
        if phase != Phase::Open && !connection.made_room {
            connection.made_room = true;
            connection.stream.make_room();
        }
        if connection.framed.is_some() {
            return self.flush_framed(key);
        }
        loop {
            let Some(outbox) = self.shard.outbox(key) else { return };
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let count = outbox.slices(&mut slices);
            if count == 0 {
                break;
            }
            let wanted: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            match connection.stream.write(&mut slices[..count]) {
                Ok(written) => {
                    self.counted.bytes_out += written as u64;
                    self.counted.writes += 1;
                    self.shard.wrote(key, written, written < wanted);
                    if written < wanted {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.shard.wrote(key, 0, true);
                    break;
                }
                Err(_) => return self.drop_connection(key),
            }
        }
        match phase {
            Phase::Open => {}
            Phase::Closing => self.shut_when_said(key),
            Phase::Over => self.drop_connection(key),
        }
    }

    /// Sends what a stream itself holds of what was written, now that its socket takes more.
    pub(super) fn flush_stream(&mut self, key: SessionKey) {
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
        match connection.stream.flush() {
            Ok(()) if connection.framed.is_some() => self.flush_framed(key),
            Ok(()) if self.shard.phase(key) == Phase::Closing => self.shut_when_said(key),
            Err(error) if error.kind() != ErrorKind::WouldBlock => self.lose(key),
            _ => {}
        }
    }

    /// Once the last words are written to a peer that broke the protocol, nothing more is to come from us.
    pub(super) fn shut_when_said(&mut self, key: SessionKey) {
        let said = self.shard.outbox(key).is_none_or(|outbox| outbox.is_empty());
        if let Some(Some(connection)) = self.connections.get_mut(key.0 as usize)
            && said
            && !connection.stream.has_unsent()
            && connection.broken
            && !connection.shut
        {
            connection.shut = true;
            connection.stream.shut_writes();
        }
    }
}
