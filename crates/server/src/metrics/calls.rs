//! Calls of the HTTP API, counted and timed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Distribution;

/// Bounds for the time that a call takes, in microseconds.
pub const CALL_BUCKETS_US: &[u64] =
    &[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// The calls of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// How many ended so: `ok`, or the code of the error.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Microseconds from a request's head to its answer.
    pub micros: Distribution,
}

impl Default for Calls {
    fn default() -> Self {
        Self { outcomes: BTreeMap::new(), micros: Distribution::new(CALL_BUCKETS_US) }
    }
}

impl Calls {
    /// Adds the calls of another node.
    pub fn add(&mut self, other: &Calls) {
        super::add_counts(&mut self.outcomes, &other.outcomes);
        self.micros.add(&other.micros);
    }
}

/// The calls of every operation. Written at the end of each call, read at scrape.
#[derive(Debug, Default)]
pub(crate) struct ApiCalls(Mutex<BTreeMap<&'static str, Calls>>);

impl ApiCalls {
    /// Counts a call that has ended.
    pub(crate) fn record(&self, operation: &'static str, outcome: &'static str, took: Duration) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = calls.entry(operation).or_default();
        *calls.outcomes.entry(outcome).or_default() += 1;
        calls.micros.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// So far.
    pub(crate) fn get(&self) -> BTreeMap<&'static str, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
