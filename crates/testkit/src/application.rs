//! An application whose handlers answer when the test says so.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fanfare_core::ports::application::{Application, Call, Peer};

/// Has the methods `work` and `more` and the message type `move`; keeps every call until it is answered.
#[derive(Debug, Default)]
pub struct ScriptedApplication {
    calls: Mutex<VecDeque<Call>>,
    gone: Mutex<Vec<Peer>>,
}

impl ScriptedApplication {
    /// The oldest call that is unanswered.
    pub fn pop_call(&self) -> Option<Call> {
        lock(&self.calls).pop_front()
    }

    /// How many calls are unanswered.
    pub fn waiting(&self) -> usize {
        lock(&self.calls).len()
    }

    /// The connections it was told have gone, in order, since it was last asked.
    pub fn take_gone(&self) -> Vec<Peer> {
        std::mem::take(&mut lock(&self.gone))
    }
}

impl Application for ScriptedApplication {
    fn has_method(&self, method: &str) -> bool {
        matches!(method, "work" | "more")
    }

    fn has_message_type(&self, kind: &str) -> bool {
        kind == "move"
    }

    fn call(&self, call: Call) {
        lock(&self.calls).push_back(call);
    }

    fn disconnected(&self, peer: Peer) {
        lock(&self.gone).push(peer);
    }
}

/// Locks, whatever a test that failed has left behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
