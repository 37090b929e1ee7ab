//! What all runs together have come to: for the progress on a terminal and for the verdict.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Counts over all runs. The threads that serve connections add to it once a turn; others only read.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Connections that became ready.
    pub(crate) ready: AtomicU64,
    /// Connections that could not be made.
    pub(crate) unready: AtomicU64,
    /// Connections that the server ended although they did their part.
    pub(crate) ended: AtomicU64,
    /// Deliveries that arrived.
    pub(crate) deliveries: AtomicU64,
    /// Deliveries that were still owed when their run ended.
    pub(crate) lost: AtomicU64,
    /// Publications that the server answered with an error.
    pub(crate) refused: AtomicU64,
    /// The code of the first such error.
    refusal: Mutex<Option<String>>,
}

impl Account {
    /// The server has refused publications with this code.
    pub(crate) fn refuse(&self, count: u64, code: &str) {
        self.refused.fetch_add(count, Relaxed);
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.get_or_insert_with(|| code.to_owned());
    }

    /// What it comes to. `faults` are all faults of all runs, those that are counted here among them.
    pub(crate) fn verdict(&self, faults: u64) -> Verdict {
        let read = |count: &AtomicU64| count.load(Relaxed);
        let (refused, unready, ended) = (read(&self.refused), read(&self.unready), read(&self.ended));
        let (deliveries, lost) = (read(&self.deliveries), read(&self.lost));
        if refused > 0 {
            let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
            return Verdict::Refused { count: refused, code: refusal.clone().unwrap_or_default() };
        }
        match faults {
            // The first cause in this list brings the later ones about.
            1.. if unready > 0 => Verdict::NotConnected { count: unready },
            1.. if ended > 0 => Verdict::Ended { count: ended },
            1.. if lost > 0 => Verdict::Lost { count: lost, of: deliveries + lost },
            1.. => Verdict::Faulty { count: faults },
            0 => Verdict::Sound { deliveries },
        }
    }
}

/// What a bench comes to; as text, one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything arrived once and in order.
    Sound {
        /// How many deliveries that were.
        deliveries: u64,
    },
    /// The server took no connection any more.
    Unreachable {
        /// Why, and where.
        why: String,
    },
    /// The server answered publications with errors.
    Refused {
        /// How many.
        count: u64,
        /// The code of the first error.
        code: String,
    },
    /// Connections could not be made.
    NotConnected {
        /// How many.
        count: u64,
    },
    /// The server ended connections that did their part.
    Ended {
        /// How many.
        count: u64,
    },
    /// Deliveries did not arrive.
    Lost {
        /// How many.
        count: u64,
        /// How many should have arrived.
        of: u64,
    },
    /// Something else is wrong: deliveries were doubled, out of order, or for somebody else.
    Faulty {
        /// How many faults there are.
        count: u64,
    },
}

impl Verdict {
    /// Whether the numbers can be trusted.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        matches!(self, Verdict::Sound { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count: &u64| if *count == 1 { "" } else { "s" };
        match self {
            Verdict::Sound { deliveries: 0 } => f.write_str("every connection stood; nothing was delivered"),
            Verdict::Sound { deliveries } => {
                write!(f, "every delivery arrived, once and in order: {deliveries}")
            }
            Verdict::Unreachable { why } => f.write_str(why),
            Verdict::Refused { count, code } => {
                write!(f, "the server refused {count} message{}: {}", s(count), refusal(code))
            }
            Verdict::NotConnected { count } => write!(f, "{count} connection{} could not be made", s(count)),
            Verdict::Ended { count } => write!(f, "the server ended {count} connection{}", s(count)),
            Verdict::Lost { count, of } => write!(f, "{count} of {of} deliveries were lost"),
            Verdict::Faulty { count } => {
                write!(f, "deliveries were doubled or out of order: {count} fault{}", s(count))
            }
        }
    }
}

/// What an error's code means for who runs a bench.
pub(crate) fn refusal(code: &str) -> &str {
    if code == RATE_LIMITED { "rate limits are on" } else { code }
}

/// The code of a publication above a rate.
pub(crate) const RATE_LIMITED: &str = "rate_limited";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(set: impl FnOnce(&Account), faults: u64, verdict: &str) {
        let account = Account::default();
        set(&account);
        assert_eq!(account.verdict(faults).to_string(), verdict);
    }

    #[test]
    fn the_verdict_names_the_cause_and_not_what_it_brings_about() {
        check(|_| {}, 0, "every connection stood; nothing was delivered");
        check(
            |account| account.deliveries.store(7, Relaxed),
            0,
            "every delivery arrived, once and in order: 7",
        );
        let lose = |account: &Account| {
            account.deliveries.store(7, Relaxed);
            account.lost.store(3, Relaxed);
        };
        check(lose, 1, "3 of 10 deliveries were lost");
        let end = |account: &Account| {
            lose(account);
            account.ended.store(1, Relaxed);
        };
        check(end, 2, "the server ended 1 connection");
        let refuse = |account: &Account| {
            end(account);
            account.refuse(2, RATE_LIMITED);
            account.refuse(1, "overloaded");
        };
        check(refuse, 3, "the server refused 3 messages: rate limits are on");
        check(|_| {}, 4, "deliveries were doubled or out of order: 4 faults");
    }
}
