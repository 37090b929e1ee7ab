//! What is left at the end: members (K10) and everything that a node holds (K11).

use std::collections::{BTreeMap, BTreeSet};

use super::{Violation, broken};
use crate::history::{History, Operation};

/// Joins and leaves in order, as true for joins.
type Course = Vec<bool>;

pub(super) fn judge(history: &History, violations: &mut Vec<Violation>) {
    judge_members(history, violations);
    let mut held: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for record in &history.records {
        if let Operation::Held { count } = record.operation {
            held.entry(&record.channel).or_insert((count, count)).1 = count;
        }
    }
    for (name, (first, last)) in held {
        if first != last {
            broken(violations, 11, format!("{name}: {first} at the beginning, {last} at the end"));
        }
    }
}

fn judge_members(history: &History, violations: &mut Vec<Violation>) {
    let mut truth: BTreeMap<(&str, u32), Course> = BTreeMap::new();
    let mut told: BTreeMap<(&str, u32), BTreeMap<u32, Course>> = BTreeMap::new();
    for record in &history.records {
        let channel = record.channel.as_str();
        match record.operation {
            Operation::Transition { joined } => {
                truth.entry((channel, record.actor)).or_default().push(joined);
            }
            Operation::Told { joined } => {
                let observer = told.entry((channel, record.actor)).or_default();
                observer.entry(record.connection).or_default().push(joined);
            }
            _ => {}
        }
    }
    for ((channel, observer), courses) in &told {
        let users = truth.keys().filter(|(known, _)| known == channel).map(|(_, user)| *user);
        let users: BTreeSet<u32> = users.chain(courses.keys().copied()).collect();
        for user in users.into_iter().filter(|user| user != observer) {
            let (true_course, told_course) = (truth.get(&(channel, user)), courses.get(&user));
            if true_course.map_or(&[][..], Vec::as_slice) != told_course.map_or(&[][..], Vec::as_slice) {
                let text = format!(
                    "{observer} was told {told_course:?} of {user} in {channel}, not {true_course:?}"
                );
                broken(violations, 10, text);
            }
        }
    }
    for record in &history.records {
        let Operation::Members { users } = &record.operation else { continue };
        let found: BTreeSet<u32> = users.iter().copied().collect();
        let present = truth.iter().filter(|((channel, _), course)| {
            *channel == record.channel && course.last().is_some_and(|joined| *joined)
        });
        let wanted: BTreeSet<u32> = present.map(|((_, user), _)| *user).collect();
        if found != wanted || users.len() != found.len() {
            broken(violations, 10, format!("{} has {users:?}, in truth {wanted:?}", record.channel));
        }
    }
}
