//! What every channel's numbering was, put together from acknowledgements, deliveries and the final history.

use std::collections::HashMap;

use super::{Violation, broken};
use crate::history::{History, Operation, Outcome, Place, Record};

/// What was published.
#[derive(Debug)]
pub(super) struct Sent {
    /// When the first attempt began that was not refused.
    pub(super) invoke: u64,
    /// The connections of the attempts that were not refused: a key may be repeated from another one.
    pub(super) connections: Vec<u32>,
    pub(super) tag: Option<u64>,
    pub(super) echo: bool,
    /// Whether every attempt was refused.
    failed: bool,
}

/// The numbering of every channel.
#[derive(Debug, Default)]
pub(super) struct Log<'a> {
    payloads: HashMap<(&'a str, Place), u64>,
    sent: HashMap<(&'a str, u64), Sent>,
    /// The highest offset that anybody saw.
    tops: HashMap<(&'a str, u64), u64>,
    acknowledged: Vec<(&'a str, Place)>,
}

impl<'a> Log<'a> {
    /// Reads the history; finds K3, K6 of keys, and K7.
    pub(super) fn read(history: &'a History, violations: &mut Vec<Violation>) -> Self {
        let mut log = Self::default();
        for record in &history.records {
            if let Operation::Publish { tag, echo } = record.operation {
                log.note_sent(record, tag, echo);
            }
        }
        let mut keys: HashMap<(&str, u64), Place> = HashMap::new();
        for record in &history.records {
            let Some(place) = record.place else { continue };
            match record.operation {
                Operation::Publish { .. } => {
                    log.acknowledged.push((&record.channel, place));
                    if let Some(key) = record.key
                        && *keys.entry((&record.channel, key)).or_insert(place) != place
                    {
                        broken(violations, 6, format!("key {key} of {} has two places", record.channel));
                    }
                }
                Operation::Deliver | Operation::Keep | Operation::Read => log.judge_sent(record, violations),
                _ => continue,
            }
            log.place(record, place, violations);
        }
        log
    }

    fn note_sent(&mut self, record: &'a Record, tag: Option<u64>, echo: bool) {
        let first = Sent { invoke: record.invoke, connections: Vec::new(), tag, echo, failed: true };
        let sent = self.sent.entry((&record.channel, record.payload)).or_insert(first);
        if record.outcome != Outcome::Fail {
            sent.invoke = if sent.failed { record.invoke } else { sent.invoke.min(record.invoke) };
            sent.failed = false;
            sent.connections.push(record.connection);
        }
    }

    fn judge_sent(&self, record: &Record, violations: &mut Vec<Violation>) {
        let problem = match self.sent.get(&(record.channel.as_str(), record.payload)) {
            None => "was sent by nobody",
            Some(sent) if sent.failed => "was refused",
            Some(sent) if sent.invoke > record.complete => "had not been sent yet",
            Some(_) => return,
        };
        let Record { actor, channel, place, payload, .. } = record;
        broken(violations, 7, format!("{actor} got {payload} at {channel} {place:?}, which {problem}"));
    }

    fn place(&mut self, record: &'a Record, place: Place, violations: &mut Vec<Violation>) {
        let known = *self.payloads.entry((&record.channel, place)).or_insert(record.payload);
        if known != record.payload {
            let text = format!("{} {place:?} is {known} and {}", record.channel, record.payload);
            broken(violations, 3, text);
        }
        let top = self.tops.entry((&record.channel, place.epoch)).or_default();
        *top = (*top).max(place.offset);
    }

    /// What is known of the message at a place; none if nobody ever saw it.
    pub(super) fn sent<'s>(&'s self, channel: &'s str, place: Place) -> Option<&'s Sent> {
        let payload = self.payloads.get(&(channel, place))?;
        self.sent.get(&(channel, *payload))
    }

    /// What is known of a message by its data; none if nobody sent it.
    pub(super) fn sent_as<'s>(&'s self, record: &'s Record) -> Option<&'s Sent> {
        self.sent.get(&(record.channel.as_str(), record.payload))
    }

    /// The highest offset of a numbering that anybody saw.
    pub(super) fn top(&self, channel: &str, epoch: u64) -> u64 {
        self.tops.get(&(channel, epoch)).copied().unwrap_or(0)
    }

    /// Finds K2.
    pub(super) fn judge_end(&self, history: &History, violations: &mut Vec<Violation>) {
        for top in &history.records {
            let (Operation::Top { kept_min }, Some(end)) = (&top.operation, top.place) else { continue };
            let kept: Vec<u64> = history
                .records
                .iter()
                .filter(|record| record.operation == Operation::Keep && record.channel == top.channel)
                .filter_map(|record| record.place.filter(|place| place.epoch == end.epoch))
                .map(|place| place.offset)
                .collect();
            let oldest = kept.iter().min().copied().unwrap_or(u64::MAX);
            let from =
                kept_min.map_or(oldest, |kept_min| oldest.min((end.offset + 1).saturating_sub(kept_min)));
            for (channel, place) in &self.acknowledged {
                let due = *channel == top.channel && place.epoch == end.epoch && place.offset >= from;
                if due && (place.offset > end.offset || !kept.contains(&place.offset)) {
                    broken(violations, 2, format!("{channel} {place:?} was acknowledged and is not kept"));
                }
            }
        }
    }
}
