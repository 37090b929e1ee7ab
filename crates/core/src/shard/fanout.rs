//! From a channel's batch to its members' outboxes, and from outboxes to the order of writes.

use std::rc::Rc;

use fanfare_protocol::Event;

use super::{Counters, Shard};
use crate::auth::{Operation, decide};
use crate::channel::{Channel, Copies};
use crate::outbox::{BURST_FACTOR, Chunk, Tag};
use crate::session::{Lagged, Phase, Session, SessionKey};

/// A channel with more members than this is large: its copies are written after everything else, in slices.
pub(super) const SMALL_CHANNEL_MEMBERS: usize = 64;

/// Channels of which a session is owed word that messages were given up. With more of them it is closed as
/// slow: it can then recover, where it could not make sense of the gaps.
const LAGGED_CHANNELS_MAX: usize = 64;

impl Shard {
    pub(super) fn schedule(&mut self, key: u32) {
        let channel = &mut self.channels[key as usize];
        if channel.scheduled {
            return;
        }
        channel.scheduled = true;
        if channel.members.len() <= SMALL_CHANNEL_MEMBERS {
            self.small.push_back(key);
        } else {
            self.large.push_back(key);
        }
    }

    /// Gives what waits in channels to their members. To be called once a turn, when the inputs are in.
    ///
    /// A large channel waits until the copies of the last ones are written: so its messages join while the
    /// sockets are busy, and the work per delivery falls as the load rises.
    pub fn fan_out(&mut self) {
        while let Some(key) = self.small.pop_front() {
            self.fan_out_scheduled(key);
        }
        while self.bulk.is_empty()
            && let Some(key) = self.large.pop_front()
        {
            self.fan_out_scheduled(key);
        }
        for key in std::mem::take(&mut self.again) {
            self.schedule(key);
        }
        self.close_overflowed();
    }

    fn fan_out_scheduled(&mut self, key: u32) {
        self.channels[key as usize].scheduled = false;
        // No more than an outbox takes in a burst: the rest comes in the next turn, after the writes.
        self.give_waiting(key, self.settings.limits.outbox_bytes_max.saturating_mul(BURST_FACTOR / 4));
        if self.channels[key as usize].waiting_bytes() > 0 {
            self.again.push(key);
        } else {
            self.ask_roster(key);
        }
        self.drop_channel_if_unused(key);
    }

    /// Gives all that waits in one channel to its members.
    pub(crate) fn fan_out_channel(&mut self, key: u32) {
        self.give_waiting(key, usize::MAX);
    }

    fn give_waiting(&mut self, key: u32, bytes_max: usize) {
        let waiting = self.channels[key as usize].waiting_bytes();
        let batches = self.channels[key as usize].take(bytes_max, &mut self.lanes);
        self.waiting_bytes -= waiting - self.channels[key as usize].waiting_bytes();
        for copies in batches {
            self.give(key, &copies);
        }
    }

    /// Whether more waits in channels than their members could be given: then nothing further should be
    /// delivered to the shard until some of it is written.
    pub fn is_behind(&self) -> bool {
        self.waiting_bytes > self.settings.limits.outbox_bytes_max.saturating_mul(BURST_FACTOR)
    }

    fn give(&mut self, key: u32, copies: &Rc<Copies>) {
        let Channel { members, topic, namespace, .. } = &self.channels[key as usize];
        let large = members.len() > SMALL_CHANNEL_MEMBERS;
        let bytes_max = self.settings.limits.outbox_bytes_max;
        for member in members {
            let Some(session) = self.sessions.get_mut(member.session as usize) else { continue };
            if session.phase != Phase::Open {
                continue;
            }
            let sees_presence = !copies.has_presence()
                || decide(
                    &namespace.rules,
                    &session.opening.identity,
                    session.given.grants(),
                    Operation::Presence,
                    topic,
                    true,
                )
                .is_ok();
            let Session { id, outbox, lagged, blocked_since_ms, .. } = session;
            let mut full = false;
            let filter = member.filter.as_deref();
            let count = copies.for_member(member.lane, *id, filter, sees_presence, |chunk| {
                match outbox.push(chunk, bytes_max, blocked_since_ms.is_some()) {
                    Ok(dropped) => full |= !note_dropped(lagged, &dropped, &mut self.counters),
                    Err(_) => full = true,
                }
            });
            self.counters.messages_out += count as u64;
            if full {
                self.overflowed.push(member.session);
            }
            let (flag, queue) = match large {
                true => (&mut session.bulk, &mut self.bulk),
                false => (&mut session.urgent, &mut self.urgent),
            };
            if !*flag {
                *flag = true;
                queue.push_back(member.session);
            }
        }
    }

