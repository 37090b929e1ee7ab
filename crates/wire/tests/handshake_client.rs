//! The client's half of the opening handshake (§4.1).

use fanfare_wire::handshake::{ClientRequest, HandshakeError, RESPONSE_BYTES_MAX, Request, Response, check};

/// Its base64 is the key of the RFC's example, so the accept key is known.
const NONCE: [u8; 16] = *b"the sample nonce";

const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

fn request() -> ClientRequest {
    ClientRequest::new(
        "example.com:8080",
        "/ws?a=b",
        &["chat", "superchat"],
        &[("Origin", "https://x")],
        NONCE,
    )
}

fn judge(head: &str) -> Result<Option<Response>, HandshakeError> {
    request().response(format!("{head}\r\n").as_bytes())
}

#[track_caller]
fn refused(head: &str, status: Option<u16>, text: &str) {
    let Err(error) = judge(head) else { panic!("must be refused") };
    assert_eq!((error.status(), error.text()), (status, text));
}

#[test]
fn the_request_says_what_the_rfc_wants() {
    let request = request();
    let head = std::str::from_utf8(request.head()).expect("ascii");
    assert_eq!(
        head,
        "GET /ws?a=b HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: https://x\r\n\r\n"
    );
}

#[test]
fn nothing_smuggles_in_a_line_of_its_own() {
    let request = ClientRequest::new(
        "host\r\nX-A: 1",
        "p HTTP/1.1\r\nX-B: 1\r\n\r\n",
        &["chat", "a\r\nX-C: 1"],
        &[("X-D\r\nX-E", "1"), ("X-F", "1\r\nX-G: 1\r\n\r\nGET"), ("", "x")],
        NONCE,
    );
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head.parse(request.head()).expect("still one request");
    assert_eq!(parsed, httparse::Status::Complete(request.head().len()));
    assert_eq!(head.path, Some("/pHTTP/1.1X-B:1"));
    let names: Vec<&str> = head.headers.iter().map(|header| header.name).collect();
    let expected = [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
        "X-F",
    ];
    assert_eq!(names, expected);
}

#[test]
fn our_request_opens_our_server() {
    let request = request();
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Request::new(&mut headers);
    assert!(head.parse(request.head()).expect("http").is_complete());
    let accepted = check(Request {
        method: head.method.unwrap_or_default(),
        http11_or_newer: head.version == Some(1),
        headers: head.headers.iter().map(|header| (header.name, header.value)),
    })
    .expect("a handshake");
    assert_eq!(accepted.subprotocols, ["chat", "superchat"]);
    let answer = format!(
        "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {}\r\n\
         sec-websocket-protocol: superchat\r\n\r\n",
        accepted.accept_key.expect("a key")
    );
    let response = request.response(answer.as_bytes()).expect("agreed").expect("complete");
    assert_eq!(response.subprotocol.as_deref(), Some("superchat"));
}

#[test]
fn the_head_ends_where_the_frames_begin() {
    let head = format!("{GOOD}\r\n");
    let received = [head.as_bytes(), &[0x81, 0x00]].concat();
    for end in 0..head.len() {
        assert_eq!(request().response(&received[..end]), Ok(None), "cut at {end}");
    }
    let expected = Response { consumed: head.len(), subprotocol: None };
    assert_eq!(request().response(&received), Ok(Some(expected)));
}

#[test]
fn every_part_of_the_agreement_is_needed() {
    let bad = |from: &str, to: &str| GOOD.replace(from, to);
    refused(&bad("Upgrade: websocket", "Upgrade: h2c"), Some(101), "the answer lacks 'upgrade: websocket'");
    refused(
        &bad("Connection: Upgrade", "Connection: close"),
        Some(101),
        "the answer lacks 'connection: upgrade'",
    );
    let accept = "the answer's accept key is wrong";
    refused(&bad("s3pP", "S3pP"), Some(101), accept);
    refused(&bad("Sec-WebSocket-Accept", "X-Accept"), Some(101), accept);
    refused(&format!("{GOOD}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), Some(101), accept);
    let extension = "the server chose an extension that was not offered";
    refused(&format!("{GOOD}Sec-WebSocket-Extensions: permessage-deflate\r\n"), Some(101), extension);
    let subprotocol = "the server chose a subprotocol that was not offered";
    for chosen in ["other", "Chat", "chat, superchat", "", "chat\r\nSec-WebSocket-Protocol: chat"] {
        refused(&format!("{GOOD}Sec-WebSocket-Protocol: {chosen}\r\n"), Some(101), subprotocol);
    }
}

#[test]
fn a_refusal_carries_its_status_and_the_beginning_of_its_body() {
    let answer = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 13\r\n\r\n{\"code\":\"x\"}\n";
    let error = request().response(answer).expect_err("a refusal");
    assert_eq!((error.status(), error.extract()), (Some(429), "{\"code\":\"x\"}\n"));
    assert_eq!(error.to_string(), "the server refused the upgrade with status 429");
    let long = [&b"HTTP/1.1 500 x\r\n\r\n"[..], &[0xff; 50_000]].concat();
    let error = request().response(&long).expect_err("a refusal");
    assert!(error.extract().chars().count() == 1024);
    refused("HTTP/1.1 200 OK\r\n", Some(200), "the server refused the upgrade");
}

#[test]
fn what_is_not_http_fails_at_once() {
    for bytes in [&b"SSH-2.0-x\r\n"[..], b"\x81\x05hello", b"HTTP/2 101\r\n", b"HTTP/1.1 abc\r\n"] {
        let error = request().response(bytes).expect_err("not http");
        assert_eq!((error.status(), error.text()), (None, "the answer is not http"));
    }
}

#[test]
fn a_head_without_end_is_given_up() {
    let mut endless = GOOD.as_bytes().to_vec();
    endless.extend_from_slice(b"X: ");
    endless.resize(RESPONSE_BYTES_MAX - 1, b'x');
    assert_eq!(request().response(&endless), Ok(None));
    endless.push(b'x');
    assert_eq!(request().response(&endless).expect_err("too long").text(), "the answer's head is too long");
    let many = format!("{GOOD}{}\r\n", "A: b\r\n".repeat(100));
    assert_eq!(
        request().response(many.as_bytes()).expect_err("too many").text(),
        "the answer's head is too long"
    );
}
