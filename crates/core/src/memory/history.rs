//! The last messages of a channel, bounded in number, age and bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_protocol::command::HistoryRange;
use fanfare_protocol::publication::Labels;
use fanfare_protocol::{ChannelName, Position, Publication};

use super::entries::{self, Entries};
use super::holdings::Holdings;
use super::ledger::{AccountId, Ledger};
use crate::limits::Limits;
use crate::namespace::Namespace;

/// What a publication costs beside its data: itself, its place in the ring, its counters.
const PUBLICATION_BYTES: usize = size_of::<Publication>() + 64;

/// A publication, and when it came, by the clock that is never set.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) publication: Arc<Publication>,
    pub(super) since_ms: u64,
    /// Whose it is.
    pub(super) account: AccountId,
}

#[derive(Debug, Default)]
pub(super) struct History {
    /// Adjacent offsets, oldest first; the last one is the channel's newest message, if it has any at all.
    ring: VecDeque<Kept>,
    /// Who came and went meanwhile.
    entries: Entries,
    ttl_ms: u64,
    /// Of the messages.
    bytes: usize,
    /// Whose they are, and whose the entries.
    pub(super) holdings: Option<Box<Holdings>>,
}

/// What a tag costs beside its text.
const TAG_BYTES: usize = size_of::<(Box<str>, Box<str>)>();

/// What it takes to keep a publication.
pub(super) fn cost(publication: &Publication) -> usize {
    let labels = publication.labels.as_deref().map_or(0, |labels| {
        let tags = labels.tags.iter().map(|(name, value)| name.len() + value.len() + TAG_BYTES);
        tags.sum::<usize>() + labels.key.as_ref().map_or(0, |key| key.len()) + size_of::<Labels>()
    });
    publication.data.bytes().len() + labels + PUBLICATION_BYTES
}

