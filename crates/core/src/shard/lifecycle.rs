//! How sessions begin, are heard from, and end.

use std::rc::Rc;

use fanfare_protocol::{CloseCode, ConnectionId, ErrorCode, Event};

use super::Shard;
use super::fanout::put;
use crate::auth::Identity;
use crate::outbox::Chunk;
use crate::ports::broker::{ReplyTo, Request};
use crate::session::{Authentication, Ending, Link, Opening, Phase, Session, SessionKey};
use crate::timers::{Timer, TimerKind};

/// Pings are due on this grid, so that those of many connections are written in one go.
const PING_GRID_MS: u64 = 100;

/// The bits of a connection's serial that are its session's key: 16 million sessions a shard.
const SESSION_KEY_BITS: u32 = 24;
const SESSION_KEY_MASK: u64 = (1 << SESSION_KEY_BITS) - 1;

/// A deadline that is found so long after it was due was missed by this thread, not by the peer.
const LATE_MS: u64 = 1_000;

/// Whether the deadline is the peer's to keep.
fn is_peers(kind: TimerKind) -> bool {
    matches!(kind, TimerKind::Pong | TimerKind::Write | TimerKind::UnfinishedMessage)
}

impl Shard {
    /// Begins a session.
    pub fn open(&mut self, opening: Opening) -> SessionKey {
        let id = self.next_id(self.sessions.vacant_key());
        self.counters.opened += 1;
        self.set_unix_if_unknown(opening.opened_unix_ms);
        let user = opening.identity.user.clone();
        let key = SessionKey(self.sessions.insert(Session::new(id, opening, self.now_ms)) as u32);
        self.begin_transport(key);
        if let Some(user) = user {
            self.enter_user(key, user);
        }
        let interval_ms = u64::from(self.settings.deadlines.ping_interval_ms);
        // Spread by the serial, so that a storm of connections does not become a storm of pings.
        let spread = id.serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        self.after(key, TimerKind::Ping, spread % interval_ms.max(1));
        if self.going.is_some() {
            self.after(key, TimerKind::Drain, 0);
        }
        self.begin_authentication(key);
        key
    }

    /// What was verified before the handshake may have been revoked since; what was not has a deadline.
    fn begin_authentication(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        if let Some((code, text)) = session.refused().cloned() {
            return self.turn_away(key, code, &text);
        }
        let Identity { user, standing, .. } = &session.opening.identity;
        let revoked = |standing| self.authority.is_revoked(user.as_ref(), standing);
        if session.opening.must_authenticate {
            let deadline_ms = u64::from(self.settings.deadlines.authentication_ms);
            self.after(key, TimerKind::Authentication, deadline_ms);
        } else if standing.as_deref().is_some_and(revoked) {
            self.expel(key, ErrorCode::TokenRevoked);
        } else {
            self.begin_token(key);
            self.confirm_token(key);
            self.welcome(key);
        }
    }

    /// The shard in the upper byte, then a count, then the session's key: so that the session of an id is
    /// found at once, and no two sessions of one key have the same id.
    fn next_id(&mut self, key: usize) -> ConnectionId {
        self.count_next = self.count_next.wrapping_add(1);
        let serial = u64::from(self.id.0) << 56
            | u64::from(self.count_next) << SESSION_KEY_BITS
            | key as u64 & SESSION_KEY_MASK;
        ConnectionId { node: self.node, serial }
    }

    /// The session of a connection, if it is one of this shard's.
    pub(super) fn key_of(&self, id: ConnectionId) -> Option<u32> {
        let key = (id.serial & SESSION_KEY_MASK) as u32;
        self.sessions.get(key as usize).filter(|session| session.id == id).map(|_| key)
    }

