//! The checker is checked: a good history passes, and every planted bug is caught by the rule it breaks.

use fanfare_testkit::Checker;
use fanfare_testkit::history::{History, Operation, Outcome, Place, Record};

const PUBLISHER: u32 = 0;
const READER: u32 = 1;
const FILTERED: u32 = 2;
const SENDER: u32 = 3;

fn subscribe(filter: Option<u64>, since: Option<Place>) -> Operation {
    Operation::Subscribe { filter, since, lossy: false }
}

/// Ten messages with tags 0 and 1 in turn; one reader is cut after the fifth and recovers, one filters for tag 1,
/// and the sender of the seventh is left out of it.
fn good() -> History {
    let mut history = History::default();
    history.add(9, Operation::Held { count: 3 }, "sessions");
    history.add(7, Operation::Transition { joined: true }, "x");
    history.add(8, Operation::Told { joined: true }, "x").by(7);
    for (actor, filter) in [(READER, None), (FILTERED, Some(1)), (SENDER, None)] {
        history.add(actor, subscribe(filter, None), "x").at(1, 0);
    }
    for offset in 1..=10 {
        if offset == 6 {
            history.add(READER, Operation::End, "x");
        }
        let sender = if offset == 7 { SENDER } else { PUBLISHER };
        let publish = Operation::Publish { tag: Some(offset % 2), echo: false };
        history.add(sender, publish, "x").at(1, offset).with(100 + offset).keyed(offset);
        if offset < 6 {
            history.add(READER, Operation::Deliver, "x").at(1, offset).with(100 + offset);
        }
        if offset % 2 == 1 {
            history.add(FILTERED, Operation::Deliver, "x").at(1, offset).with(100 + offset);
        }
        if offset != 7 {
            history.add(SENDER, Operation::Deliver, "x").at(1, offset).with(100 + offset);
        }
    }
    let since = Place { epoch: 1, offset: 5 };
    history.add(READER, subscribe(None, Some(since)), "x").by(11).at(1, 8).recovered(true);
    for offset in 6..=10 {
        history.add(READER, Operation::Deliver, "x").by(11).at(1, offset).with(100 + offset);
    }
    for offset in 4..=10 {
        history.add(9, Operation::Keep, "x").at(1, offset).with(100 + offset);
    }
    history.add(9, Operation::Top { kept_min: Some(7) }, "x").at(1, 10);
    history.add(7, Operation::Transition { joined: false }, "x");
    history.add(8, Operation::Told { joined: false }, "x").by(7);
    history.add(6, Operation::Transition { joined: true }, "x");
    history.add(8, Operation::Told { joined: true }, "x").by(6);
    history.add(8, Operation::Members { users: vec![6] }, "x");
    history.add(9, Operation::Held { count: 3 }, "sessions");
    history
}

/// Plants a bug in the good history: exactly this rule must be broken.
fn check(rule: u8, plant: impl FnOnce(&mut Vec<Record>)) {
    let mut history = good();
    plant(&mut history.records);
    let violations = Checker::judge(&history);
    assert!(!violations.is_empty(), "the bug was not caught");
    for violation in violations {
        assert_eq!(violation.check, rule, "{violation}");
    }
}

/// The index of a delivery.
fn delivery(records: &[Record], actor: u32, offset: u64) -> usize {
    let place = Some(Place { epoch: 1, offset });
    let found = records.iter().position(|record| {
        record.actor == actor && record.operation == Operation::Deliver && record.place == place
    });
    found.unwrap_or_else(|| panic!("{actor} does not get {offset}"))
}

fn find(records: &mut [Record], wanted: impl Fn(&Record) -> bool) -> &mut Record {
    records.iter_mut().find(|record| wanted(record)).unwrap_or_else(|| panic!("no such record"))
}

#[test]
fn a_good_history_passes() {
    assert_eq!(Checker::judge(&good()), []);
    assert_eq!(Checker::judge(&History::default()), []);
}

#[test]
fn a_lost_last_message_is_caught() {
    check(1, |records| _ = records.remove(delivery(records, READER, 10)));
}

#[test]
fn a_lost_last_message_that_passes_the_filter_is_caught() {
    check(1, |records| _ = records.remove(delivery(records, FILTERED, 9)));
}

#[test]
fn an_acknowledged_message_that_is_not_kept_is_caught() {
    check(2, |records| {
        records.retain(|r| r.operation != Operation::Keep || r.place != Some(Place { epoch: 1, offset: 9 }));
    });
}

#[test]
fn a_history_that_forgot_too_early_is_caught() {
    check(2, |records| {
        let early = Place { epoch: 1, offset: 6 };
        records.retain(|r| r.operation != Operation::Keep || r.place.is_none_or(|place| place > early));
    });
}

#[test]
fn a_history_that_lost_its_end_is_caught() {
    check(2, |records| {
        find(records, |r| matches!(r.operation, Operation::Top { .. })).at(1, 9);
    });
}

#[test]
fn two_payloads_at_one_place_are_caught() {
    check(3, |records| {
        let index = delivery(records, READER, 3);
        records[index].payload = 102;
    });
}

#[test]
fn a_dropped_message_is_caught() {
    check(4, |records| _ = records.remove(delivery(records, READER, 3)));
}

#[test]
fn a_message_dropped_by_a_filter_that_passes_it_is_caught() {
    check(4, |records| _ = records.remove(delivery(records, FILTERED, 5)));
}

