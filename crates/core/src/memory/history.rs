//! The last messages of a channel, bounded in number, age and bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_protocol::command::HistoryRange;
use fanfare_protocol::publication::Labels;
use fanfare_protocol::{Position, Publication};

use crate::limits::Limits;
use crate::namespace::Namespace;

/// What a publication costs beside its data: itself, its place in the ring, its counters.
const PUBLICATION_BYTES: usize = size_of::<Publication>() + 64;

/// A message, and when it came, by the clock that is never set.
#[derive(Debug)]
struct Kept {
    publication: Arc<Publication>,
    since_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct History {
    /// Adjacent offsets, oldest first; the last one is the channel's newest message, if it has any at all.
    ring: VecDeque<Kept>,
    ttl_ms: u64,
    bytes: usize,
}

/// What a tag costs beside its text.
const TAG_BYTES: usize = size_of::<(Box<str>, Box<str>)>();

fn cost(publication: &Publication) -> usize {
    let labels = publication.labels.as_deref().map_or(0, |labels| {
        let tags = labels.tags.iter().map(|(name, value)| name.len() + value.len() + TAG_BYTES);
        tags.sum::<usize>() + labels.key.as_ref().map_or(0, |key| key.len()) + size_of::<Labels>()
    });
    publication.data.bytes().len() + labels + PUBLICATION_BYTES
}

impl History {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.ring = VecDeque::new();
        self.bytes = 0;
    }

    /// Lets the oldest go until `bytes` are freed, or all.
    pub(super) fn free(&mut self, bytes: usize) {
        let wanted = self.bytes.saturating_sub(bytes);
        while self.bytes > wanted {
            self.pop_oldest();
        }
        if self.ring.is_empty() {
            self.ring = VecDeque::new();
        }
    }

    pub(super) fn push(&mut self, publication: Arc<Publication>, namespace: &Namespace, now_ms: u64) {
        self.ttl_ms = namespace.history_ttl_ms;
        self.expire(now_ms);
        if namespace.history_size == 0 {
            self.clear();
            return;
        }
        while self.ring.len() >= namespace.history_size as usize {
            self.pop_oldest();
        }
        self.bytes += cost(&publication);
        self.ring.push_back(Kept { publication, since_ms: now_ms });
    }

    fn pop_oldest(&mut self) {
        if let Some(oldest) = self.ring.pop_front() {
            self.bytes -= cost(&oldest.publication);
        }
    }

    /// Lets go of what the namespace does not keep any more.
    pub(super) fn trim(&mut self, namespace: &Namespace, now_ms: u64) {
        self.ttl_ms = namespace.history_ttl_ms;
        self.expire(now_ms);
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
        while self.ring.front().is_some_and(|oldest| oldest.since_ms + self.ttl_ms <= now_ms) {
            self.pop_oldest();
        }
        if self.ring.is_empty() && self.ring.capacity() > 0 {
            self.ring = VecDeque::new();
        }
    }

    /// Everything after `since`, or none if any of it is missing or it is more than `bytes_max`.
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
        let replay: Vec<_> = missed.map(|kept| kept.publication.clone()).collect();
        let bytes: usize = replay.iter().map(|publication| cost(publication)).sum();
        (bytes <= bytes_max).then_some(replay)
    }

    /// The last messages, oldest first.
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
        replay
    }

    /// A page, and whether more lies beyond it; none if `since` is not a place in this history.
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
        Some((publications, more))
    }
}
