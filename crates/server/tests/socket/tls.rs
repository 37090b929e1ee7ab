//! Over TLS: everything that goes without it, and what is TLS's own.

use std::time::Duration;

use fanfare_core::limits::{Deadlines, RateLimits};
use fanfare_core::namespace::Namespace;
use fanfare_server::tls::MinVersion;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ProtocolVersion};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;

use super::limits::{closed_as_slow, finds_why};
use super::support::client::Client;
use super::support::frames::{FIN, TEXT, ask, close, frame, text};
use super::support::neighbour::Neighbour;
use super::support::node::{builder, patient};
use super::support::raw::{HEAD, Raw};
use super::support::tls::{Certificates, TlsNode, Trust, make};
use super::support::{alarm, within};

#[tokio::test]
async fn a_conversation_over_tls_and_its_recovery() {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let kept = Namespace { history_size: 10, ..Namespace::default() };
        let node = TlsNode::start(builder().namespace("kept", kept)).await;
        let trust = Trust::speaking(&node.der, versions);
        let stream = trust.connect(node.address).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(versions[0].version));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut ann = Client::over(stream, "/ws?user=ann").await.unwrap();
        let mut plain = Client::connect(node.node.address, "/ws?user=bob").await;
        let subscribe = json!({"type": "subscribe", "channel": "kept:room"});
        let place = ann.ask(&subscribe, "subscribed").await["epoch"].clone();
        plain.ask(&subscribe, "subscribed").await;
        for n in 1..=3 {
            let speaker = if n % 2 == 0 { &plain } else { &ann };
            speaker.send(&json!({"type": "message", "channel": "kept:room", "data": n}));
            for listener in [&mut ann, &mut plain] {
                let message = listener.expect("message").await;
                assert_eq!((&message["data"], &message["offset"]), (&json!(n), &json!(n)));
            }
        }
        drop(ann);
        plain.send(&json!({"type": "message", "channel": "kept:room", "data": 4}));
        plain.expect("message").await;
        let mut again =
            Client::over(trust.connect(node.address).await.unwrap(), "/ws?user=ann").await.unwrap();
        let recover = json!({"epoch": place, "offset": 3});
        let subscribe = json!({"type": "subscribe", "channel": "kept:room", "recover": recover});
        assert_eq!(again.ask(&subscribe, "subscribed").await["recovered"], true);
        assert_eq!(again.expect("message").await["data"], 4);
        node.stop();
    }
}

/// Larger than any record, and than what is encrypted at a time; in both directions at once.
#[tokio::test]
async fn large_messages_pass_whole() {
    let node = TlsNode::start(builder()).await;
    let mut client = node.connect("/ws?user=ann").await;
    client.ask(&json!({"type": "subscribe", "channel": "room"}), "subscribed").await;
    let sizes = [1, 16_383, 16_384, 16_385, 40_000, 60_000];
    for size in sizes {
        client.send(&json!({"type": "message", "channel": "room", "data": "l".repeat(size)}));
    }
    for size in sizes {
        let message = client.expect("message").await;
        assert_eq!(message["data"].as_str().unwrap().len(), size);
    }
    node.stop();
}

/// Every byte in a record and a segment of its own, and many frames in one record.
#[tokio::test]
async fn records_begin_and_end_anywhere() {
    let node = TlsNode::start(builder().rate_limits(RateLimits::off())).await;
    let mut raw = node.open("/ws").await.unwrap();
    for byte in ask("slow") {
        raw.send(&[byte]).await.unwrap();
        raw.flush().await.unwrap();
    }
    assert_eq!(raw.said().await.unwrap(), "pong slow");
    let many: Vec<u8> = (0..300).flat_map(|n| ask(&n.to_string())).collect();
    raw.send(&many).await.unwrap();
    for n in 0..300 {
        assert_eq!(raw.said().await.unwrap(), format!("pong {n}"));
    }
    node.stop();
}

/// Frames in the same flight as the handshake's last bytes are read by hyper, by rustls, or by nobody yet.
#[tokio::test]
async fn frames_behind_the_request_are_heard() {
    let node = TlsNode::start(builder().rate_limits(RateLimits::off())).await;
    for count in [1, 40, 400] {
        let mut raw = Raw::over(node.trust.connect(node.address).await.unwrap());
        let frames = (0..count).flat_map(|n| ask(&n.to_string()));
        raw.send(&HEAD.bytes().chain(frames).collect::<Vec<u8>>()).await.unwrap();
        assert_eq!(raw.answer().await.unwrap().status, 101);
        for n in 0..count {
            assert_eq!(raw.said().await.unwrap(), format!("pong {n}"));
        }
    }
    node.stop();
}

