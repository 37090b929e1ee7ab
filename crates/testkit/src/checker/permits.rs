//! Who was allowed to hear what they heard: K9.

use std::collections::{HashMap, HashSet};

use super::log::Log;
use super::{Violation, broken};
use crate::history::{History, Operation, Record};

/// What every actor was allowed over time, in the channels that are not open to all.
#[derive(Debug, Default)]
struct Permits<'a> {
    guarded: HashSet<&'a str>,
    /// When an actor's permission in a channel changed, and to what, in the order of time.
    changes: HashMap<(u32, &'a str), Vec<(u64, bool)>>,
}

impl<'a> Permits<'a> {
    fn read(history: &'a History) -> Self {
        let mut permits = Self::default();
        for record in &history.records {
            if let Operation::Permit { allowed } = record.operation {
                permits.guarded.insert(&record.channel);
                let changes = permits.changes.entry((record.actor, &record.channel)).or_default();
                changes.push((record.complete, allowed));
            }
        }
        for changes in permits.changes.values_mut() {
            // Stable: of two changes at one instant, the one that was written down last holds.
            changes.sort_by_key(|(at, _)| *at);
        }
        permits
    }

    /// Whether the actor was allowed at any instant from `from` to `to`.
    fn allows(&self, record: &Record, from: u64, to: u64) -> bool {
        let channel = record.channel.as_str();
        if !self.guarded.contains(channel) {
            return true;
        }
        let Some(changes) = self.changes.get(&(record.actor, channel)) else { return false };
        let before = changes.iter().rfind(|(at, _)| *at <= from);
        before.is_some_and(|(_, allowed)| *allowed)
            || changes.iter().any(|(at, allowed)| *allowed && from < *at && *at <= to)
    }
}

pub(super) fn judge(history: &History, log: &Log<'_>, violations: &mut Vec<Violation>) {
    let permits = Permits::read(history);
    for record in &history.records {
        if !matches!(record.operation, Operation::Deliver | Operation::Read) {
            continue;
        }
        // Of what nobody sent, only the moment of its delivery is known.
        let from = log.sent_as(record).map_or(record.complete, |sent| sent.invoke);
        if !permits.allows(record, from, record.complete) {
            let Record { actor, channel, place, .. } = record;
            let text = format!("{actor} got {channel} {place:?}, and was not allowed to since it was sent");
            broken(violations, 9, text);
        }
    }
}