    pub(super) fn after(&mut self, key: SessionKey, kind: TimerKind, delay_ms: u64) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let mut due_ms = self.now_ms + delay_ms;
        if kind == TimerKind::Ping {
            due_ms = due_ms.next_multiple_of(PING_GRID_MS);
        }
        self.timers.push(Timer { due_ms, serial: session.id.serial, key: key.0, kind });
    }

    /// Notes that bytes came from the peer, and whether they ended within a message.
    pub fn heard(&mut self, key: SessionKey, mid_message: bool) {
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        session.heard_ms = now_ms;
        match (mid_message, session.unfinished_since_ms) {
            (false, _) => session.unfinished_since_ms = None,
            (true, Some(_)) => {}
            (true, None) => {
                session.unfinished_since_ms = Some(now_ms);
                let delay_ms = u64::from(self.settings.deadlines.unfinished_message_ms);
                self.watch(key, TimerKind::UnfinishedMessage, delay_ms);
            }
        }
    }

    /// Notes that a message is complete: what is unfinished after it is another one.
    pub(super) fn finished_message(&mut self, key: SessionKey) {
        self.spoke(key);
        let now_ms = self.now_ms;
        if let Some(session) = self.sessions.get_mut(key.0 as usize)
            && session.unfinished_since_ms.is_some()
        {
            session.unfinished_since_ms = Some(now_ms);
        }
    }

    /// Takes note of a write: how much was written, and whether the socket would take no more.
    pub fn wrote(&mut self, key: SessionKey, bytes: usize, blocked: bool) {
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        // What a connection frames itself has left the outbox when it was taken.
        if bytes > 0 && !self.lanes.is_bare(session.opening.lane) {
            session.outbox.advance(bytes);
        }
        // A reader that is always a little behind hears of its gaps too.
        let has_room = session.outbox.bytes() <= self.settings.limits.outbox_bytes_max / 2;
        if bytes > 0 && has_room && session.lagged.is_some() {
            self.tell_lagged(key);
        }
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if !blocked {
            session.blocked_since_ms = None;
        } else if bytes > 0 || session.blocked_since_ms.is_none() {
            session.blocked_since_ms = Some(now_ms);
            self.watch(key, TimerKind::Write, u64::from(self.settings.deadlines.write_ms));
        }
    }

    /// Sets a deadline of which a session has one at most: a busy connection blocks and begins messages
    /// thousands of times a second, and its deadline is looked at again when it is due.
    fn watch(&mut self, key: SessionKey, kind: TimerKind, delay_ms: u64) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let watched = match kind {
            TimerKind::Write => &mut session.write_watched,
            _ => &mut session.unfinished_watched,
        };
        if !std::mem::replace(watched, true) {
            self.after(key, kind, delay_ms);
        }
    }

    /// Closes a session from our side: the last words are queued, the subscriptions end now.
    pub fn close(&mut self, key: SessionKey, code: CloseCode, reconnect_after_ms: Option<u32>) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if session.phase != Phase::Open {
            return;
        }
        self.counters.closed(Some(code));
        if code == CloseCode::SlowConsumer {
            session.outbox.clear_unwritten();
        }
        self.scratch.clear();
        let lane = session.opening.lane;
        let reconnect_after_ms = reconnect_after_ms.or(code.reconnect().then_some(0));
        if says_so(code) {
            self.lanes.encode(lane, &Event::Disconnect { code, reconnect_after_ms }, &mut self.scratch);
        }
        if self.lanes.is_bare(lane) {
            session.outbox.push_exempt(Chunk::whole(Rc::from(self.scratch.as_slice())));
            self.scratch.clear();
        }
        if let Some(lane) = self.lanes.get(lane) {
            lane.close(code.number(), code.text(), reconnect_after_ms.unwrap_or(0), &mut self.scratch);
        }
        session.outbox.push_exempt(Chunk::whole(Rc::from(self.scratch.as_slice())));
        session.phase = Phase::Closing;
        self.leave_all(key, code == CloseCode::Normal);
        self.after(key, TimerKind::Close, u64::from(self.settings.deadlines.close_ms));
        self.mark_urgent(key);
    }

    /// The peer has ended: nothing more is taken from it. What it asked before is answered first, within the
    /// time that a close may take; a publish that was carried out is so acknowledged whatever followed it.
    pub fn end(&mut self, key: SessionKey, ending: Ending) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if session.ending == Some(Ending::Asked) {
            // It asked to go and does not wait for our close frame: that is a goodbye all the same.
            session.ending = Some(Ending::Closed(Some(CloseCode::Normal.number())));
            return;
        }
        if session.ending.is_some() {
            // It hangs up behind its own close frame or violation, whose answer is still to come.
            return;
        }
        if let Ending::Closed(Some(code)) = ending
            && code != CloseCode::Normal.number()
            && self.outlives(key)
        {
            // A page that is reloaded closes with 1001, and may come back: for its answers too.
            return self.detach(key);
        }
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if session.broker_in_flight == 0 && session.calls_in_flight == 0 {
            return self.finish(key, ending);
        }
        session.ending = Some(ending);
        self.after(key, TimerKind::Close, u64::from(self.settings.deadlines.close_ms));
    }

    /// To be called after each answer.
    pub(super) fn finish_if_answered(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key.0 as usize)
            && session.broker_in_flight == 0
            && session.calls_in_flight == 0
            && let Some(ending) = session.ending.take()
        {
            self.finish(key, ending);
        }
    }

    fn finish(&mut self, key: SessionKey, ending: Ending) {
        match ending {
            Ending::Violation(code) => self.close(key, code, None),
            Ending::Closed(code) => self.peer_closed(key, code),
            Ending::Asked => self.close(key, CloseCode::Normal, None),
            Ending::HungUp => {
                if self.phase(key) == Phase::Open {
                    self.counters.closed(None);
                    self.leave_all(key, false);
                }
                self.over(key);
            }
        }
    }

    /// The peer sent its close frame: answer it if it came first, and be done.
    fn peer_closed(&mut self, key: SessionKey, code: Option<u16>) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if session.phase == Phase::Open {
            // RFC 6455, section 5.5.1: the peer's own code comes back to it, be it one of ours or not.
            let number = code.unwrap_or(CloseCode::Normal.number());
            let known = CloseCode::from_number(number);
            self.counters.closed(Some(known.unwrap_or(CloseCode::Normal)));
            self.scratch.clear();
            if let Some(lane) = self.lanes.get(session.opening.lane) {
                lane.close(number, known.map_or("", CloseCode::text), 0, &mut self.scratch);
            }
            session.outbox.push_exempt(Chunk::whole(Rc::from(self.scratch.as_slice())));
            // A page that is reloaded closes with 1001: only 1000, or no code, means that the user goes.
            self.leave_all(key, known == Some(CloseCode::Normal));
        }
        self.over(key);
    }

    fn over(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            session.phase = Phase::Over;
        }
        self.mark_urgent(key);
    }

    /// The connection is gone: forgets the session.
    pub fn gone(&mut self, key: SessionKey) {
        if !self.sessions.contains(key.0 as usize) {
            return;
        }
        if self.phase(key) == Phase::Open {
            self.counters.closed(None);
        }
        self.leave_all(key, false);
        // The key may be in use again before the overflow is dealt with.
        self.overflowed.retain(|overflowed| *overflowed != key.0);
        self.owed_pongs.remove(&key.0);
        let session = self.sessions.remove(key.0 as usize);
        if let Some(user) = &session.opening.identity.user {
            if let Some(keys) = self.by_user.get_mut(user) {
                keys.retain(|known| *known != key.0);
                if keys.is_empty() {
                    self.by_user.remove(user);
                }
            }
            self.broker.submit(Request::UserClosed(user.clone(), session.id), ReplyTo::Nobody);
        }
        // Of who was not let in the application has not heard.
        if session.refused().is_none() {
            self.application.disconnected(session.peer());
        }
    }

    pub(super) fn leave_all(&mut self, key: SessionKey, deliberate: bool) {
        while let Some(subscription) =
            self.sessions.get_mut(key.0 as usize).and_then(|session| session.subscriptions.pop())
        {
            self.leave(key, subscription, deliberate);
        }
    }

    pub(super) fn close_overflowed(&mut self) {
        for key in std::mem::take(&mut self.overflowed) {
            self.close(SessionKey(key), CloseCode::SlowConsumer, Some(0));
        }
    }

    /// Sets the time, in milliseconds of a clock that never goes back. To be called before any other input.
    pub fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Does what is due.
    pub fn tick(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now_ms) {
            if timer.kind == TimerKind::Roster {
                self.roster_time(timer.key);
                continue;
            }
            let current = self.sessions.get(timer.key as usize).is_some_and(|s| s.id.serial == timer.serial);
            if current && is_peers(timer.kind) && timer.due_ms + LATE_MS < self.now_ms {
                // It was this thread that slept: what the peer did meanwhile has still to be read.
                let due_ms = self.now_ms + LATE_MS;
                self.timers.push(Timer { due_ms, ..timer });
            } else if current {
                self.due(SessionKey(timer.key), timer.kind);
            }
        }
        self.close_overflowed();
    }

    /// When something is due next.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.timers.next_ms()
    }

    fn due(&mut self, key: SessionKey, kind: TimerKind) {
        let deadlines = &self.settings.deadlines;
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        match kind {
            TimerKind::Close => match session.ending.take() {
                Some(ending) => self.finish(key, ending),
                None => self.over(key),
            },
            _ if session.phase != Phase::Open => {}
            TimerKind::Ping => self.ping(key),
            // The connection that was pinged has been replaced by one that does not answer.
            TimerKind::Pong if session.link != Link::Answering => self.ping_again(key),
            TimerKind::Pong if session.heard_ms < session.pinged_ms && session.blocked_since_ms.is_some() => {
                // The ping may still wait behind what the peer is reading; the write has a deadline of its own.
                session.pinged_ms = self.now_ms;
                self.after(key, kind, u64::from(deadlines.pong_ms));
            }
            TimerKind::Pong if session.heard_ms < session.pinged_ms => {
                self.give_up(key, CloseCode::PingTimeout);
                self.ping_again(key);
            }
            TimerKind::Pong => self.ping_again(key),
            TimerKind::Resume => self.resume_due(key),
            TimerKind::Write => {
                session.write_watched = false;
                let (since_ms, allowed_ms) = (session.blocked_since_ms, deadlines.write_ms);
                self.overdue(key, kind, since_ms, allowed_ms, CloseCode::SlowConsumer);
            }
            TimerKind::UnfinishedMessage => {
                session.unfinished_watched = false;
                let (since_ms, allowed_ms) = (session.unfinished_since_ms, deadlines.unfinished_message_ms);
                self.overdue(key, kind, since_ms, allowed_ms, CloseCode::MessageTimeout);
            }
            // Who is being verified has said it in time.
            TimerKind::Authentication if session.authentication == Authentication::Awaited => {
                self.expel(key, ErrorCode::AuthenticationRequired);
            }
            // The other one is a channel's.
            TimerKind::Authentication | TimerKind::Roster => {}
            TimerKind::Expiry => self.expire(key),
            TimerKind::OwedPong => self.pong_owed(key),
            TimerKind::Drain => self.send_away(key),
        }
    }

    /// The next ping, an interval after the last one.
    fn ping_again(&mut self, key: SessionKey) {
        let deadlines = &self.settings.deadlines;
        let next_ms = deadlines.ping_interval_ms.saturating_sub(deadlines.pong_ms);
        self.after(key, TimerKind::Ping, u64::from(next_ms));
    }

    /// Closes the session if what began at `since_ms` has gone on for too long, or looks again later.
    fn overdue(
        &mut self,
        key: SessionKey,
        kind: TimerKind,
        since_ms: Option<u64>,
        allowed_ms: u32,
        code: CloseCode,
    ) {
        let Some(since_ms) = since_ms else { return };
        let end_ms = since_ms + u64::from(allowed_ms);
        if end_ms <= self.now_ms {
            self.give_up(key, code);
        } else {
            self.watch(key, kind, end_ms - self.now_ms);
        }
    }

    fn ping(&mut self, key: SessionKey) {
        let (now_ms, pong_ms) = (self.now_ms, u64::from(self.settings.deadlines.pong_ms));
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        session.pinged_ms = now_ms;
        if self.lanes.is_bare(session.opening.lane) {
            return self.heartbeat(key);
        }
        self.scratch.clear();
        if let Some(lane) = self.lanes.get(session.opening.lane) {
            lane.ping(&mut self.scratch);
        }
        let chunk = Chunk::whole(Rc::from(self.scratch.as_slice()));
        if !put(session, chunk, self.settings.limits.outbox_bytes_max, &mut self.counters) {
            self.overflowed.push(key.0);
        }
        self.after(key, TimerKind::Pong, pong_ms);
        self.mark_urgent(key);
    }
}

/// Whether the dialect's own `disconnect` event goes before the close frame. It does where we end a healthy
/// conversation; not where the peer broke the WebSocket protocol and may not be able to read on.
fn says_so(code: CloseCode) -> bool {
    !matches!(
        code,
        CloseCode::Normal
            | CloseCode::ProtocolError
            | CloseCode::UnsupportedData
            | CloseCode::InvalidPayload
            | CloseCode::MessageTooBig
    )
}