/// As without TLS: what a stalled reader is owed waits in its outbox and not in records, and its end reaches it.
#[tokio::test]
async fn who_stops_reading_over_tls_is_closed_as_a_slow_consumer() {
    for read_late in [false, true] {
        let close_ms = if read_late { 100 } else { 10_000 };
        let node = TlsNode::start(builder().deadlines(Deadlines { close_ms, ..patient() })).await;
        let mut neighbour = Neighbour::move_in(&node.node, "room").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(node.address).await.unwrap();
        let mut stalled = Raw::over(node.trust.over(stream).await.unwrap());
        stalled.send(HEAD.as_bytes()).await.unwrap();
        assert_eq!(stalled.answer().await.unwrap().status, 101);
        stalled.send(&text(json!({"type": "subscribe", "channel": "room"}).to_string())).await.unwrap();
        assert_eq!(stalled.said().await.unwrap(), "subscribed");
        let filler = "f".repeat(16 * 1024);
        let overflow = async {
            while !closed_as_slow(&node.node).await {
                node.node.publish("room", &json!({"filler": filler})).await;
                neighbour.unmoved(&node.node).await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(5), overflow).await.expect("closed within 5 s");
        if read_late {
            node.node.until_connections(1).await;
        }
        finds_why(stalled).await;
        neighbour.unmoved(&node.node).await.unwrap();
        node.node.until_connections(1).await;
        node.stop();
    }
}

#[tokio::test]
async fn a_version_below_the_oldest_is_refused() {
    let node = TlsNode::start_with(builder(), MinVersion::Tls13, Duration::from_secs(5)).await;
    let old = Trust::speaking(&node.der, &[&TLS12]);
    let error = old.connect(node.address).await.unwrap_err();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    let stream = node.trust.connect(node.address).await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    node.stop();
}

#[tokio::test]
async fn who_forgot_the_s_is_told() {
    let node = TlsNode::start(builder()).await;
    for head in [HEAD, "GET / HTTP/1.0\r\n\r\n", "POST /api/publish HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut raw = Raw::connect(node.address).await.unwrap();
        raw.send(head.as_bytes()).await.unwrap();
        let answer = raw.answer().await.unwrap();
        assert_eq!(answer.summary(), "HTTP 400 bad_handshake");
        assert!(answer.body.contains("https:// or wss://"), "{}", answer.body);
        assert_eq!(raw.said().await.unwrap(), "EOF");
    }
    node.stop();
}

#[tokio::test]
async fn what_is_no_client_hello_ends_the_connection() {
    let node = TlsNode::start(builder()).await;
    let mut neighbour = node.connect("/ws").await;
    let hello = [22, 3, 1, 0, 4, 1, 0, 0, 0];
    let cases: [&[u8]; 8] = [
        &[0; 64],
        &[0xFF; 64],
        &[0x80, 0x2E, 1, 0, 2],
        &hello,
        &[22, 3, 1, 0xFF, 0xFF, 1],
        &[22, 3, 1, 0, 0],
        &[21, 3, 1, 0, 2, 2, 40],
        &[23, 3, 3, 0, 1, 0],
    ];
    for (index, bytes) in cases.into_iter().enumerate() {
        for shut in [false, true] {
            let mut raw = Raw::connect(node.address).await.unwrap();
            raw.send(bytes).await.unwrap();
            if shut {
                raw.shut().await;
            } else if index == 4 {
                // Half of a record that may still come whole.
                continue;
            }
            let mut stream = raw.into_stream();
            let mut rest = Vec::new();
            // An alert, or nothing; a reset is an end too.
            let _ = within("the end", stream.read_to_end(&mut rest)).await.unwrap();
            assert!(rest.is_empty() || rest[0] == 21, "case {index}: {rest:?}");
        }
    }
    neighbour.ask(&json!({"type": "ping"}), "pong").await;
    alarm::assert_silent();
    node.stop();
}

/// One that says nothing, one that says half a hello, one that forgot the `s` and holds the line, one that shakes
/// hands and asks for nothing, and one that asks for half of something: only the last has a question to be answered.
#[tokio::test]
async fn a_handshake_has_its_deadline() {
    let node = TlsNode::start_with(builder(), MinVersion::default(), Duration::from_millis(200)).await;
    for bytes in [&b""[..], &[22, 3, 1, 2, 0, 1, 0], &[22], HEAD.as_bytes()] {
        let mut stream = Raw::connect(node.address).await.unwrap().into_stream();
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let _ = within("the end", stream.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest.starts_with(b"HTTP/1.1 400"), bytes.len() > 100, "{rest:?}");
    }
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let trust = Trust::speaking(&node.der, versions);
        let mut silent = trust.connect(node.address).await.unwrap();
        let mut rest = Vec::new();
        let _ = within("the end", silent.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty(), "{rest:?}");
        let mut late = Raw::over(trust.connect(node.address).await.unwrap());
        late.send(&HEAD.as_bytes()[..20]).await.unwrap();
        assert_eq!(late.answer().await.unwrap().summary(), "HTTP 408 handshake_timeout");
        assert_eq!(late.said().await.unwrap(), "EOF");
    }
    node.stop();
}

