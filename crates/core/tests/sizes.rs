//! What a connection costs.

use fanfare_core::session::Session;

#[test]
fn an_idle_session_is_a_few_cache_lines() {
    let bytes = size_of::<Session>();
    println!("size_of::<Session>() = {bytes}");
    assert!(bytes <= 256, "{bytes} bytes");
}
