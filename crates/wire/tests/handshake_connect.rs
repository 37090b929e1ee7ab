//! The server's half of the opening handshake within HTTP/2 (RFC 8441).

use fanfare_wire::handshake::{Accepted, ExtendedConnect, Refusal, check_connect};

/// The example of RFC 8441 §5.1, without extensions.
const GOOD: &[(&str, &str)] = &[
    ("sec-websocket-protocol", "chat, superchat"),
    ("sec-websocket-version", "13"),
    ("origin", "http://www.example.com"),
];

const AUTHORITY: Option<&str> = Some("server.example.com");

fn judge(
    method: &str,
    protocol: Option<&str>,
    authority: Option<&str>,
    headers: &[(&str, &str)],
) -> Result<Accepted, Refusal> {
    let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    check_connect(ExtendedConnect { method, protocol, authority, headers })
}

/// The good request with one header replaced or added, or removed by an empty list.
fn with(name: &str, values: &[&str]) -> Result<Accepted, Refusal> {
    let mut headers: Vec<(&str, &str)> = GOOD.iter().copied().filter(|(other, _)| *other != name).collect();
    headers.extend(values.iter().map(|value| (name, *value)));
    judge("CONNECT", Some("websocket"), AUTHORITY, &headers)
}

#[track_caller]
fn refused(outcome: &Result<Accepted, Refusal>, status: u16, code: &str, header: Option<(&str, &str)>) {
    let Err(refusal) = outcome else { panic!("must be refused") };
    assert_eq!((refusal.status(), refusal.code(), refusal.header()), (status, code, header), "{refusal}");
}

#[test]
fn section_5_1_example() {
    let accepted = judge("CONNECT", Some("websocket"), AUTHORITY, GOOD).expect("the example of the RFC");
    assert_eq!(accepted.accept_key, None);
    assert_eq!(accepted.subprotocols, ["chat", "superchat"]);
}

#[test]
fn neither_key_nor_upgrade_is_asked_for_and_a_key_is_passed_over() {
    assert!(with("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ=="]).is_ok());
    assert!(with("sec-websocket-key", &["nonsense", "twice"]).is_ok());
    assert!(judge("CONNECT", Some("WebSocket"), AUTHORITY, GOOD).is_ok(), "a token in any case");
    assert!(with("content-length", &["0"]).is_ok());
}

#[test]
fn only_connect_to_websocket() {
    for method in ["GET", "POST", "connect", ""] {
        let outcome = judge(method, Some("websocket"), AUTHORITY, GOOD);
        refused(&outcome, 405, "method_not_allowed", Some(("allow", "CONNECT")));
    }
    for protocol in [None, Some(""), Some("websockets"), Some("connect-udp"), Some("websocket ")] {
        refused(&judge("CONNECT", protocol, AUTHORITY, GOOD), 501, "unsupported_protocol", None);
    }
}

#[test]
fn the_host_is_named_once() {
    assert!(with("host", &["Server.Example.com"]).is_ok(), "the same as the authority");
    for hosts in [&["other.example.com"][..], &["server.example.com", "server.example.com"]] {
        refused(&with("host", hosts), 400, "bad_handshake", None);
    }
    let without_authority = |headers: &[(&str, &str)]| judge("CONNECT", Some("websocket"), None, headers);
    refused(&without_authority(GOOD), 400, "bad_handshake", None);
    assert!(without_authority(&[GOOD, &[("host", "server.example.com")]].concat()).is_ok());
}

#[test]
fn other_versions_are_told_ours() {
    for values in [&[][..], &["8"], &["013"], &["13, 8"], &[""]] {
        let header = Some(("sec-websocket-version", "13"));
        refused(&with("sec-websocket-version", values), 426, "unsupported_version", header);
    }
    refused(&with("sec-websocket-version", &["13", "13"]), 400, "bad_handshake", None);
}

#[test]
fn what_would_be_read_as_something_else_is_refused() {
    refused(&with("content-length", &["5"]), 400, "bad_handshake", None);
    refused(&with("transfer-encoding", &["chunked"]), 400, "bad_handshake", None);
    refused(&with("sec-websocket-protocol", &["a b"]), 400, "bad_handshake", None);
}