impl History {
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.entries.bytes()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty() && self.entries.is_empty()
    }

    /// Whose the oldest message is, or the oldest entry where there is no message.
    pub(super) fn front(&self) -> Option<AccountId> {
        self.ring.front().or_else(|| self.entries.front()).map(|kept| kept.account)
    }

    /// Whether others' messages are older than all of the account's. Then the account's other channels are looked at before
    /// this one again.
    pub(super) fn is_behind(&self, account: AccountId) -> bool {
        let is_behind = self.front().is_some_and(|front| front != account);
        if is_behind && let Some(holdings) = &self.holdings {
            holdings.look_later(account);
        }
        is_behind
    }

    fn clear(&mut self) {
        while self.pop_oldest() {}
        while self.pop_oldest_entry() {}
        self.ring = VecDeque::new();
    }

    /// Lets the oldest messages of one sender go until `bytes` are freed or the next one is another's; once there is no
    /// message, the oldest entries.
    pub(super) fn free(&mut self, bytes: usize) {
        let wanted = self.bytes().saturating_sub(bytes);
        let front = self.front();
        while self.bytes() > wanted && self.front() == front {
            if !self.pop_oldest() && !self.pop_oldest_entry() {
                break;
            }
        }
        if self.ring.is_empty() {
            self.ring = VecDeque::new();
        }
    }

    /// Keeps a message of `account`, none where nothing is kept.
    pub(super) fn push(
        &mut self,
        publication: Arc<Publication>,
        account: Option<AccountId>,
        namespace: &Namespace,
        now_ms: u64,
    ) {
        self.ttl_ms = namespace.history_ttl_ms;
        self.expire(now_ms);
        let Some(account) = account.filter(|_| namespace.history_size > 0) else {
            return self.clear();
        };
        self.trim_entries(namespace);
        while self.ring.len() >= namespace.history_size as usize {
            self.pop_oldest();
        }
        let cost = cost(&publication);
        self.bytes += cost;
        self.add(account, cost);
        self.ring.push_back(Kept { publication, since_ms: now_ms, account });
    }

    /// Keeps that somebody came or went.
    pub(super) fn push_entry(
        &mut self,
        publication: Arc<Publication>,
        account: Option<AccountId>,
        namespace: &Namespace,
        now_ms: u64,
    ) {
        self.trim(namespace, now_ms);
        let Some(account) = account.filter(|_| entries::size(namespace) > 0) else { return };
        while self.entries.len() >= entries::size(namespace) {
            self.pop_oldest_entry();
        }
        self.add(account, cost(&publication));
        self.entries.push(Kept { publication, since_ms: now_ms, account });
    }

    fn pop_oldest(&mut self) -> bool {
        let Some(oldest) = self.ring.pop_front() else { return false };
        let cost = cost(&oldest.publication);
        self.bytes -= cost;
        self.subtract(oldest.account, cost);
        true
    }

    fn pop_oldest_entry(&mut self) -> bool {
        let Some(oldest) = self.entries.pop_oldest() else { return false };
        self.subtract(oldest.account, cost(&oldest.publication));
        true
    }

    fn trim_entries(&mut self, namespace: &Namespace) {
        while self.entries.len() > entries::size(namespace) {
            self.pop_oldest_entry();
        }
    }

    fn add(&mut self, account: AccountId, bytes: usize) {
        if let Some(holdings) = &mut self.holdings {
            holdings.add(account, bytes);
        }
    }

    fn subtract(&mut self, account: AccountId, bytes: usize) {
        if let Some(holdings) = &mut self.holdings {
            holdings.subtract(account, bytes);
        }
    }

    /// Counts everything in the share of its namespace, which may be another since the settings have changed.
    pub(super) fn move_to(&mut self, ledger: &Ledger, channel: &ChannelName) {
        let share = ledger.share(channel);
        let Some(holdings) = self.holdings.take_if(|holdings| !holdings.is_in(&share)) else { return };
        let (holdings, renamed) = holdings.moved_to(share, ledger, channel);
        for kept in self.ring.iter_mut().chain(self.entries.iter_mut()) {
            if let Ok(index) = renamed.binary_search_by_key(&kept.account, |(before, _)| *before) {
                kept.account = renamed[index].1;
            }
        }
        self.holdings = Some(Box::new(holdings));
    }

    /// Lets go of what the namespace does not keep any more.
    pub(super) fn trim(&mut self, namespace: &Namespace, now_ms: u64) {
        self.ttl_ms = namespace.history_ttl_ms;
        self.expire(now_ms);
        self.trim_entries(namespace);
        while self.ring.len() > namespace.history_size as usize {
            self.pop_oldest();
        }
        if self.ring.is_empty() {
            self.ring = VecDeque::new();
        }
    }

    pub(super) fn expire(&mut self, now_ms: u64) {
        if self.ttl_ms == 0 {
            return;
        }
        let ttl_ms = self.ttl_ms;
        let has_expired =
            |oldest: Option<&Kept>| oldest.is_some_and(|oldest| oldest.since_ms + ttl_ms <= now_ms);
        while has_expired(self.ring.front()) {
            self.pop_oldest();
        }
        while has_expired(self.entries.front()) {
            self.pop_oldest_entry();
        }
        if self.ring.is_empty() && self.ring.capacity() > 0 {
            self.ring = VecDeque::new();
        }
    }

    /// Every message after `since` with what follows it, or none if any message is missing or they are more than
    /// `bytes_max`. What follows the message at `since` itself is left out: the client may have it.
    pub(super) fn since(
        &mut self,
        top: Position,
        since: Position,
        now_ms: u64,
        bytes_max: usize,
    ) -> Option<Vec<Arc<Publication>>> {
        self.expire(now_ms);
        if since.epoch != top.epoch || since.offset > top.offset {
            return None;
        }
        let missed = usize::try_from(top.offset - since.offset).ok()?;
        if missed > self.ring.len() {
            return None;
        }
        let missed = self.ring.range(self.ring.len() - missed..);
        let mut replay: Vec<_> = missed.map(|kept| kept.publication.clone()).collect();
        let bytes: usize = replay.iter().map(|publication| cost(publication)).sum();
        if bytes > bytes_max {
            return None;
        }
        self.entries.merge_into(&mut replay, since.offset + 1.., bytes_max);
        Some(replay)
    }

    /// The last messages with what follows them, oldest first.
    pub(super) fn last(&mut self, count: usize, now_ms: u64, bytes_max: usize) -> Vec<Arc<Publication>> {
        self.expire(now_ms);
        let mut room = bytes_max;
        let mut replay: Vec<_> = self
            .ring
            .iter()
            .map(|kept| &kept.publication)
            .rev()
            .take(count)
            .take_while(|publication| {
                let cost = cost(publication);
                let fits = cost <= room;
                room = room.saturating_sub(cost);
                fits
            })
            .cloned()
            .collect();
        replay.reverse();
        let is_all = replay.len() == self.ring.len();
        let first = replay.first().map(|publication| publication.position.offset).filter(|_| !is_all);
        if count > 0 && (is_all || first.is_some()) {
            self.entries.merge_into(&mut replay, first.unwrap_or(0).., bytes_max);
        }
        replay
    }

    /// A page of messages with what follows them, and whether more lies beyond it; none if `since` is not a place in this
    /// history. What follows a message belongs to it: it is in the same page, and only there.
    pub(super) fn page(
        &mut self,
        top: Position,
        range: HistoryRange,
        now_ms: u64,
        limits: &Limits,
    ) -> Option<(Vec<Arc<Publication>>, bool)> {
        self.expire(now_ms);
        // The offset before the oldest one kept.
        let base = top.offset - self.ring.len() as u64;
        let (from, to) = match (range.since, range.reverse) {
            (None, _) => (0, self.ring.len()),
            (Some(since), _) if since.epoch != top.epoch => return None,
            (Some(since), false) if since.offset < base || since.offset > top.offset => return None,
            (Some(since), false) => ((since.offset - base) as usize, self.ring.len()),
            // Reversed: what lies before `since`, which may itself be the place after the newest.
            (Some(since), true) if since.offset <= base || since.offset > top.offset + 1 => return None,
            (Some(since), true) => (0, (since.offset - base - 1) as usize),
        };
        let count_max = range.limit.min(limits.history_page_max) as usize;
        let mut room = limits.replay_bytes_max;
        let mut publications = Vec::new();
        for step in 0..to - from {
            let index = if range.reverse { to - 1 - step } else { from + step };
            let publication = &self.ring[index].publication;
            let cost = cost(publication);
            // One message always fits: a page that could never advance would be a trap.
            if publications.len() == count_max || (cost > room && !publications.is_empty()) {
                break;
            }
            room = room.saturating_sub(cost);
            publications.push(publication.clone());
        }
        let more = publications.len() < to - from;
        if count_max > 0 {
            let end = publications.last().map(|publication| publication.position.offset).filter(|_| more);
            let since = range.since.map(|since| since.offset);
            if range.reverse {
                publications.reverse();
                self.entries.merge_into(
                    &mut publications,
                    end.unwrap_or(0)..since.unwrap_or(u64::MAX),
                    limits.replay_bytes_max,
                );
                publications.reverse();
            } else {
                let begin = since.map_or(0, |since| since + 1);
                self.entries.merge_into(
                    &mut publications,
                    begin..=end.unwrap_or(u64::MAX),
                    limits.replay_bytes_max,
                );
            }
        }
        Some((publications, more))
    }
}
