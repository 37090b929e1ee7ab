//! Notices panics of the server wherever they happen, also on threads and tasks that nobody waits for.

use std::panic;
use std::sync::{Mutex, Once, PoisonError};

static HOOK: Once = Once::new();
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Begins to listen for panics. Those of the tests themselves fail their test anyway.
pub(crate) fn arm() {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let text = info.to_string();
            let of_a_test = info.location().is_some_and(|location| location.file().contains("/tests/"));
            if !of_a_test {
                PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            }
            before(info);
        }));
    });
}

/// Fails when the server has panicked since the process began.
pub(crate) fn assert_silent() {
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(panics.is_empty(), "the server panicked: {panics:#?}");
}
