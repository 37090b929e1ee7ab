//! Heads of requests that are no handshake, or nearly one, or one in a strange spelling.

use std::sync::Arc;

use super::support::case::{Case, Start, Step, judge};
use super::support::frames::{FIN, PING, ask, frame, text, unmasked};
use super::support::node::{TestNode, builder};
use super::support::raw::{HEAD, Raw};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The good head with one change.
fn with(from: &str, to: &str) -> Vec<u8> {
    assert!(HEAD.contains(from), "the head has no {from:?}");
    HEAD.replacen(from, to, 1).into_bytes()
}

/// The good head with a header more.
fn and(header: &str) -> Vec<u8> {
    with("\r\n\r\n", &format!("\r\n{header}\r\n\r\n"))
}

fn one(name: &str, head: Vec<u8>, expected: &str) -> Case {
    Case::new(name, vec![head], &[expected])
}

fn refused() -> Vec<Case> {
    let bad = "HTTP 400 bad_handshake";
    let upgrade = "HTTP 426 upgrade_required";
    let version = "HTTP 426 unsupported_version";
    let with_key = |key: &str| with(KEY, key);
    let with_version = |version: &str| with("Version: 13", version);
    vec![
        one("no upgrade", with("Upgrade: websocket\r\n", ""), upgrade),
        one("upgrade to something else", with("Upgrade: websocket", "Upgrade: h2c"), upgrade),
        one("nearly the right upgrade", with("Upgrade: websocket", "Upgrade: websockets"), upgrade),
        one("no connection", with("Connection: Upgrade\r\n", ""), bad),
        one("connection: close", with("Connection: Upgrade", "Connection: close"), bad),
        one("no version", with("Sec-WebSocket-Version: 13\r\n", ""), version),
        one("version 8", with_version("Version: 8"), version),
        one("version 14", with_version("Version: 14"), version),
        one("version 013", with_version("Version: 013"), version),
        one("a list of versions", with_version("Version: 13, 8"), version),
        one("version twice", and("Sec-WebSocket-Version: 13"), bad),
        one("no key", with(&format!("Sec-WebSocket-Key: {KEY}\r\n"), ""), bad),
        one("empty key", with_key(""), bad),
        one("key twice", and(&format!("Sec-WebSocket-Key: {KEY}")), bad),
        one("short key", with_key("dGhlIHNhbXBsZSBub25j"), bad),
        one("long key", with_key("dGhlIHNhbXBsZSBub25jZSBvZiAyNCBieXRl"), bad),
        one("key that is no base64", with_key("dGhlIHNhb*BsZSBub25jZQ=="), bad),
        one("key without padding", with_key("dGhlIHNhbXBsZSBub25jZQ"), bad),
        one("POST", with("GET", "POST"), "HTTP 405 method_not_allowed"),
        one("PUT", with("GET", "PUT"), "HTTP 405 method_not_allowed"),
        one("DELETE", with("GET", "DELETE"), "HTTP 405 method_not_allowed"),
        one("an invented method", with("GET", "FANFARE"), "HTTP 405 method_not_allowed"),
        one("a method in lower case", with("GET", "get"), "HTTP 405 method_not_allowed"),
        one("HTTP/1.0", with("HTTP/1.1", "HTTP/1.0"), bad),
        one("a body of known length", [and("Content-Length: 5"), b"hello".to_vec()].concat(), bad),
        one("a body in chunks", and("Transfer-Encoding: chunked"), bad),
        one("a body both ways", and("Transfer-Encoding: chunked\r\nContent-Length: 3"), bad),
        one("a subprotocol that is no token", and("Sec-WebSocket-Protocol: a/b c"), bad),
        one("no host", with("Host: localhost\r\n", ""), "HTTP 400 invalid_request"),
        one("two hosts", and("Host: elsewhere"), "HTTP 400 invalid_request"),
    ]
}

