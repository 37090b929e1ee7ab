//! Heads of requests and responses: no panic, and a head that trickles in is judged like a whole one.

#![no_main]

use fanfare_wire::handshake::{ClientRequest, Request, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    judge_request(data);
    judge_response(data);
    write_request(data);
});

fn judge_request(data: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Request::new(&mut headers);
    if !head.parse(data).is_ok_and(|status| status.is_complete()) {
        return;
    }
    let outcome = check(Request {
        method: head.method.unwrap_or_default(),
        http11_or_newer: head.version == Some(1),
        headers: head.headers.iter().map(|header| (header.name, header.value)),
    });
    match outcome {
        Ok(accepted) => assert_eq!(accepted.accept_key.map_or(0, |key| key.len()), 28),
        Err(refusal) => {
            assert!(matches!(refusal.status(), 400 | 405 | 426), "{refusal}");
            assert_eq!(refusal.status() == 400, refusal.header().is_none(), "{refusal}");
        }
    }
}

fn judge_response(data: &[u8]) {
    let request = ClientRequest::new("host", "/", &["chat"], &[], *b"the sample nonce");
    let whole = request.response(data);
    for end in 0..data.len().min(512) {
        match request.response(&data[..end]) {
            Ok(None) => {}
            Ok(Some(response)) => {
                assert!(response.consumed <= end);
                assert_eq!(Ok(Some(response)), whole, "agreed at {end}");
            }
            // How much of a refusal's body came along may differ.
            Err(error) => {
                let whole = whole.as_ref().expect_err("refused before, so refused now");
                assert_eq!(
                    (error.status(), error.text()),
                    (whole.status(), whole.text()),
                    "refused at {end}"
                );
            }
        }
    }
}

/// Whatever a caller passes, what goes out is one request.
fn write_request(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(4, '|');
    let mut part = || parts.next().unwrap_or_default();
    let request = ClientRequest::new(part(), part(), &[part()], &[("X-Extra", part())], [7; 16]);
    let ends = request.head().windows(4).filter(|window| window == b"\r\n\r\n").count();
    assert_eq!(ends, 1);
    assert!(request.head().ends_with(b"\r\n\r\n"));
    let lines = request.head().iter().filter(|byte| **byte == b'\n').count();
    assert!((8..=9).contains(&lines), "{lines} lines");
}
