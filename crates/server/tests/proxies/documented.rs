//! The configurations do what the page says.

use super::support::{KEY, KINDS, Kind, Proxy, exchange, serve, status};

/// Asks for a page through a proxy, with the key.
fn page(proxy: &Proxy, path: &str) -> u16 {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nX-API-Key: {KEY}\r\nConnection: close\r\n\r\n");
    status(&exchange(proxy.plain, request.as_bytes()).unwrap())
}

#[test]
fn only_what_is_for_everybody_gets_through() {
    let server = serve(&[]);
    for kind in KINDS {
        let proxy = Proxy::start(kind, server.address(), |text| text);
        for path in ["/api/channels", "/api/", "/api/publish"] {
            assert_eq!(page(&proxy, path), 403, "{kind:?} {path}");
        }
        for path in ["/", "/metrics", "/health", "/ready", "/openapi.json"] {
            assert_eq!(page(&proxy, path), 404, "{kind:?} {path}");
        }
        // What is no upgrade is told so by the server itself, through the proxy.
        assert_eq!(page(&proxy, "/ws"), 426, "{kind:?}");
        for path in ["/session", "/send"] {
            assert_eq!(page(&proxy, path), 405, "{kind:?} {path}");
        }
        for path in ["/sessions", "/sse/", "/pollute", "/stream/x", "/wss"] {
            assert_eq!(page(&proxy, path), 404, "{kind:?} {path}");
        }
    }
}

#[test]
fn a_proxy_says_that_the_server_is_not_there() {
    let server = serve(&[]);
    let address = server.address();
    for (kind, expected) in [(Kind::Nginx, 502), (Kind::Haproxy, 503)] {
        // Nobody listens on port 1 of the loopback.
        let proxy = Proxy::start(kind, address, |text| text.replace(&address.to_string(), "127.0.0.1:1"));
        assert_eq!(page(&proxy, "/ws"), expected, "{kind:?}");
    }
}

/// While the server was started anew an EventSource met 502 or 503, and a browser's gives up for good at these.
#[test]
fn an_event_source_is_told_to_come_again_while_no_server_is_there() {
    let server = serve(&[]);
    let address = server.address();
    for (kind, elsewhere) in [(Kind::Nginx, 502), (Kind::Haproxy, 503)] {
        let proxy = Proxy::start(kind, address, |text| text.replace(&address.to_string(), "127.0.0.1:1"));
        let ask = |path: &str, more: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n{more}Connection: close\r\n\r\n");
            exchange(proxy.plain, head.as_bytes()).unwrap()
        };
        let answer = ask("/sse?channels=a", "");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert_eq!(status(&answer), 200, "{kind:?}: {answer}");
        assert!(head.contains("content-type: text/event-stream"), "{kind:?}: {answer}");
        assert!(body.contains("\nretry: 2000\n\n"), "{kind:?}: {answer}");
        assert!(!head.contains("access-control-allow-origin"), "{kind:?}: {answer}");
        // A browser shows a page of another origin nothing that it may not read, and gives up for that as well.
        let head = ask("/sse?channels=a", "Origin: https://app.example\r\n").to_ascii_lowercase();
        assert!(head.contains("access-control-allow-origin: https://app.example\r\n"), "{kind:?}: {head}");
        assert!(head.contains("access-control-allow-credentials: true\r\n"), "{kind:?}: {head}");
        for path in ["/stream?channels=a", "/poll", "/ws"] {
            assert_eq!(status(&ask(path, "")), elsewhere, "{kind:?} {path}");
        }
    }
}

#[test]
fn without_the_headers_of_the_upgrade_the_server_says_what_is_missing() {
    let server = serve(&[]);
    let upgrade = "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let cases = [
        ("proxy_set_header Upgrade    $fanfare_upgrade;", 426, "upgrade_required"),
        ("proxy_http_version 1.1;", 400, "bad_handshake"),
    ];
    for (missing, expected, code) in cases {
        let proxy = Proxy::start(Kind::Nginx, server.address(), |text| {
            assert!(text.contains(missing), "{missing} is not in the file");
            text.replace(missing, "keepalive_timeout 0;")
        });
        let answer = exchange(proxy.plain, upgrade.as_bytes()).unwrap();
        assert_eq!(status(&answer), expected, "{missing}: {answer}");
        assert!(answer.contains(code), "{missing}: {answer}");
    }
}

#[test]
fn neither_tokens_nor_sessions_are_written_down() {
    let server = serve(&[]);
    let proxy = Proxy::start(Kind::Nginx, server.address(), |text| text);
    assert_eq!(page(&proxy, "/ws?token=the-secret"), 426);
    assert_eq!(page(&proxy, "/poll?session=the-secret"), 410);
    assert_eq!(page(&proxy, "/api/publish?token=the-secret"), 403);
    let log = proxy.access_log();
    for line in ["\"GET /ws\" 426", "\"GET /poll\" 410", "\"GET /api/publish\" 403"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains("the-secret"), "{log}");
}
