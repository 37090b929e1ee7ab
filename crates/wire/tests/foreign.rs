//! tungstenite and this crate agree on every stream (the allowed differences are listed beside the
//! comparison).

#[path = "support/foreign.rs"]
mod foreign;
#[path = "support/streams.rs"]
mod streams;
mod support;

use fanfare_wire::{Limits, OpCode, Role, encode_close, encode_frame};
use foreign::{check_against_foreign, hear_foreign};
use proptest::prelude::*;
use streams::streams;
use support::{Event, LIMITS};

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn agrees_as_a_server(bytes in streams(Role::Server)) {
        check_against_foreign(Role::Server, &LIMITS, &bytes);
    }

    #[test]
    fn agrees_as_a_client(bytes in streams(Role::Client)) {
        check_against_foreign(Role::Client, &LIMITS, &bytes);
    }

    #[test]
    fn agrees_about_the_message_limit(bytes in streams(Role::Server), max in 125..400usize) {
        let limits = Limits { message_bytes_max: max, fragments_max: u32::MAX };
        check_against_foreign(Role::Server, &limits, &bytes);
    }
}

#[test]
fn understands_what_we_encode() {
    let long = "ü".repeat(40_000);
    let mut bytes = Vec::new();
    encode_frame(&mut bytes, OpCode::Text, long.as_bytes());
    encode_frame(&mut bytes, OpCode::Binary, &[7; 126]);
    encode_frame(&mut bytes, OpCode::Ping, b"?");
    encode_close(&mut bytes, 1001, "later");
    let heard = hear_foreign(Role::Client, &LIMITS, &bytes);
    let expected = [
        Event::Text(long),
        Event::Binary(vec![7; 126]),
        Event::Ping(b"?".to_vec()),
        Event::Close(Some((1001, "later".to_owned()))),
    ];
    assert_eq!((heard.events.as_slice(), heard.error), (expected.as_slice(), None));
}
