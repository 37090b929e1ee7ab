//! Who is in a channel. All connections of a user are one member.

use std::sync::Arc;

use fanfare_protocol::event::Member;
use fanfare_protocol::{ConnectionId, Payload, UserId};
use foldhash::HashMap;
use smallvec::SmallVec;

use super::Moment;
use crate::ports::broker::Subscribe;

#[derive(Debug, Default)]
pub(super) struct Presence(Option<Box<Kept>>);

#[derive(Debug)]
struct Kept {
    members: HashMap<UserId, Entry>,
    join_leave: bool,
    /// Connections that hear who comes and goes, whatever the namespace says.
    hearing: u32,
    grace_ms: u32,
    /// Whether there are so many that nobody is told who comes and goes.
    crowded: bool,
}

/// What members are told of a coming or a going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Who it was.
    Who,
    /// Nothing.
    Nothing,
    /// That they are told nothing any more.
    NoMore,
    /// That they are told again, and who is there.
    Again,
}

#[derive(Debug)]
struct Entry {
    /// The living ones, the newest last; while a lost one may come back and none lives, the last one that did.
    tabs: SmallVec<[Tab; 1]>,
    connections: u32,
    /// Whether its coming stands in the history.
    posted: bool,
    joined_ms: u64,
    last_seen_ms: u64,
    /// Connections that were lost and of whose user no connection has come since, and until when they may come back.
    lost: u32,
    grace_until_ms: u64,
}

/// What a connection says of its user.
#[derive(Debug)]
struct Tab {
    connection: ConnectionId,
    info: Option<Box<Payload>>,
    name: Option<Arc<str>>,
}

/// What came of a connection's leaving.
#[derive(Debug)]
pub(super) enum Leave {
    /// The user has other connections here, is awaited for a lost one already, or was none.
    Still,
    /// The connection may come back until then; the user counts as a member as long.
    Grace(u64),
    /// The user has left.
    Gone(Member),
}

impl Entry {
    /// Whether a lost connection of the user may still come back.
    fn is_awaited(&self, now_ms: u64) -> bool {
        self.lost > 0 && self.grace_until_ms > now_ms
    }

    /// What the newest connection says that says anything.
    fn info(&self) -> Option<&Payload> {
        self.tabs.iter().rev().find_map(|tab| tab.info.as_deref())
    }

    /// A connection begins. If it had begun already, it only says something else.
    fn begin(&mut self, tab: Tab) {
        if self.connections == 0 {
            self.tabs.clear();
        }
        self.tabs.retain(|known| known.connection != tab.connection);
        self.tabs.push(tab);
        self.connections = self.tabs.len() as u32;
    }

    /// A connection ends. Whether it had begun. The last one still speaks for the user, as long as one is listed.
    fn end(&mut self, connection: ConnectionId) -> bool {
        let index = self.tabs.iter().position(|tab| tab.connection == connection);
        let Some(index) = index.filter(|_| self.connections > 0) else { return false };
        self.connections -= 1;
        if self.connections > 0 {
            self.tabs.remove(index);
        }
        true
    }

    fn member(&self, user: &UserId) -> Member {
        Member {
            user: user.clone(),
            name: self.tabs.iter().rev().find_map(|tab| tab.name.clone()),
            posted: self.posted,
            connections: self.connections,
            info: self.info().cloned(),
            joined_ms: self.joined_ms,
            last_seen_ms: self.last_seen_ms,
        }
    }
}

