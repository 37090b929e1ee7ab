//! What a session was given and may ask for again, when its connection was lost and another one takes its place.

use std::collections::VecDeque;

use super::Chunk;

/// The log does not reach back so far, or so much was never given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// The last entries that were given, counted from the first one of the session.
#[derive(Debug, Default)]
pub(super) struct Retained {
    entries: VecDeque<Chunk>,
    bytes: usize,
    /// How many were given in all; the last of them is the last of `entries`.
    taken: u64,
    /// How many had been given at the last times it was aged, the last time at the end.
    aged: VecDeque<u64>,
}

impl Retained {
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Appends an entry, and forgets old ones that exceed the bound together with it.
    pub(super) fn push(&mut self, chunk: Chunk, bytes_max: usize) {
        self.taken += 1;
        self.bytes += chunk.len();
        self.entries.push_back(chunk);
        while self.bytes > bytes_max && self.forget_first() {}
    }

    fn forget_first(&mut self) -> bool {
        let Some(first) = self.entries.pop_front() else { return false };
        self.bytes -= first.len();
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
        true
    }

    /// How many entries are not kept any more.
    fn forgotten(&self) -> u64 {
        self.taken - self.entries.len() as u64
    }

    /// Whether nothing is missing after the first `seen` entries.
    pub(super) fn reaches(&self, seen: u64) -> bool {
        (self.forgotten()..=self.taken).contains(&seen)
    }

    /// Forgets the first `seen` entries.
    pub(super) fn acknowledge(&mut self, seen: u64) {
        while self.forgotten() < seen && self.forget_first() {}
    }

    /// Forgets what had been given `ages` calls ago.
    pub(super) fn age(&mut self, ages: usize) {
        self.aged.push_back(self.taken);
        if self.aged.len() > ages
            && let Some(seen) = self.aged.pop_front()
        {
            self.acknowledge(seen);
        }
    }

    /// The entries after the first `seen`, the last one first; as if they had never been given.
    pub(super) fn rewind(&mut self, seen: u64) -> Result<impl Iterator<Item = Chunk>, Lost> {
        if !self.reaches(seen) {
            return Err(Lost);
        }
        self.acknowledge(seen);
        self.taken = seen;
        self.aged.clear();
        self.bytes = 0;
        Ok(std::mem::take(&mut self.entries).into_iter().rev())
    }
}
