//! Who came and went, beside the history: not numbered, and never in the way of a message.

use std::collections::VecDeque;
use std::ops::RangeBounds;
use std::sync::Arc;

use fanfare_protocol::Publication;

use super::history::{Kept, cost};
use crate::namespace::Namespace;

/// At most so many are kept in a channel, and no more than its namespace keeps messages.
const ENTRIES_MAX: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Oldest first; each has the offset of the message that it follows.
    ring: VecDeque<Kept>,
    bytes: usize,
}

impl Entries {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn front(&self) -> Option<&Kept> {
        self.ring.front()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.ring.iter_mut()
    }

    pub(super) fn push(&mut self, entry: Kept) {
        self.bytes += cost(&entry.publication);
        self.ring.push_back(entry);
    }

    pub(super) fn pop_oldest(&mut self) -> Option<Kept> {
        let oldest = self.ring.pop_front()?;
        self.bytes -= cost(&oldest.publication);
        if self.ring.is_empty() {
            self.ring = VecDeque::new();
        }
        Some(oldest)
    }

    /// Puts those that follow one of `offsets` where they belong among messages, oldest first; none of them if all
    /// together are more than `bytes_max`.
    pub(super) fn merge_into(
        &self,
        messages: &mut Vec<Arc<Publication>>,
        offsets: impl RangeBounds<u64>,
        bytes_max: usize,
    ) {
        let place = |kept: &&Kept| kept.publication.position.offset;
        let wanted = self.ring.iter().filter(|kept| offsets.contains(&place(kept)));
        let entries: Vec<_> = wanted.map(|kept| kept.publication.clone()).collect();
        let bytes: usize = messages.iter().chain(&entries).map(|publication| cost(publication)).sum();
        if entries.is_empty() || bytes > bytes_max {
            return;
        }
        messages.extend(entries);
        // A stable sort: a message has been there before what follows it, and what follows it stays in order.
        messages.sort_by_key(|publication| publication.position.offset);
    }
}

/// How many entries of a channel the namespace keeps.
pub(super) fn size(namespace: &Namespace) -> usize {
    ENTRIES_MAX.min(namespace.history_size as usize)
}
