//! Idempotency keys: the first result under a key is the result of every repetition.

use std::collections::VecDeque;

use fanfare_protocol::Position;
use foldhash::HashMap;

#[derive(Debug, Default)]
pub(super) struct Idempotency(Option<Box<Keys>>);

/// What a key costs beside its own bytes, which stand twice.
const KEY_BYTES: usize = 96;

fn cost(key: &str) -> usize {
    2 * key.len() + KEY_BYTES
}

#[derive(Debug, Default)]
struct Keys {
    results: HashMap<Box<str>, (Position, u64)>,
    /// In the order they were first used.
    order: VecDeque<Box<str>>,
    bytes: usize,
}

impl Keys {
    fn forget_oldest(&mut self) -> bool {
        let Some(oldest) = self.order.pop_front() else { return false };
        self.results.remove(&oldest);
        self.bytes -= cost(&oldest);
        true
    }
}

impl Idempotency {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |keys| keys.bytes)
    }

    pub(super) fn first_result(&self, key: &str, now_ms: u64) -> Option<Position> {
        let (position, until_ms) = self.0.as_ref()?.results.get(key)?;
        (*until_ms > now_ms).then_some(*position)
    }

    pub(super) fn remember(&mut self, key: Box<str>, position: Position, until_ms: u64, keys_max: usize) {
        let keys = self.0.get_or_insert_default();
        if keys.results.insert(key.clone(), (position, until_ms)).is_some() {
            // An expired key that is used again: it is the youngest now.
            keys.order.retain(|known| *known != key);
        } else {
            keys.bytes += cost(&key);
        }
        keys.order.push_back(key);
        while keys.order.len() > keys_max {
            keys.forget_oldest();
        }
    }

    /// False when there was none.
    pub(super) fn forget_oldest(&mut self) -> bool {
        let Some(keys) = &mut self.0 else { return false };
        let forgot = keys.forget_oldest();
        if keys.order.is_empty() {
            self.0 = None;
        }
        forgot
    }

    pub(super) fn expire(&mut self, now_ms: u64) {
        let Some(keys) = &mut self.0 else { return };
        while let Some(oldest) = keys.order.front() {
            if keys.results.get(oldest).is_some_and(|(_, until_ms)| *until_ms > now_ms) {
                return;
            }
            keys.forget_oldest();
        }
        self.0 = None;
    }
}
