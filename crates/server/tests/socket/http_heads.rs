//! Heads that two programs could understand in two ways, and queries and bodies in a form that is not taken. Nginx, HAProxy
//! or a cache in front of the server may have understood the other way.

use std::net::SocketAddr;

use super::support::process::Process;
use super::support::raw::{Answer, Raw};

/// The answer to a request, and whether the connection ended behind it.
async fn asked(address: SocketAddr, request: &str) -> (Answer, bool) {
    let mut raw = Raw::connect(address).await.unwrap();
    raw.send(request.as_bytes()).await.unwrap();
    let answer = raw.answer().await.unwrap_or_else(|error| panic!("{request:?}: {error}"));
    let closes = answer.head.to_ascii_lowercase().contains("connection: close");
    (answer, closes)
}

/// A request without `Host` was served, and so was one with two, whatever the path.
#[tokio::test]
async fn a_request_names_its_host_once() {
    let server = Process::start(&[], 1024).await;
    for path in ["/health", "/ws", "/sse", "/api/channels", "/nothing"] {
        for hosts in
            ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a@b\r\n", "Host: a b\r\n"]
        {
            let request = format!("GET {path} HTTP/1.1\r\n{hosts}\r\n");
            let (answer, closes) = asked(server.address, &request).await;
            assert_eq!(answer.summary(), "HTTP 400 invalid_request", "{request:?}");
            assert!(closes, "{request:?}");
        }
    }
    for good in ["GET /health HTTP/1.0\r\n\r\n", "GET /health HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n"] {
        assert_eq!(asked(server.address, good).await.0.status, 200, "{good:?}");
    }
}

/// `gzip, chunked` was taken for `chunked`, and what was compressed for the message.
#[tokio::test]
async fn a_body_ends_in_one_way_only() {
    let server = Process::start(&[], 1024).await;
    let codings = [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
    ];
    for path in ["/api/publish", "/send", "/nothing"] {
        for coding in codings {
            let request =
                format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
            let (answer, closes) = asked(server.address, &request).await;
            assert_eq!(answer.status, 400, "{request:?}");
            assert!(closes, "{request:?}");
        }
    }
    let good = "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(asked(server.address, good).await.0.summary(), "HTTP 401 unauthorized");
}

/// Bytes that are not UTF-8 were replaced, so that two names which differ became one.
#[tokio::test]
async fn a_query_is_utf8() {
    let server = Process::start(&[], 1024).await;
    let key = server.api_key();
    let queries = [
        (
            "/ws?user=%FF",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ),
        (
            "/ws/rooms?x=%C3%28",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ),
        ("/sse?channels=a%80", ""),
        ("/stream?dialect=%ED%A0%80", ""),
        ("/poll?session=%FF", ""),
        ("/api/history?channel=%FF", "KEY"),
    ];
    for (target, headers) in queries {
        let headers = headers.replace("KEY", &format!("Authorization: Bearer {key}\r\n"));
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let (answer, _) = asked(server.address, &request).await;
        assert_eq!(answer.summary(), "HTTP 400 invalid_request", "{request:?}");
    }
}

/// A compressed body was read as it came, and refused as broken JSON.
#[tokio::test]
async fn a_body_in_an_encoding_is_415_and_told_what_is_taken() {
    let server = Process::start(&[], 1024).await;
    let key = server.api_key();
    let begun = "POST /session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let session: serde_json::Value =
        serde_json::from_str(&asked(server.address, begun).await.0.body).unwrap();
    let session = session["session"].as_str().unwrap();
    for target in ["/api/publish".to_owned(), format!("/send?session={session}")] {
        for encoding in ["gzip", "br", "identity, gzip", "x"] {
            let request = format!(
                "POST {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
                 Content-Encoding: {encoding}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            let (answer, _) = asked(server.address, &request).await;
            assert_eq!(answer.summary(), "HTTP 415 unsupported_media_type", "{request:?}");
            assert!(
                answer.head.to_ascii_lowercase().contains("\r\naccept-encoding: identity\r\n"),
                "{answer:?}"
            );
        }
    }
    let plain = format!(
        "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
         Content-Encoding: identity\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(asked(server.address, &plain).await.0.summary(), "HTTP 400 missing_field");
}
