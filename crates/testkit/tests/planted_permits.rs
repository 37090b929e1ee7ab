//! The checker's rule of permissions is checked: what is allowed passes, and every planted breach is caught.

use fanfare_testkit::Checker;
use fanfare_testkit::history::{History, Operation, Outcome, Place, Record};

const PUBLISHER: u32 = 0;
const READER: u32 = 1;
const STRANGER: u32 = 2;

fn publish(history: &mut History, offset: u64) -> &mut Record {
    let publish = Operation::Publish { tag: None, echo: true };
    history.add(PUBLISHER, publish, "y").at(1, offset).with(200 + offset)
}

fn subscribe(since: Option<Place>) -> Operation {
    Operation::Subscribe { filter: None, since, lossy: false }
}

/// A reader hears the first message, loses its permission after the second was sent and before it comes, and has it
/// again when it recovers the third, which was sent while it had none.
fn good() -> History {
    let mut history = History::default();
    history.add(READER, Operation::Permit { allowed: true }, "y");
    history.add(READER, subscribe(None), "y").at(1, 0);
    publish(&mut history, 1);
    history.add(READER, Operation::Deliver, "y").at(1, 1).with(201);
    publish(&mut history, 2);
    history.add(READER, Operation::Permit { allowed: false }, "y");
    history.add(READER, Operation::Deliver, "y").at(1, 2).with(202);
    history.add(READER, Operation::End, "y");
    publish(&mut history, 3);
    history.add(READER, Operation::Permit { allowed: true }, "y");
    let since = Place { epoch: 1, offset: 2 };
    history.add(READER, subscribe(Some(since)), "y").by(11).at(1, 3).recovered(true);
    history.add(READER, Operation::Deliver, "y").by(11).at(1, 3).with(203);
    history.add(READER, Operation::Read, "y").by(11).at(1, 2).with(202);
    history
}

fn index(records: &[Record], wanted: impl Fn(&Record) -> bool) -> usize {
    records.iter().position(wanted).unwrap_or_else(|| panic!("no such record"))
}

fn permit(records: &[Record], allowed: bool) -> usize {
    index(records, |record| record.operation == Operation::Permit { allowed })
}

/// Numbers the records anew after some were moved; each of them took no time.
fn renumber(records: &mut [Record]) {
    for (now, record) in records.iter_mut().enumerate() {
        (record.invoke, record.complete) = (now as u64, now as u64);
    }
}

/// Plants a breach: K9 must be broken, and nothing else.
fn check(plant: impl FnOnce(&mut Vec<Record>)) {
    let mut history = good();
    plant(&mut history.records);
    let violations = Checker::judge(&history);
    assert!(!violations.is_empty(), "the breach was not caught");
    for violation in violations {
        assert_eq!(violation.check, 9, "{violation}");
    }
}

#[test]
fn what_was_sent_before_a_revocation_or_recovered_after_it_passes() {
    assert_eq!(Checker::judge(&good()), []);
}

#[test]
fn a_channel_without_permits_is_open() {
    let mut history = good();
    history.records.retain(|record| !matches!(record.operation, Operation::Permit { .. }));
    assert_eq!(Checker::judge(&history), []);
}

#[test]
fn a_permission_for_an_instant_while_the_message_travels_is_enough() {
    let mut history = good();
    let records = &mut history.records;
    let (since, end) = (permit(records, true), permit(records, false));
    records[since].operation = Operation::Permit { allowed: false };
    // Before the second message comes it may for a moment; the first one came while it might not.
    let mut moment = records[end].clone();
    moment.operation = Operation::Permit { allowed: true };
    records.insert(end, moment);
    renumber(records);
    let texts: Vec<String> = Checker::judge(&history).iter().map(ToString::to_string).collect();
    assert!(texts.len() == 1 && texts[0].contains("offset: 1 }"), "{texts:?}");
}

#[test]
fn a_message_sent_and_delivered_after_a_revocation_is_caught() {
    check(|records| {
        let sent = index(records, |record| record.payload == 202);
        let revoked = permit(records, false);
        records.swap(sent, revoked);
        renumber(records);
    });
}

#[test]
fn a_message_sent_after_an_expiry_is_caught_though_the_subscription_goes_on() {
    check(|records| {
        let end = index(records, |record| record.operation == Operation::End);
        records.truncate(end + 2);
        records.remove(end);
        let mut stray = records[index(records, |record| record.payload == 202)].clone();
        stray = Record { operation: Operation::Deliver, actor: READER, connection: READER, ..stray };
        stray.at(1, 3).with(203);
        records.push(stray);
        renumber(records);
    });
}

#[test]
fn a_delivery_before_a_permission_that_comes_too_late_is_caught() {
    check(|records| {
        let late = records.remove(index(records, |record| record.recovered.is_some()) - 1);
        assert_eq!(late.operation, Operation::Permit { allowed: true });
        records.push(late);
        renumber(records);
    });
}

#[test]
fn messages_recovered_by_somebody_who_was_never_allowed_are_caught() {
    check(|records| {
        let recovery = index(records, |record| record.recovered.is_some());
        let mut stray: Vec<Record> = records[recovery..=recovery + 1].to_vec();
        stray.iter_mut().for_each(|record| (record.actor, record.connection) = (STRANGER, 12));
        records.extend(stray);
        renumber(records);
    });
}

#[test]
fn messages_recovered_by_somebody_who_is_no_longer_allowed_are_caught() {
    check(|records| {
        let again = index(records, |record| record.recovered.is_some()) - 1;
        records[again].operation = Operation::Permit { allowed: false };
    });
}

#[test]
fn a_page_of_history_for_somebody_who_is_not_allowed_is_caught() {
    check(|records| {
        let mut page = records[index(records, |record| record.operation == Operation::Read)].clone();
        page.actor = STRANGER;
        records.push(page);
    });
}

/// An attempt that was refused sent nothing: only the one that was carried out counts.
#[test]
fn a_refused_attempt_does_not_make_a_message_older_than_the_revocation() {
    check(|records| {
        let sent = index(records, |record| record.payload == 202);
        let mut refused = records[sent].clone();
        (refused.outcome, refused.place) = (Outcome::Fail, None);
        let revoked = permit(records, false);
        records.swap(sent, revoked);
        records.insert(sent, refused);
        renumber(records);
    });
}