fn addressed() -> Vec<Case> {
    let path = |path: &str| with("/ws", path);
    let dialect = "HTTP 400 unknown_dialect";
    let user = "HTTP 400 invalid_field";
    let long = "x".repeat(256);
    vec![
        one("absolute form", path("http://localhost/ws"), "HTTP 101"),
        one("absolute form of elsewhere", path("http://elsewhere:1/ws?x=1"), "HTTP 101"),
        one("a dialect in the path", path("/ws/native"), "HTTP 101"),
        one("an unknown dialect in the path", path("/ws/nothing"), dialect),
        one("an unknown dialect in the query", path("/ws?dialect=%1b%5b31m"), dialect),
        one("a long unknown dialect", path(&format!("/ws/{}", "d".repeat(9_000))), dialect),
        one("a subprotocol of ours", and("Sec-WebSocket-Protocol: fanfare.native.json"), "HTTP 101"),
        one("a later one of ours", and("Sec-WebSocket-Protocol: x, fanfare.native.json"), "HTTP 101"),
        one("a subprotocol of others", and("Sec-WebSocket-Protocol: graphql-ws"), "HTTP 101"),
        one("an unknown one of ours", and("Sec-WebSocket-Protocol: fanfare.nothing"), dialect),
        one("a user", path("/ws?user=ann"), "HTTP 101"),
        one("an empty user", path("/ws?user="), user),
        one("a user with a control character", path("/ws?user=a%00b"), user),
        one("a user with a line break", path("/ws?user=a%0d%0aX-Injected:%201"), user),
        one("a long user", path(&format!("/ws?user={long}")), user),
        one("nothing is there", path("/nothing"), "HTTP 404"),
        one("a path that climbs", path("/ws/../../etc/passwd"), "HTTP 400 unknown_dialect"),
    ]
}

fn spelled() -> Vec<Case> {
    let upper =
        HEAD.replace("Upgrade: websocket", "UPGRADE: WEBSOCKET").replace("Connection: U", "CONNECTION: U");
    let lower = HEAD.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) if name != "Sec-WebSocket-Key" => format!("{name}: {value}").to_ascii_lowercase(),
        _ => line.to_owned(),
    });
    let lower: String = lower.map(|line| line + "\r\n").collect();
    let good = [
        ("upper case", upper.into_bytes()),
        ("lower case", lower.into_bytes()),
        ("a connection list", with("Connection: Upgrade", "Connection: keep-alive, Upgrade")),
        ("a connection list without spaces", with("Connection: Upgrade", "Connection:keep-alive,,upgrade")),
        ("connection twice", with("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade")),
        ("upgrade twice", and("Upgrade: websocket")),
        ("an upgrade list", with("Upgrade: websocket", "Upgrade: h2c, websocket")),
        ("an empty body", and("Content-Length: 0")),
        ("extensions that nobody knows", and("Sec-WebSocket-Extensions: foo; bar=1, permessage-deflate")),
        ("an empty line first", [b"\r\n".to_vec(), HEAD.into()].concat()),
        ("fifty headers", and(&vec!["X-Filler: 1"; 50].join("\r\n"))),
        ("a header of 16 KiB", and(&format!("X-Filler: {}", "f".repeat(16 * 1024)))),
        ("a header that is no UTF-8", [&with("\r\n\r\n", "\r\nX-Bytes: ")[..], b"\xFF\xFE\r\n\r\n"].concat()),
    ];
    good.into_iter().map(|(name, head)| one(name, head, "HTTP 101")).collect()
}

fn not_http() -> Vec<Case> {
    let bad = "HTTP 400";
    vec![
        one("prose", b"hello, is anybody there?\r\n\r\n".to_vec(), bad),
        one("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03".to_vec(), bad),
        one("zeroes", vec![0; 64], bad),
        one("a space before the colon", and("X-Bad : 1"), bad),
        one("a header without a colon", and("X-Bad"), bad),
        one("a header with a zero", and("X-Bad: a\0b"), bad),
        one("two lengths", and("Content-Length: 1\r\nContent-Length: 2"), bad),
        one("a length that is no number", and("Content-Length: -1"), bad),
        one("a header too large", and(&format!("X-Filler: {}", "f".repeat(64 * 1024))), "HTTP 431"),
        one("too many headers", and(&vec!["X-Filler: 1"; 500].join("\r\n")), "HTTP 431"),
        one("a path too long", with("/ws", &format!("/{}", "p".repeat(70_000))), "HTTP 431"),
    ]
}

