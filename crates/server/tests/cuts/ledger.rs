//! The history of a run, which everyone in it writes.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fanfare_testkit::Checker;
use fanfare_testkit::checker::Violation;
use fanfare_testkit::history::{History, Operation, Place, Record};

/// The history, and who writes it.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<History>);

/// A message as the history knows it.
pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Ledger {
    fn history(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, as the history counts it.
    pub(crate) fn now(&self) -> u64 {
        self.history().records.len() as u64
    }

    /// Writes a record of something that has happened, with its details.
    pub(crate) fn write(
        &self,
        actor: u32,
        operation: Operation,
        channel: &str,
        detail: impl FnOnce(&mut Record),
    ) {
        detail(self.history().add(actor, operation, channel));
    }

    /// Writes that a message was taken, which was begun to be said at `invoke`; `place` where it is known.
    pub(crate) fn published(&self, actor: u32, channel: &str, text: &str, invoke: u64, place: Option<Place>) {
        self.write(actor, Operation::Publish { tag: None, echo: true }, channel, |record| {
            record.invoke = invoke;
            record.place = place;
            record.payload = hash(text);
        });
    }

    /// Every broken rule.
    pub(crate) fn judge(&self) -> Vec<Violation> {
        Checker::judge(&self.history())
    }
}
