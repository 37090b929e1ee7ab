//! What becomes of offers to compress (RFC 7692, section 7.1).

use fanfare_wire::handshake::{DeflateAgreement, MalformedExtensions};
use proptest::prelude::*;

const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn choose(values: &[&str]) -> Result<Option<DeflateAgreement>, MalformedExtensions> {
    DeflateAgreement::choose(values.iter().map(|value| value.as_bytes()))
}

/// The answer to a list of offers; none if all are declined.
fn answer(values: &[&str]) -> Option<String> {
    let Ok(chosen) = choose(values) else { panic!("malformed: {values:?}") };
    chosen.map(|agreement| agreement.answer())
}

fn window_bits(offer: &str) -> u8 {
    let Ok(Some(agreement)) = choose(&[offer]) else { panic!("declined: {offer}") };
    agreement.window_bits()
}

#[test]
fn an_offer_is_accepted_without_context_takeover_in_either_direction() {
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; client_max_window_bits=15",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate;server_no_context_takeover;client_no_context_takeover;client_max_window_bits",
        "  Permessage-Deflate  ;\tclient_max_window_bits = \"12\" ",
    ] {
        assert_eq!(answer(&[offer]).as_deref(), Some(ANSWER), "{offer}");
        assert_eq!(window_bits(offer), 15);
    }
}

#[test]
fn a_bound_on_our_window_is_kept_to_and_said() {
    for bits in 9..=15 {
        for offer in [
            format!("permessage-deflate; server_max_window_bits={bits}"),
            format!("permessage-deflate; server_max_window_bits=\"{bits}\"; client_max_window_bits"),
        ] {
            let expected = format!("{ANSWER}; server_max_window_bits={bits}");
            assert_eq!(answer(&[&offer]), Some(expected), "{offer}");
            assert_eq!(window_bits(&offer), bits);
        }
    }
}

#[test]
fn a_window_in_which_we_cannot_compress_is_declined() {
    assert_eq!(answer(&["permessage-deflate; server_max_window_bits=8"]), None);
}

#[test]
fn an_offer_with_a_parameter_that_is_wrong_is_declined() {
    for parameter in [
        "unknown",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=09",
        "server_max_window_bits=+9",
        "server_max_window_bits=1e1",
        "server_max_window_bits=99999999999999999999",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=010",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits=10; server_max_window_bits=10",
        "Server_No_Context_Takeover=x",
    ] {
        assert_eq!(answer(&[&format!("permessage-deflate; {parameter}")]), None, "{parameter}");
    }
}

#[test]
fn the_first_acceptable_offer_is_chosen() {
    let ten = format!("{ANSWER}; server_max_window_bits=10");
    for values in [
        &["x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=10, permessage-deflate"][..],
        &["permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10"],
        &["permessage-deflate; unknown=\"a\\b\", permessage-deflate; server_max_window_bits=10"],
        &["permessage-bzip2", "permessage-deflate; server_max_window_bits=10", "permessage-deflate"],
        &["", ",, ,", "permessage-deflate; server_max_window_bits=10,"],
    ] {
        assert_eq!(answer(values), Some(ten.clone()), "{values:?}");
    }
    assert_eq!(answer(&[]), None);
    assert_eq!(answer(&["permessage-bzip2, x-other; a=b; c=\"d\\e\""]), None);
}

#[test]
fn a_list_that_is_malformed_fails_the_handshake() {
    for value in [
        "permessage-deflate;",
        "permessage-deflate; =9",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"",
        "permessage-deflate; server_max_window_bits=\"9",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"1 0\"",
        "permessage-deflate; unknown=\"a,b\"",
        "permessage-deflate; server_max_window_bits=\"10\\",
        "permessage-deflate permessage-deflate",
        "permessage-deflate, ; x",
        "permessage-deflate, a/b",
        "permessage-deflate; \u{e9}",
        "; x",
        "=",
    ] {
        assert_eq!(choose(&[value]), Err(MalformedExtensions), "{value}");
    }
    assert_eq!(choose(&["permessage-deflate", "\"quoted\""]), Err(MalformedExtensions));
}

proptest! {
    #[test]
    fn any_header_has_an_answer(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..4)) {
        let _ = DeflateAgreement::choose(values.iter().map(Vec::as_slice));
    }

    #[test]
    fn what_is_agreed_was_offered(
        values in proptest::collection::vec(
            "((permessage-deflate|x-other)(; ?(server_max_window_bits|client_max_window_bits|\
             server_no_context_takeover|client_no_context_takeover|other)(=\"?(8|9|1[0-6])\"?)?){0,4},? ?){0,3}",
            0..3,
        ),
    ) {
        let chosen = choose(&values.iter().map(String::as_str).collect::<Vec<_>>());
        if let Ok(Some(agreement)) = chosen {
            let bits = agreement.window_bits();
            prop_assert!((9..=15).contains(&bits));
            let bound = format!("server_max_window_bits={bits}");
            if agreement.answer().contains(&bound) {
                prop_assert!(values.iter().any(|value| value.replace('"', "").contains(&bound)));
            } else {
                prop_assert_eq!(bits, 15);
            }
        }
    }
}
