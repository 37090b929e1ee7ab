//! Deadlines of a shard's sessions, soonest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKind {
    /// A ping is to be sent.
    Ping,
    /// A sign of life must have come since the ping.
    Pong,
    /// A write must have made progress.
    Write,
    /// A message that was begun must be finished.
    UnfinishedMessage,
    /// The peer must have answered our close frame.
    Close,
    /// A session without a connection must have got one.
    Resume,
    /// The client is told to go elsewhere.
    Drain,
    /// The client must have said who it is.
    Authentication,
    /// Something that was given for a time ends, or is about to.
    Expiry,
    /// The members of a channel, whose key it is, may get another list of all.
    Roster,
    /// There is room for the answer to a ping that was too much.
    OwedPong,
}

/// A deadline of one session, mostly. The serial tells sessions apart that had the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timer {
    pub(crate) due_ms: u64,
    pub(crate) serial: u64,
    pub(crate) key: u32,
    pub(crate) kind: TimerKind,
}

/// A heap; cancelled deadlines stay in it and are recognised when they are due.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    pub(crate) fn push(&mut self, timer: Timer) {
        self.0.push(Reverse(timer));
    }

    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.0.peek().map(|Reverse(timer)| timer.due_ms)
    }

    pub(crate) fn pop_due(&mut self, now_ms: u64) -> Option<Timer> {
        if self.next_ms()? > now_ms {
            return None;
        }
        self.0.pop().map(|Reverse(timer)| timer)
    }
}
