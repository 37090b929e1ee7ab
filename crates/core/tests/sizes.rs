//! What a connection costs.

use fanfare_core::outbox::Chunk;
use fanfare_core::session::Session;

#[test]
fn an_idle_session_is_a_few_cache_lines() {
    let bytes = size_of::<Session>();
    println!("size_of::<Session>() = {bytes}");
    assert!(bytes <= 304, "{bytes} bytes");
}

/// One of these is pushed for every delivery.
#[test]
fn an_entry_of_an_outbox_is_half_a_cache_line() {
    assert_eq!(size_of::<Chunk>(), 32);
}
