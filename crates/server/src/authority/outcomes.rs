//! How authentications ended, by the code of the refusal: a closed set, whatever clients send.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use fanfare_protocol::ErrorCode;

/// The counts of a node.
#[derive(Default)]
pub(crate) struct Outcomes {
    /// None is for those that were accepted. Changed by authentications, read at scrape.
    counts: Mutex<BTreeMap<Option<ErrorCode>, u64>>,
}

impl Outcomes {
    /// Counts one.
    pub(crate) fn count(&self, refusal: Option<ErrorCode>) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(refusal).or_default() += 1;
    }

    /// All so far, by the word that the metrics have for it.
    pub(crate) fn by_word(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(code, count)| (code.map_or("accepted", ErrorCode::as_str), *count)).collect()
    }
}
