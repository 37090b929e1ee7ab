//! The server's half of the opening handshake (§4.2), with heads as httparse reads them.

use fanfare_wire::handshake::{Accepted, Refusal, Request, accept_key, check};

/// The example of §1.2.
const GOOD: &[(&str, &str)] = &[
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

fn judge(method: &str, http11_or_newer: bool, headers: &[(&str, &str)]) -> Result<Accepted, Refusal> {
    let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    check(Request { method, http11_or_newer, headers })
}

/// The good request with one header replaced, or removed by an empty list.
fn with(name: &str, values: &[&str]) -> Result<Accepted, Refusal> {
    let mut headers: Vec<(&str, &str)> = GOOD.iter().copied().filter(|(other, _)| *other != name).collect();
    headers.extend(values.iter().map(|value| (name, *value)));
    judge("GET", true, &headers)
}

#[track_caller]
fn refused(outcome: &Result<Accepted, Refusal>, status: u16, code: &str, header: Option<(&str, &str)>) {
    let Err(refusal) = outcome else { panic!("must be refused") };
    assert_eq!((refusal.status(), refusal.code(), refusal.header()), (status, code, header), "{refusal}");
}

#[test]
fn section_1_3_example_key() {
    assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let accepted = judge("GET", true, GOOD).expect("the example of the RFC");
    assert_eq!(accepted.accept_key.as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert!(accepted.subprotocols.is_empty());
}

#[test]
fn header_names_and_tokens_have_any_case_and_company() {
    let headers = [
        ("HOST", "server.example.com"),
        ("UPGRADE", "h2c, WebSocket"),
        ("connection", "keep-alive , UPGRADE"),
        ("sec-websocket-KEY", " dGhlIHNhbXBsZSBub25jZQ== "),
        ("sec-websocket-version", "13"),
        ("content-length", "0"),
        ("origin", "https://example.com"),
    ];
    assert!(judge("GET", true, &headers).is_ok());
    assert!(with("Connection", &["keep-alive", "Upgrade"]).is_ok());
}

#[test]
fn the_host_is_named_once() {
    for values in [&[][..], &["a", "b"], &["a", "a"]] {
        refused(&with("Host", values), 400, "bad_handshake", None);
    }
}

#[test]
fn only_get_over_http_1_1() {
    for method in ["POST", "HEAD", "OPTIONS", "get", "CONNECT", ""] {
        refused(&judge(method, true, GOOD), 405, "method_not_allowed", Some(("allow", "GET")));
    }
    refused(&judge("GET", false, GOOD), 400, "bad_handshake", None);
}

#[test]
fn a_plain_request_is_told_to_upgrade() {
    for values in [&[][..], &[""], &["h2c"], &["websockets"], &["web socket"], &["websocket/13"]] {
        refused(&with("Upgrade", values), 426, "upgrade_required", Some(("upgrade", "websocket")));
    }
    for values in [&[][..], &["keep-alive"], &["close"], &["upgraded"]] {
        refused(&with("Connection", values), 400, "bad_handshake", None);
    }
}

#[test]
fn other_versions_are_told_ours() {
    for values in [&[][..], &["8"], &["12"], &["14"], &["013"], &["13, 8"], &["13.0"], &[""]] {
        let header = Some(("sec-websocket-version", "13"));
        refused(&with("Sec-WebSocket-Version", values), 426, "unsupported_version", header);
    }
    refused(&with("Sec-WebSocket-Version", &["13", "13"]), 400, "bad_handshake", None);
}

#[test]
fn the_key_is_one_and_sixteen_bytes() {
    let good = "dGhlIHNhbXBsZSBub25jZQ==";
    for values in [
        &[][..],
        &[""],
        &[good, good],
        &["dGhlIHNhbXBsZSBub25jZQ"],
        &["dGhlIHNhbXBsZSBub25jZQ="],
        &["dGhlIHNhbXBsZSBub25jZQA="],
        &["dGhlIHNhbXBsZSBub25j_Q=="],
        &["dGhlIHNhbXBs ZSBub25jQ=="],
        &["dGhlIHNhbXBsZSBub25jZQ==AA=="],
        &["dGhlIHNhbXBsZQ=="],
        &["========================"],
    ] {
        refused(&with("Sec-WebSocket-Key", values), 400, "bad_handshake", None);
    }
    assert!(with("Sec-WebSocket-Key", &["AAAAAAAAAAAAAAAAAAAAAB=="]).is_ok(), "spare bits are not looked at");
}

#[test]
fn a_body_would_be_taken_for_frames() {
    refused(&with("Content-Length", &["5"]), 400, "bad_handshake", None);
    refused(&with("Content-Length", &["0", "5"]), 400, "bad_handshake", None);
    refused(&with("Transfer-Encoding", &["chunked"]), 400, "bad_handshake", None);
}

#[test]
fn subprotocols_keep_their_order() {
    let offered =
        |values: &[&str]| with("Sec-WebSocket-Protocol", values).map(|accepted| accepted.subprotocols);
    assert_eq!(offered(&["chat, superchat"]), Ok(vec!["chat".to_owned(), "superchat".to_owned()]));
    assert_eq!(offered(&["b,,a", "c"]), Ok(vec!["b".to_owned(), "a".to_owned(), "c".to_owned()]));
    assert_eq!(offered(&[""]), Ok(Vec::new()));
    for values in [&["a b"][..], &["ok, \"quoted\""], &["a/b"], &["ok", "ä"]] {
        refused(&with("Sec-WebSocket-Protocol", values), 400, "bad_handshake", None);
    }
}

#[test]
fn takes_headers_as_httparse_gives_them() {
    let bytes = b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Request::new(&mut headers);
    assert!(head.parse(bytes).expect("http").is_complete());
    let request = Request {
        method: head.method.unwrap_or_default(),
        http11_or_newer: head.version == Some(1),
        headers: head.headers.iter().map(|header| (header.name, header.value)),
    };
    assert!(check(request).is_ok());
}