impl Presence {
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Whether anybody is told who comes and goes.
    pub(super) fn is_heard(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.join_leave || kept.hearing > 0)
    }

    /// Whether there are so many that nobody is told who comes and goes.
    pub(super) fn is_crowded(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.crowded)
    }

    /// What members are told now that somebody has come or gone. `most` is how many users there may be; where there were
    /// more, it is told again only below nine tenths of it, or one who comes and goes would be followed by a list each time.
    pub(super) fn tells(&mut self, most: u32) -> Told {
        let Some(kept) = &mut self.0 else { return Told::Nothing };
        let users = kept.members.len() as u32;
        match kept.crowded {
            false if users <= most => Told::Who,
            false => {
                kept.crowded = true;
                Told::NoMore
            }
            true if users <= most - most / 10 => {
                kept.crowded = false;
                Told::Again
            }
            true => Told::Nothing,
        }
    }

    /// One of the members.
    pub(super) fn member(&self, user: &UserId) -> Option<Member> {
        self.0.as_ref()?.members.get(user).map(|entry| entry.member(user))
    }

    pub(super) fn users(&self) -> u32 {
        self.0.as_ref().map_or(0, |kept| kept.members.len() as u32)
    }

    /// Adds a connection; returns the member if the user is new here.
    pub(super) fn join(&mut self, subscribe: &Subscribe, now: Moment) -> Option<Member> {
        let namespace = &subscribe.namespace;
        let kept = self.0.get_or_insert_with(|| {
            Box::new(Kept {
                members: HashMap::default(),
                join_leave: false,
                hearing: 0,
                grace_ms: 0,
                crowded: false,
            })
        });
        kept.join_leave = namespace.join_leave;
        kept.hearing += u32::from(subscribe.hears_members);
        kept.grace_ms = namespace.presence_grace_ms;
        let mut new = false;
        let entry = kept.members.entry(subscribe.member.clone()).or_insert_with(|| {
            new = true;
            Entry {
                tabs: SmallVec::new(),
                connections: 0,
                posted: subscribe.posts_entries,
                joined_ms: now.unix_ms,
                last_seen_ms: now.unix_ms,
                lost: 0,
                grace_until_ms: 0,
            }
        });
        entry.begin(Tab {
            connection: subscribe.connection,
            info: subscribe.info.clone().map(Box::new),
            name: subscribe.name.clone(),
        });
        // A lost connection has come back, as far as anyone can tell.
        entry.lost = entry.lost.saturating_sub(1);
        entry.last_seen_ms = now.unix_ms;
        new.then(|| entry.member(&subscribe.member))
    }

    /// Takes a connection away, which heard who comes and goes or did not.
    pub(super) fn leave(
        &mut self,
        user: &UserId,
        connection: ConnectionId,
        hears_members: bool,
        deliberate: bool,
        now: Moment,
    ) -> Leave {
        let Some(kept) = &mut self.0 else { return Leave::Still };
        let Some(entry) = kept.members.get_mut(user) else { return Leave::Still };
        if !entry.end(connection) {
            return Leave::Still;
        }
        kept.hearing = kept.hearing.saturating_sub(u32::from(hears_members));
        entry.last_seen_ms = now.unix_ms;
        if !deliberate && kept.grace_ms > 0 {
            entry.lost = entry.lost.saturating_add(1);
            entry.grace_until_ms = now.steady_ms + u64::from(kept.grace_ms);
            return Leave::Grace(entry.grace_until_ms);
        }
        if entry.connections > 0 || entry.is_awaited(now.steady_ms) {
            return Leave::Still;
        }
        let member = entry.member(user);
        self.remove(user);
        Leave::Gone(member)
    }

    /// Removes the user if they have not come back; a later grace period of theirs is left to run.
    pub(super) fn end_grace(&mut self, user: &UserId, now_ms: u64) -> Option<Member> {
        let kept = self.0.as_ref()?;
        let entry = kept.members.get(user)?;
        if entry.connections > 0 || entry.is_awaited(now_ms) {
            return None;
        }
        let member = entry.member(user);
        self.remove(user);
        Some(member)
    }

    /// Waits for no lost connection of the user any more; returns the member if the user has left by that.
    pub(super) fn give_up(&mut self, user: &UserId, now_ms: u64) -> Option<Member> {
        self.0.as_mut()?.members.get_mut(user)?.lost = 0;
        self.end_grace(user, now_ms)
    }

    fn remove(&mut self, user: &UserId) {
        let Some(kept) = &mut self.0 else { return };
        kept.members.remove(user);
        if kept.members.is_empty() {
            kept.members = HashMap::default();
        }
    }

    /// The members in the order of their coming, or the first of them: so many, saying so much of themselves.
    pub(super) fn list(&self, listed_max: usize, bytes_max: usize) -> Vec<Member> {
        if listed_max == 0 {
            return Vec::new();
        }
        let mut members: Vec<_> = self.0.iter().flat_map(|kept| &kept.members).collect();
        let order =
            |a: &(&UserId, &Entry), b: &(&UserId, &Entry)| (a.1.joined_ms, a.0).cmp(&(b.1.joined_ms, b.0));
        if members.len() > listed_max {
            // Only the first are sorted: a crowd is not sorted under the lock for every newcomer.
            members.select_nth_unstable_by(listed_max - 1, order);
            members.truncate(listed_max);
        }
        members.sort_unstable_by(order);
        let mut room = bytes_max;
        let fits = members.into_iter().map_while(|(user, entry)| {
            let info_bytes = entry.info().map_or(0, |info| info.bytes().len());
            room = room.checked_sub(user.as_str().len() + info_bytes)?;
            Some(entry.member(user))
        });
        fits.collect()
    }
}