/// Bytes behind the head: of a connection that is accepted they are its first frames, and of one that is
/// refused they are nothing at all.
fn early() -> Vec<Case> {
    let behind = |bytes: Vec<u8>| [HEAD.as_bytes(), &bytes].concat();
    let split_at = behind(ask("split")).len() - 9;
    let (head, tail) = (behind(ask("split"))[..split_at].to_vec(), behind(ask("split"))[split_at..].to_vec());
    let refused = [with("Upgrade: websocket\r\n", ""), ask("never")].concat();
    let two = [with("Version: 13", "Version: 7"), HEAD.into()].concat();
    let plain = [&b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], HEAD.as_bytes()].concat();
    let large =
        HEAD.replacen("GET", "POST", 1).replacen("\r\n\r\n", "\r\nContent-Length: 1048576\r\n\r\n", 1);
    let large = [large.as_bytes(), &vec![b'x'; 1 << 20]].concat();
    let many: Vec<u8> = (0..200).flat_map(|_| frame(FIN | PING, "x")).collect();
    let pongs = vec!["PONG x"; 200];
    vec![
        Case::new("a frame behind the head", vec![behind(ask("early"))], &["HTTP 101", "pong early"]),
        Case::new("half a frame behind the head", vec![head, tail], &["HTTP 101", "pong split"]),
        Case::new("many behind the head", vec![behind(many)], &[&["HTTP 101"], &pongs[..]].concat()),
        Case::new(
            "unmasked behind the head",
            vec![behind(unmasked(FIN | PING, b""))],
            &["HTTP 101", "CLOSE 1002"],
        ),
        Case::new("a second request", vec![behind(HEAD.into())], &["HTTP 101", "CLOSE 1002"]),
        Case::new("a frame behind a refused head", vec![refused], &["HTTP 426 upgrade_required"]),
        Case::new("a good head behind a refused one", vec![two], &["HTTP 426 unsupported_version"]),
        Case::new("not JSON behind the head", vec![behind(text("{"))], &["HTTP 101", "error invalid_json"]),
        Case::new("a request before the handshake", vec![plain], &["HTTP 404", "HTTP 101"]),
        one("a body of 1 MiB that nobody reads", large, "HTTP 405 method_not_allowed"),
        Case::new("byte by byte", HEAD.bytes().map(|byte| vec![byte]).collect(), &["HTTP 101"]),
        Case::new("the end instead of a head", vec![], &[]).then(Step::Reset),
        Case::new("a reset within the head", vec![HEAD.as_bytes()[..40].to_vec()], &[]).then(Step::Reset),
        Case::new("a reset behind the head", vec![HEAD.into()], &[]).then(Step::Reset),
    ]
}

#[tokio::test]
async fn heads_are_accepted_or_refused_with_a_status_and_a_code() {
    let node = Arc::new(TestNode::start(builder()).await);
    let cases = [refused(), addressed(), spelled(), not_http(), early()];
    judge(&node, Start::Connected, cases.into_iter().flatten().collect()).await;
}

#[tokio::test]
async fn refusals_name_the_version_the_upgrade_and_the_method_that_would_do() {
    let node = TestNode::start(builder()).await;
    for (head, wanted) in [
        (with("Version: 13", "Version: 8"), "sec-websocket-version: 13"),
        (with("Upgrade: websocket\r\n", ""), "upgrade: websocket"),
        (with("GET", "POST"), "allow: GET"),
    ] {
        let mut raw = Raw::connect(node.address).await.unwrap();
        raw.send(&head).await.unwrap();
        let answer = raw.answer().await.unwrap();
        assert!(answer.head.contains(wanted), "{} lacks {wanted}", answer.head);
        assert!(answer.head.contains("close"), "{} lets the client go on", answer.head);
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    }
    node.stop();
}
