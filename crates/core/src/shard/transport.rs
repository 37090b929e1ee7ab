//! Connections that come and go under a session.
//!
//! On a bare lane the engine frames nothing: whoever owns the connection takes entries out one by one
//! ([`Shard::take_entry`]), frames them for the transport that it is, and shows on [`Shard::next_heartbeat`] that it is
//! alive. A resumable session has such a lane, outlives its connection, and keeps what it was given for a while: the
//! next connection says how many entries the client has seen, and goes on from there. Entries are counted from the
//! first one of the session, whatever carried them.

use fanfare_protocol::{CloseCode, ConnectionId};

use super::Shard;
use crate::outbox::{Chunk, Lost, Outbox, Tag};
use crate::session::{Ending, Link, Phase, SessionKey, SubscriptionState};
use crate::timers::TimerKind;

impl Shard {
    /// The session of a connection's id, if it is one of this shard's.
    pub fn session_of(&self, id: ConnectionId) -> Option<SessionKey> {
        self.key_of(id).map(SessionKey)
    }

    pub(super) fn begin_transport(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if !self.lanes.is_bare(session.opening.lane) {
            return;
        }
        session.link = Link::Silent;
        if session.is_resumable() {
            session.outbox.retain_taken();
            self.detach(key);
        }
    }

    /// Gives a resumable session its connection; the one that it had is no longer its own. `seen` is how many entries
    /// the client has had: the next ones come again. `answers_pings` says whether silence after a heartbeat means that
    /// the peer is dead.
    ///
    /// # Errors
    /// When what came after `seen` is not kept any more, or was never given. The session is as it was.
    pub fn attach(&mut self, key: SessionKey, seen: u64, answers_pings: bool) -> Result<(), Lost> {
        let now_ms = self.now_ms;
        let session = self.sessions.get_mut(key.0 as usize).ok_or(Lost)?;
        session.outbox.rewind(seen)?;
        session.link = if answers_pings { Link::Answering } else { Link::Silent };
        session.blocked_since_ms = None;
        session.unfinished_since_ms = None;
        session.heard_ms = now_ms;
        // A ping that the last connection did not answer is not this one's.
        session.pinged_ms = session.pinged_ms.min(now_ms);
        self.mark_urgent(key);
        Ok(())
    }

    /// Whether a client that has had so many entries of the session can have the next ones.
    pub fn retains(&self, key: SessionKey, seen: u64) -> bool {
        self.sessions.get(key.0 as usize).is_some_and(|session| session.outbox.retains(seen))
    }

    /// The connection is gone. A resumable session waits for another one, any other session ends.
    pub fn detach(&mut self, key: SessionKey) {
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if !session.is_resumable() || session.phase == Phase::Over {
            return self.end(key, Ending::HungUp);
        }
        session.link = Link::Gone;
        // What comes now waits for somebody who may never come: the outbox's bound holds from the first byte on.
        session.blocked_since_ms = Some(now_ms);
        session.unfinished_since_ms = None;
        session.heard_ms = now_ms;
        if !std::mem::replace(&mut session.resume_watched, true) {
            self.after(key, TimerKind::Resume, u64::from(self.settings.deadlines.resume_ms));
        }
    }

    /// Whether the session goes on when its connection ends.
    pub(super) fn outlives(&self, key: SessionKey) -> bool {
        let session = self.sessions.get(key.0 as usize);
        session.is_some_and(|session| session.is_resumable() && session.phase == Phase::Open)
    }

    /// Whether a connection carries the session.
    pub fn is_attached(&self, key: SessionKey) -> bool {
        self.sessions.get(key.0 as usize).is_some_and(|session| session.link != Link::Gone)
    }

    /// Whether the session waits to become a member of a channel.
    pub fn is_joining(&self, key: SessionKey) -> bool {
        let is_member = |state| matches!(state, SubscriptionState::Member(_));
        self.sessions.get(key.0 as usize).is_some_and(|session| {
            session.subscriptions.iter().any(|subscription| !is_member(subscription.state))
        })
    }

    /// The places in channels that the entries of a session's outbox bring it to, in their order.
    pub fn places(&self, key: SessionKey) -> impl Iterator<Item = &Tag> {
        self.outbox(key).into_iter().flat_map(Outbox::tags)
    }

    /// Takes the next entry out of the outbox of a session on a bare lane; none while no connection carries it.
    pub fn take_entry(&mut self, key: SessionKey) -> Option<Chunk> {
        let session = self.sessions.get_mut(key.0 as usize)?;
        if session.link == Link::Gone {
            return None;
        }
        session.outbox.take(self.settings.limits.resume_bytes_max)
    }

    /// How many entries of the session were taken out so far: the number of the last one.
    pub fn entries_taken(&self, key: SessionKey) -> u64 {
        self.sessions.get(key.0 as usize).map_or(0, |session| session.outbox.taken())
    }

    /// The client says that it has had so many entries.
    pub fn acknowledge(&mut self, key: SessionKey, seen: u64) {
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            session.outbox.acknowledge(seen);
        }
    }

    /// Whether a ping of the transport may be answered by whoever frames for the session.
    pub fn takes_ping(&mut self, key: SessionKey, payload: &[u8]) -> bool {
        self.phase(key) == Phase::Open && !self.is_blocked(key) && self.spend_on_ping(key, payload)
    }

    /// The next session on a bare lane whose connection has to show that it is alive.
    pub fn next_heartbeat(&mut self) -> Option<SessionKey> {
        self.heartbeats.pop_front().map(SessionKey)
    }

    /// The next session that has given up its connection: it is to be closed without a word, the session stays.
    pub fn next_forsaken(&mut self) -> Option<SessionKey> {
        self.forsaken.pop().map(SessionKey)
    }

    pub(super) fn heartbeat(&mut self, key: SessionKey) {
        let deadlines = &self.settings.deadlines;
        let (interval_ms, pong_ms) = (u64::from(deadlines.ping_interval_ms), u64::from(deadlines.pong_ms));
        // A client that has gone unnoticed may come back for as long as one that was seen to go.
        let ages = deadlines.resume_ms.div_ceil(deadlines.ping_interval_ms.max(1)) as usize + 1;
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let link = session.link;
        if link != Link::Gone {
            self.heartbeats.push_back(key.0);
            session.outbox.age_retained(ages);
        }
        match link {
            Link::Answering => self.after(key, TimerKind::Pong, pong_ms),
            Link::Silent | Link::Gone => self.after(key, TimerKind::Ping, interval_ms),
        }
    }

    /// The connection is as good as dead: a resumable session gives it up and waits, any other ends with it.
    pub(super) fn give_up(&mut self, key: SessionKey, code: CloseCode) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        if !session.is_resumable() {
            return self.close(key, code, Some(0));
        }
        if session.link != Link::Gone {
            self.forsaken.push(key.0);
            self.detach(key);
        }
    }

    /// Ends a session that nobody came back to.
    pub(super) fn resume_due(&mut self, key: SessionKey) {
        let now_ms = self.now_ms;
        let resume_ms = u64::from(self.settings.deadlines.resume_ms);
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        session.resume_watched = false;
        if session.link != Link::Gone {
            return;
        }
        let end_ms = session.heard_ms + resume_ms;
        if end_ms <= now_ms {
            self.end(key, Ending::HungUp);
        } else {
            session.resume_watched = true;
            self.after(key, TimerKind::Resume, end_ms - now_ms);
        }
    }
}