#[test]
fn a_message_dropped_because_a_neighbour_is_ones_own_is_caught() {
    check(4, |records| _ = records.remove(delivery(records, SENDER, 8)));
}

/// Makes the reader's second subscription one that may lose messages, loses one, and tells of `told`.
fn lose(records: &mut [Record], told: u64) {
    let recovery = find(records, |r| r.recovered == Some(true));
    if let Operation::Subscribe { lossy, .. } = &mut recovery.operation {
        *lossy = true;
    }
    let index = delivery(records, READER, 9);
    records[index].operation = Operation::Lagged { count: told };
}

#[test]
fn a_message_given_up_is_no_bug_where_it_is_allowed_and_told() {
    let mut history = good();
    lose(&mut history.records, 1);
    assert_eq!(Checker::judge(&history), []);
}

#[test]
fn a_message_given_up_and_not_told_of_is_caught() {
    check(4, |records| lose(records, 0));
    check(4, |records| lose(records, 2));
}

#[test]
fn swapped_messages_are_caught() {
    let mut history = good();
    let (first, second) = (delivery(&history.records, READER, 2), delivery(&history.records, READER, 3));
    history.records.swap(first, second);
    let checks: Vec<u8> = Checker::judge(&history).iter().map(|violation| violation.check).collect();
    assert!(checks.contains(&5), "{checks:?}");
}

#[test]
fn a_numbering_that_changes_under_a_subscription_is_caught() {
    let mut history = good();
    let index = delivery(&history.records, READER, 5);
    history.records[index].at(2, 1);
    assert!(Checker::judge(&history).iter().any(|violation| violation.check == 5));
}

#[test]
fn a_message_delivered_twice_is_caught() {
    check(6, |records| {
        let index = delivery(records, READER, 3);
        records.insert(index, records[index].clone());
    });
}

#[test]
fn a_message_delivered_again_after_a_recovery_is_caught() {
    check(6, |records| {
        let mut again = records[delivery(records, READER, 5)].clone();
        again.connection = 11;
        records.insert(delivery(records, READER, 6), again);
    });
}

#[test]
fn an_idempotency_key_with_two_places_is_caught() {
    check(6, |records| {
        find(records, |r| r.key == Some(4)).key = Some(3);
    });
}

#[test]
fn a_message_that_nobody_sent_is_caught() {
    check(7, |records| {
        records.retain(|r| r.key != Some(10));
    });
}

#[test]
fn a_message_whose_sender_was_told_that_it_failed_is_caught() {
    check(7, |records| {
        let record = find(records, |r| r.key == Some(10));
        record.outcome = Outcome::Fail;
        record.place = None;
    });
}

#[test]
fn a_message_delivered_before_it_was_sent_is_caught() {
    check(7, |records| {
        let end = records.len() as u64;
        find(records, |r| r.key == Some(10)).invoke = end;
    });
}

#[test]
fn a_message_after_the_subscription_ended_is_caught() {
    check(7, |records| {
        let index = delivery(records, FILTERED, 9);
        let mut end = records[index].clone();
        end.operation = Operation::End;
        records.insert(index, end);
    });
}

#[test]
fn a_lie_about_recovery_is_caught() {
    check(8, |records| _ = records.remove(delivery(records, READER, 7)));
}

#[test]
fn a_recovery_that_replays_nothing_at_all_is_caught() {
    check(8, |records| {
        records.retain(|r| {
            r.connection != 11
                || r.place.is_none_or(|place| !(6..=8).contains(&place.offset))
                || r.operation != Operation::Deliver
        });
    });
}

#[test]
fn a_recovery_across_numberings_is_caught() {
    check(8, |records| {
        let record = find(records, |r| r.recovered == Some(true));
        record.operation = subscribe(None, Some(Place { epoch: 2, offset: 5 }));
    });
}

#[test]
fn a_message_past_a_filter_is_caught() {
    check(9, |records| {
        let mut stray = records[delivery(records, READER, 4)].clone();
        (stray.actor, stray.connection) = (FILTERED, FILTERED);
        records.insert(delivery(records, FILTERED, 5), stray);
    });
}

#[test]
fn an_echo_to_a_sender_who_was_to_be_left_out_is_caught() {
    check(9, |records| {
        let mut stray = records[delivery(records, READER, 7)].clone();
        (stray.actor, stray.connection) = (SENDER, SENDER);
        records.insert(delivery(records, SENDER, 8), stray);
    });
}

#[test]
fn a_ghost_among_the_members_is_caught() {
    check(10, |records| {
        find(records, |r| matches!(r.operation, Operation::Members { .. })).operation =
            Operation::Members { users: vec![6, 7] };
    });
}

#[test]
fn a_member_listed_twice_is_caught() {
    check(10, |records| {
        find(records, |r| matches!(r.operation, Operation::Members { .. })).operation =
            Operation::Members { users: vec![6, 6] };
    });
}

#[test]
fn a_leave_that_is_not_told_is_caught() {
    check(10, |records| records.retain(|r| r.operation != Operation::Told { joined: false }));
}

#[test]
fn a_join_that_is_told_twice_is_caught() {
    check(10, |records| {
        let told = find(records, |r| r.operation == Operation::Told { joined: true }).clone();
        records.push(told);
    });
}

#[test]
fn something_held_at_the_end_is_caught() {
    check(11, |records| {
        if let Some(last) = records.last_mut() {
            last.operation = Operation::Held { count: 4 };
        }
    });
}