    /// Gives one message to many sessions that share no channel.
    pub(super) fn give_to(&mut self, keys: &[u32], event: &Event<'_>) {
        let mut encoded: Vec<(crate::ports::lane::Lane, Rc<[u8]>)> = Vec::new();
        for key in keys {
            let Some(session) = self.sessions.get_mut(*key as usize) else { continue };
            if session.phase != Phase::Open {
                continue;
            }
            let lane = session.opening.lane;
            let bytes = match encoded.iter().find(|(known, _)| *known == lane) {
                Some((_, bytes)) => bytes.clone(),
                None => {
                    self.scratch.clear();
                    self.lanes.encode(lane, event, &mut self.scratch);
                    let bytes: Rc<[u8]> = self.scratch.as_slice().into();
                    encoded.push((lane, bytes.clone()));
                    bytes
                }
            };
            if bytes.is_empty() {
                continue;
            }
            self.counters.messages_out += 1;
            if !put(session, Chunk::whole(bytes), self.settings.limits.outbox_bytes_max, &mut self.counters) {
                self.overflowed.push(*key);
            }
            let (flag, queue) = match keys.len() > SMALL_CHANNEL_MEMBERS {
                true => (&mut session.bulk, &mut self.bulk),
                false => (&mut session.urgent, &mut self.urgent),
            };
            if !*flag {
                *flag = true;
                queue.push_back(*key);
            }
        }
        self.close_overflowed();
    }

    pub(crate) fn mark_urgent(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key.0 as usize)
            && !session.urgent
        {
            session.urgent = true;
            self.urgent.push_back(key.0);
        }
    }

    /// The next session to write to; `bulk` says whether copies of large channels may be among them.
    /// Each is named once, until something is put into its outbox again.
    pub fn next_flush(&mut self, bulk: bool) -> Option<SessionKey> {
        loop {
            let (key, urgent) = match self.urgent.pop_front() {
                Some(key) => (key, true),
                None if bulk => (self.bulk.pop_front()?, false),
                None => return None,
            };
            // A key may be stale, or in use again: then the write finds little or nothing, which is harmless.
            let Some(session) = self.sessions.get_mut(key as usize) else { continue };
            if urgent {
                session.urgent = false;
            } else {
                session.bulk = false;
            }
            if !session.outbox.is_empty() || session.phase == Phase::Over {
                return Some(SessionKey(key));
            }
        }
    }

    /// Whether anything waits to be fanned out or written.
    pub fn has_work(&self) -> bool {
        !(self.small.is_empty() && self.large.is_empty() && self.urgent.is_empty() && self.bulk.is_empty())
    }

    /// Tells clients what was given up, once their outbox has room again.
    pub(super) fn tell_lagged(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let Some(lagged) = session.lagged.take() else { return };
        for (channel, dropped) in *lagged {
            self.send(key, &Event::Lagged { channel: &channel, dropped });
        }
    }

    /// Whether the payload of a ping may be answered; kept here beside the other writes.
    pub fn pong(&mut self, key: SessionKey, payload: &[u8]) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        // A peer that does not read has no use for pongs; a flood of pings must not fill its outbox.
        if session.phase != Phase::Open || session.blocked_since_ms.is_some() {
            return;
        }
        if self.spend_on_ping(key, payload) {
            self.answer_ping(key, payload);
        }
    }

    pub(super) fn answer_ping(&mut self, key: SessionKey, payload: &[u8]) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        // As above: it may have been owed for a while.
        if session.blocked_since_ms.is_some() {
            return;
        }
        self.scratch.clear();
        if let Some(lane) = self.lanes.get(session.opening.lane) {
            lane.pong(payload, &mut self.scratch);
        }
        let chunk = Chunk::whole(Rc::from(self.scratch.as_slice()));
        if !put(session, chunk, self.settings.limits.outbox_bytes_max, &mut self.counters) {
            self.overflowed.push(key.0);
        }
        self.mark_urgent(key);
    }
}

/// Gives a session something that may not be lost; false when its outbox has no room for it.
pub(super) fn put(session: &mut Session, chunk: Chunk, bytes_max: usize, counters: &mut Counters) -> bool {
    let blocked = session.blocked_since_ms.is_some();
    match session.outbox.push(chunk, bytes_max, blocked) {
        Ok(dropped) => note_dropped(&mut session.lagged, &dropped, counters),
        Err(_) => false,
    }
}

/// Remembers what was given up, to be told; false when it was of too many channels to remember.
fn note_dropped(lagged: &mut Option<Box<Lagged>>, dropped: &[Rc<Tag>], counters: &mut Counters) -> bool {
    for tag in dropped {
        counters.messages_dropped += 1;
        let lagged = lagged.get_or_insert_default();
        let known = lagged.len();
        match lagged.iter_mut().find(|(channel, _)| *channel == tag.channel) {
            Some((_, count)) => *count += 1,
            None if known >= LAGGED_CHANNELS_MAX => return false,
            None => lagged.push((tag.channel.clone(), 1)),
        }
    }
    true
}
