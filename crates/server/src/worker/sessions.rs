//! Sessions that outlive their connections: how one takes another's place, and what carries the entries meanwhile.

use fanfare_core::session::{Ending, Phase, SessionKey};
use fanfare_protocol::{Command, ConnectionId, ErrorCode, Incoming};
use fanfare_wire::{OpCode, encode_frame, sse};
use mio::Token;

use super::Worker;
use super::read::understand;
use crate::connection::framed::{Carrier, Framed, Place, Polled, Polling};
use crate::connection::stream::Stream;
use crate::connection::{Ask, Beginning, SessionRequest};

/// Framed bytes that are made before the socket has taken those of the last.
const STAGED_BYTES_MAX: usize = 64 * 1024;

impl Worker {
    /// Begins what a connection on a bare lane begins with.
    pub(super) fn begin(&mut self, key: SessionKey, beginning: Beginning) {
        let Beginning { mut framed, tells_session, told, channels } = beginning;
        let Some(session) = self.shard.session(key) else { return };
        let (id, resumable) = (session.id(), session.is_resumable());
        if tells_session {
            self.tell_session(id, &mut framed);
        }
        if resumable
            && !matches!(framed.carrier, Carrier::Nothing)
            && self.shard.attach(key, 0, false).is_err()
        {
            return self.shard.end(key, Ending::HungUp);
        }
        if let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) {
            connection.framed = Some(Box::new(framed));
        }
        if let Some(told) = told {
            // Who asked may have gone: then nobody comes for the session, and it ends.
            let _ = told.send(id);
        }
        for (channel, options) in channels {
            let topic = fanfare_protocol::command::Topic::Channel(channel);
            self.shard.command(key, Ok(Command::Subscribe { id: None, topic, options }));
        }
        self.flush(key);
    }

    /// Before everything else a client learns what its session is called, if it did not have to ask for one.
    fn tell_session(&self, id: ConnectionId, framed: &mut Framed) {
        let session = self.passes.pass(id);
        let told = serde_json::json!({ "session": session, "resume_ms": self.resume_ms });
        match framed.carrier {
            Carrier::Events => {
                // Whoever is cut off behind it goes on with the session, and does not begin another one.
                let id = format!("{session}/0");
                sse::encode_event(&mut framed.tail, Some("session"), Some(&id), told.to_string().as_bytes());
            }
            _ => framed.tail.extend_from_slice(format!("{told}\n").as_bytes()),
        }
        framed.place = Place::Counted { prefix: format!("{session}/") };
    }

    /// Carries out what is asked of a session. Where there is none, dropping the question is the answer.
    pub(super) fn ask_session(&mut self, SessionRequest { id, ask }: SessionRequest) {
        let key = self.shard.session_of(id).filter(|key| {
            self.shard.session(*key).is_some_and(|session| session.is_resumable())
                && self.shard.phase(*key) != Phase::Over
        });
        let Some(key) = key else { return };
        match ask {
            Ask::Find { seen, reply } => {
                // Who asked may have gone.
                let _ = reply.send(self.shard.retains(key, seen));
            }
            Ask::Carry { seen, carrier, prefix, stream, early, head } => {
                if self.change_carrier(key, seen, carrier) {
                    self.change_stream(key, stream, early, head, prefix);
                }
            }
            Ask::Poll { seen, at_once, reply } => {
                let counts = seen.is_some();
                let seen = seen.unwrap_or_else(|| self.shard.entries_taken(key));
                if self.shard.retains(key, seen) {
                    self.change_carrier(key, seen, Carrier::Poll(Polling { reply, counts }));
                    self.flush(key);
                    if at_once {
                        self.answer_poll(key);
                    }
                }
            }
            // What comes behind our own farewell would be taken and not looked at.
            Ask::Post { .. } if self.shard.phase(key) != Phase::Open => {}
            Ask::Post { batch, seen, messages, reply } => {
                let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
                let Some(framed) = &mut connection.framed else { return };
                let outcome = match batch {
                    Some(batch) if batch <= framed.batch => Ok(false),
                    Some(batch) if batch != framed.batch + 1 => Err(ErrorCode::OutOfTurn),
                    _ if !framed.posted.is_empty() => Err(ErrorCode::TooManyRequestsInFlight),
                    batch => {
                        framed.batch = batch.unwrap_or(framed.batch);
                        framed.posted = messages;
                        Ok(true)
                    }
                };
                // It says nothing of a connection that carries the session down.
                if !self.shard.is_attached(key) {
                    self.shard.heard(key, false);
                }
                if let Some(seen) = seen {
                    self.shard.acknowledge(key, seen);
                }
                let is_new = outcome == Ok(true);
                let _ = reply.send(outcome);
                if is_new {
                    self.take_posted(key);
                }
            }
            Ask::End { reply } => {
                self.shard.end(key, Ending::Closed(None));
                let _ = reply.send(());
            }
        }
    }

    /// Whoever carried the session until now is told that another one does.
    fn change_carrier(&mut self, key: SessionKey, seen: u64, carrier: Carrier) -> bool {
        let answers_pings = matches!(carrier, Carrier::Frames);
        if self.shard.attach(key, seen, answers_pings).is_err() {
            return false;
        }
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return false };
        if let Some(framed) = &mut connection.framed {
            let mut last_words = std::mem::take(&mut framed.tail);
            framed.replaced(&mut last_words);
            if let Carrier::Poll(polling) = std::mem::replace(&mut framed.carrier, Carrier::Nothing) {
                polling.replaced();
            }
            // A stream that takes nothing now is not waited for: its client has another one.
            let _ = connection.stream.write(&mut [std::io::IoSlice::new(&last_words)]);
        }
        connection.change_stream(Stream::Gone, Vec::new());
        if let Some(framed) = &mut connection.framed {
            framed.carrier = carrier;
        }
        true
    }

    fn change_stream(
        &mut self,
        key: SessionKey,
        mut stream: Stream,
        early: Vec<u8>,
        head: Vec<u8>,
        prefix: String,
    ) {
        if let Err(error) = stream.register(self.poll.registry(), Token(key.0 as usize)) {
            tracing::warn!(%error, "a connection could not be registered");
            return self.lose(key);
        }
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
        let has_early = !early.is_empty();
        (connection.stream, connection.unread) = (stream, early);
        if let Some(framed) = &mut connection.framed {
            framed.tail = head;
            framed.place = Place::Counted { prefix };
        }
        if has_early {
            self.paused.push(key);
        }
        self.mark_to_read(key);
        self.flush(key);
    }

    /// The stream is gone: a session that can be resumed waits for another one, any other ends.
    pub(super) fn lose(&mut self, key: SessionKey) {
        if !self.shard.session(key).is_some_and(|session| session.is_resumable()) {
            return self.drop_connection(key);
        }
        self.forget_stream(key);
        self.shard.detach(key);
    }

    fn forget_stream(&mut self, key: SessionKey) {
        if let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) {
            connection.change_stream(Stream::Gone, Vec::new());
        }
    }

    /// Closes what sessions have given up, and shows those that wait for something that their connection is alive.
    pub(super) fn keep_alive(&mut self) {
        while let Some(key) = self.shard.next_forsaken() {
            self.forget_stream(key);
        }
        while let Some(key) = self.shard.next_heartbeat() {
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { continue };
            let Some(framed) = &mut connection.framed else { continue };
            match &framed.carrier {
                Carrier::Poll(polling) if polling.reply.is_closed() => self.lose(key),
                _ => {
                    // Behind something that waits nothing more is needed, but a ping whose answer is awaited.
                    if framed.tail.is_empty() || matches!(framed.carrier, Carrier::Frames) {
                        let mut beat = std::mem::take(&mut framed.tail);
                        framed.heartbeat(&mut beat);
                        framed.tail = beat;
                    }
                    self.flush(key);
                }
            }
        }
    }

    /// Writes what waits for a connection that frames it itself.
    pub(super) fn flush_framed(&mut self, key: SessionKey) {
        let mut staged = std::mem::take(&mut self.staged);
        let lost = self.write_framed(key, &mut staged).is_err();
        staged.clear();
        staged.shrink_to(STAGED_BYTES_MAX);
        self.staged = staged;
        if lost {
            return self.lose(key);
        }
        match self.shard.phase(key) {
            Phase::Open => {}
            Phase::Closing => self.end_framed(key),
            Phase::Over => self.drop_connection(key),
        }
    }

    fn write_framed(&mut self, key: SessionKey, staged: &mut Vec<u8>) -> Result<(), ()> {
        loop {
            staged.clear();
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return Ok(()) };
            let Some(framed) = &mut connection.framed else { return Ok(()) };
            match framed.carrier {
                Carrier::Nothing => return Ok(()),
                Carrier::Poll(_) => {
                    if self.shard.outbox(key).is_some_and(|outbox| !outbox.is_empty()) {
                        self.answer_poll(key);
                    }
                    return Ok(());
                }
                _ => {}
            }
            if !framed.tail.is_empty() {
                *staged = std::mem::take(&mut framed.tail);
            }
            if let Some(payload) = framed.pong.take() {
                encode_frame(staged, OpCode::Pong, &payload);
            }
            if framed.place.is_unsettled() && !self.shard.is_joining(key) {
                framed.place.settle(self.shard.places(key));
            }
            // While the stream takes nothing, entries wait in the outbox, where policies apply.
            while !self.shard.is_blocked(key)
                && !framed.place.is_unsettled()
                && staged.len() < STAGED_BYTES_MAX
                && let Some(entry) = self.shard.take_entry(key)
            {
                framed.frame(&entry, self.shard.entries_taken(key), staged);
            }
            if staged.is_empty() {
                return Ok(());
            }
            let written = match connection.stream.write(&mut [std::io::IoSlice::new(staged)]) {
                Ok(written) => written,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
                Err(_) => return Err(()),
            };
            self.counted.bytes_out += written as u64;
            self.counted.writes += 1;
            let blocked = written < staged.len();
            if blocked {
                staged.drain(..written);
                framed.tail = std::mem::take(staged);
            }
            self.shard.wrote(key, written, blocked);
            if blocked {
                return Ok(());
            }
        }
    }

    /// Answers the request that waits, if one does, with all that there is.
    fn answer_poll(&mut self, key: SessionKey) {
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
        let Some(framed) = &mut connection.framed else { return };
        if !matches!(framed.carrier, Carrier::Poll(_)) {
            return;
        }
        let carrier = std::mem::replace(&mut framed.carrier, Carrier::Nothing);
        let Carrier::Poll(Polling { reply, counts }) = carrier else { return };
        let before = self.shard.entries_taken(key);
        if reply.is_closed() {
            // What is not taken for nobody cannot be forgotten before somebody asks.
            return self.lose(key);
        }
        let mut polled = Polled::default();
        while polled.messages.len() < STAGED_BYTES_MAX
            && let Some(entry) = self.shard.take_entry(key)
        {
            framed.poll(&entry, self.shard.entries_taken(key), &mut polled);
        }
        self.shard.wrote(key, polled.messages.len(), false);
        self.counted.bytes_out += polled.messages.len() as u64;
        // Who counts and is not there any more asks for the same again; for who does not it is put back.
        if reply.send(Ok(polled)).is_err() && !counts {
            let _ = self.shard.attach(key, before, false);
        }
        self.shard.detach(key);
    }

    /// Once the last words are written to a peer that cannot answer them, the connection ends.
    fn end_framed(&mut self, key: SessionKey) {
        let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
        let Some(framed) = &connection.framed else { return };
        let said = framed.tail.is_empty()
            && !connection.stream.has_unsent()
            && self.shard.outbox(key).is_none_or(|outbox| outbox.is_empty());
        match framed.carrier {
            Carrier::Events | Carrier::Lines if said => {
                connection.stream.shut_writes();
                self.shard.end(key, Ending::HungUp);
            }
            Carrier::Frames => self.shut_when_said(key),
            _ => {}
        }
    }

    /// Carries out what a client has posted; keeps what the session cannot take yet.
    pub(super) fn take_posted(&mut self, key: SessionKey) {
        loop {
            let ready = self.is_ready(key);
            let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) else { return };
            let Some(framed) = &mut connection.framed else { return };
            if framed.posted.is_empty() {
                return;
            }
            if !ready {
                return self.paused.push(key);
            }
            let Some((is_text, message)) = framed.posted.next() else { return };
            self.counted.bytes_in += message.len() as u64;
            let incoming = match std::str::from_utf8(&message) {
                Ok(text) if is_text => Incoming::Text(text),
                _ => Incoming::Binary(&message),
            };
            understand(&mut self.shard, &self.dialects, &self.decode_limits, key, incoming);
        }
    }
}