/// With TLS's last word and without it, what was asked before is answered, and the server says its own.
#[tokio::test]
async fn an_end_is_an_end_with_and_without_close_notify() {
    let node = TlsNode::start(builder()).await;
    for notify in [true, false] {
        let mut raw = node.open("/ws").await.unwrap();
        raw.send(&ask("last")).await.unwrap();
        raw.flush().await.unwrap();
        if notify {
            raw.shut().await;
        } else {
            socket2::SockRef::from(raw.stream().get_ref().0).shutdown(std::net::Shutdown::Write).unwrap();
        }
        assert_eq!(raw.said().await.unwrap(), "pong last");
        let mut stream = raw.into_stream();
        // Without the server's last word this would be an error.
        assert_eq!(within("the end", stream.read(&mut [0; 16])).await.unwrap().unwrap(), 0);
    }
    let mut raw = node.open("/ws").await.unwrap();
    raw.send(&close(1000, b"")).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "CLOSE 1000");
    let mut stream = raw.into_stream();
    assert_eq!(within("the end", stream.read(&mut [0; 16])).await.unwrap().unwrap(), 0);
    node.node.until_connections(0).await;
    node.stop();
}

/// The last words to a client that broke the protocol come before TLS's own.
#[tokio::test]
async fn a_violation_is_answered_over_tls() {
    let node = TlsNode::start(builder()).await;
    let mut raw = node.open("/ws").await.unwrap();
    raw.send(&frame(FIN | 0xB, "")).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "CLOSE 1002");
    assert_eq!(raw.said().await.unwrap(), "EOF");
    let mut raw = node.open("/ws").await.unwrap();
    raw.send(&frame(TEXT, [0xFF; 8])).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "CLOSE 1007");
    node.stop();
}

/// A record that somebody tampered with ends the connection, and nothing of it is acted on.
#[tokio::test]
async fn a_record_that_was_tampered_with_ends_the_connection() {
    let node = TlsNode::start(builder()).await;
    let raw = node.open("/ws").await.unwrap();
    let (mut socket, _) = raw.into_stream().into_inner();
    let record = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
    socket.write_all(&record).await.unwrap();
    let mut rest = Vec::new();
    let _ = within("the end", socket.read_to_end(&mut rest)).await.unwrap();
    node.node.until_connections(0).await;
    alarm::assert_silent();
    node.stop();
}

#[tokio::test]
async fn a_client_that_comes_back_resumes_and_sends_nothing_early() {
    let node = TlsNode::start(builder()).await;
    let mut config = (*node.trust.0).clone();
    config.enable_early_data = true;
    let trust = Trust(config.into());
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let stream = trust.connect(node.address).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
        assert!(!stream.get_ref().1.is_early_data_accepted());
        // The ticket comes with the first answer.
        let mut client = Client::over(stream, "/ws").await.unwrap();
        client.ask(&json!({"type": "ping"}), "pong").await;
    }
    node.stop();
}

/// Keys are changed within a connection; the answer to that goes out with the next message.
#[tokio::test]
async fn keys_may_be_changed_on_the_way() {
    let node = TlsNode::start(builder()).await;
    let mut raw = node.open("/ws").await.unwrap();
    for n in 0..5 {
        raw.stream_mut().get_mut().1.refresh_traffic_keys().unwrap();
        raw.send(&ask(&n.to_string())).await.unwrap();
        assert_eq!(raw.said().await.unwrap(), format!("pong {n}"));
    }
    node.stop();
}

/// The binary: its pages, its API and its sockets, and a listener without TLS beside them.
#[tokio::test]
async fn everything_is_served_over_tls() {
    let made = make();
    let certificates = Certificates::new(&made);
    let (mut server, address) = certificates.serve().await;
    let root = reqwest::Certificate::from_pem(made.cert.as_bytes()).unwrap();
    let http =
        reqwest::Client::builder().tls_certs_only([root]).resolve("localhost", address).build().unwrap();
    let url = |path: &str| format!("https://localhost:{}{path}", address.port());
    for path in ["/", "/health", "/ready", "/openapi.json"] {
        let answer = http.get(url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let trust = Trust::in_one(&made.der);
    let mut client = Client::over(trust.connect(address).await.unwrap(), "/ws").await.unwrap();
    client.ask(&json!({"type": "subscribe", "channel": "room"}), "subscribed").await;
    let publish = http.post(url("/api/publish")).header("X-API-Key", server.api_key());
    let answer = publish.json(&json!({"channel": "room", "data": "hello"})).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(client.expect("message").await["data"], "hello");
    let mut plain = Client::connect(server.address, "/ws").await;
    plain.ask(&json!({"type": "ping"}), "pong").await;
    server.terminate();
    assert_eq!(client.expect("disconnect").await["code"], 1012);
    client.send_frame(Message::Close(None));
    drop(plain);
    assert_eq!(server.ended().await.code(), Some(0));
}
