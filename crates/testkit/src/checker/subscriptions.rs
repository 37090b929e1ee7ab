//! What each subscription received: K1, K4, K5, K6, K8, K9.

use std::collections::HashMap;

use super::log::Log;
use super::{Violation, broken};
use crate::history::{History, Operation, Place, Record};

/// A subscription that has not ended.
#[derive(Debug)]
struct Span {
    actor: u32,
    connection: u32,
    filter: Option<u64>,
    /// The place of the channel's newest message when it began.
    begin: Place,
    /// The offset up to which everything is accounted for; none until the first delivery of a replay that
    /// claims nothing about what lies before it.
    last: Option<u64>,
    /// Whether it claims to continue an earlier one.
    recovered: bool,
    /// Whether messages may be given up.
    lossy: bool,
    /// How many were given up, and how many of them it was told of.
    lost: u64,
    told: u64,
}

/// What a subscription has to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// It must get it.
    Entitled,
    /// It may or may not: nobody knows the message, or it is its own and comes out of the history.
    Open,
    /// It must not get it.
    Excluded,
}

impl Span {
    fn claim(&self, log: &Log<'_>, channel: &str, offset: u64) -> Claim {
        let Some(sent) = log.sent(channel, Place { epoch: self.begin.epoch, offset }) else {
            return Claim::Open;
        };
        if self.filter.is_some() && sent.tag != self.filter {
            return Claim::Excluded;
        }
        let is_own = !sent.echo && sent.connections.contains(&self.connection);
        let by_others = sent.connections.iter().any(|connection| *connection != self.connection);
        match is_own {
            true if by_others || offset <= self.begin.offset => Claim::Open,
            true => Claim::Excluded,
            false => Claim::Entitled,
        }
    }

    fn judge_gap(
        &mut self,
        log: &Log<'_>,
        channel: &str,
        gap: std::ops::Range<u64>,
        check: u8,
        violations: &mut Vec<Violation>,
    ) {
        for offset in gap {
            if self.claim(log, channel, offset) == Claim::Entitled {
                // Replays are never given up.
                if self.lossy && offset > self.begin.offset {
                    self.lost += 1;
                    continue;
                }
                let check = if self.recovered && offset <= self.begin.offset { 8 } else { check };
                let text = format!("{} never got {channel} {offset} of {}", self.actor, self.begin.epoch);
                broken(violations, check, text);
            }
        }
    }

    fn deliver(&mut self, log: &Log<'_>, record: &Record, place: Place, violations: &mut Vec<Violation>) {
        let (actor, channel) = (self.actor, &record.channel);
        if place.epoch != self.begin.epoch {
            broken(violations, 5, format!("{actor} got {channel} {place:?} under {:?}", self.begin));
            return;
        }
        match self.last {
            Some(last) if place.offset == last => {
                broken(violations, 6, format!("{actor} got {channel} {place:?} twice"));
            }
            Some(last) if place.offset < last => {
                broken(violations, 5, format!("{actor} got {channel} {place:?} after {last}"));
                return;
            }
            Some(last) => self.judge_gap(log, channel, last + 1..place.offset, 4, violations),
            // The first of what came unclaimed; if it is a live message, nothing after the beginning is missing.
            None if place.offset > self.begin.offset => {
                self.judge_gap(log, channel, self.begin.offset + 1..place.offset, 4, violations);
            }
            None => {}
        }
        if self.claim(log, channel, place.offset) == Claim::Excluded {
            broken(violations, 9, format!("{actor} got {channel} {place:?}, which it had excluded"));
        }
        self.last = Some(place.offset);
    }
}

pub(super) fn judge(history: &History, log: &Log<'_>, violations: &mut Vec<Violation>) {
    let mut spans: HashMap<(u32, &str), Span> = HashMap::new();
    for record in &history.records {
        let key = (record.actor, record.channel.as_str());
        match (&record.operation, record.place) {
            (Operation::Subscribe { filter, since, lossy }, Some(begin)) => {
                let recovered = record.recovered == Some(true);
                let last = since.filter(|_| recovered).map(|since| since.offset);
                if recovered
                    && since.is_none_or(|since| since.epoch != begin.epoch || since.offset > begin.offset)
                {
                    let text = format!("{} recovered {} from {since:?} to {begin:?}", record.actor, key.1);
                    broken(violations, 8, text);
                }
                let Record { actor, connection, .. } = *record;
                let (filter, lossy) = (*filter, *lossy);
                let span =
                    Span { actor, connection, filter, begin, last, recovered, lossy, lost: 0, told: 0 };
                spans.insert(key, span);
            }
            (Operation::Lagged { count }, _) => {
                spans.entry(key).and_modify(|span| span.told += count);
            }
            (Operation::Deliver, Some(place)) => match spans.get_mut(&key) {
                Some(span) => span.deliver(log, record, place, violations),
                None => {
                    let text = format!("{} got {} {place:?} without a subscription", record.actor, key.1);
                    broken(violations, 7, text);
                }
            },
            (Operation::End, _) => _ = spans.remove(&key),
            _ => {}
        }
    }
    for ((_, channel), span) in &mut spans {
        let from = span.last.unwrap_or(span.begin.offset) + 1;
        let top = log.top(channel, span.begin.epoch);
        span.judge_gap(log, channel, from..top + 1, 1, violations);
        if span.lost != span.told {
            let text =
                format!("{} lost {} of {channel} and was told of {}", span.actor, span.lost, span.told);
            broken(violations, 4, text);
        }
    }
}
