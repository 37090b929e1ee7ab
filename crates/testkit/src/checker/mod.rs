//! The judge of a history: one set of rules for every run, scripted, simulated or real.
//!
//! | check | rule | where |
//! |---|---|---|
//! | K1 | every acknowledged message reached every subscription that lived to the end and was entitled to it | [`subscriptions`] |
//! | K2 | at the end every acknowledged message within retention is in the history | [`log`] |
//! | K3 | one place never has two payloads | [`log`] |
//! | K4 | consecutive deliveries are adjacent, what the subscription is not entitled to aside | [`subscriptions`] |
//! | K5 | places never go down, and numberings do not change under a subscription | [`subscriptions`] |
//! | K6 | no place comes twice to one subscription; no idempotency key has two places | both |
//! | K7 | nothing is delivered that nobody sent, or whose sender was told that it had failed | [`log`] |
//! | K8 | `recovered` is true only where nothing is missing across the splice | [`subscriptions`] |
//! | K9 | nobody gets what a filter or their own wish excludes | [`subscriptions`] |
//! | K9 | each receiver was allowed at some instant between the publish and the delivery | [`permits`] |
//! | K10 | members at the end are the true ones; every transition was told exactly once | [`ends`] |
//! | K11 | what was held at the beginning is held at the end, and nothing else | [`ends`] |

mod ends;
mod log;
mod permits;
mod subscriptions;

use std::fmt;

use crate::history::History;
use log::Log;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which rule: 1 for K1.
    pub check: u8,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "K{}: {}", self.check, self.text)
    }
}

/// Judges histories.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checker;

impl Checker {
    /// Every broken rule, in the order of the checks; none for a good history.
    pub fn judge(history: &History) -> Vec<Violation> {
        let mut violations = Vec::new();
        let log = Log::read(history, &mut violations);
        log.judge_end(history, &mut violations);
        subscriptions::judge(history, &log, &mut violations);
        permits::judge(history, &log, &mut violations);
        ends::judge(history, &mut violations);
        violations.sort();
        violations
    }
}

fn broken(violations: &mut Vec<Violation>, check: u8, text: String) {
    violations.push(Violation { check, text });
}
