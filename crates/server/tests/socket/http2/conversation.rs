//! Clients that talk over HTTP/2, over TLS and without, to each other and to those of HTTP/1.1.

use std::process::{Command, Stdio};
use std::sync::Arc;

use http::{HeaderValue, Request};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::super::support::client::Client;
use super::super::support::node::{TestNode, builder};
use super::super::support::process::Process;
use super::super::support::tls::{Certificates, TlsNode, Trust, make};
use super::super::support::within;
use super::connection::{Connection, handshake};

const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// The same trust, of a client that speaks HTTP/2 as well.
fn speaking_http2(trust: &Trust) -> Trust {
    let mut config = (*trust.0).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Trust(Arc::new(config))
}

async fn talk(mut ann: Client, mut bob: Client, mut old: Client) {
    let subscribe = json!({"type": "subscribe", "channel": "room"});
    for client in [&mut ann, &mut bob, &mut old] {
        client.ask(&subscribe, "subscribed").await;
    }
    let large = "l".repeat(60_000);
    for data in [json!("hello"), json!(large), json!({"n": 1})] {
        ann.send(&json!({"type": "message", "channel": "room", "data": data}));
        for client in [&mut ann, &mut bob, &mut old] {
            assert_eq!(client.expect("message").await["data"], data);
        }
    }
    old.send(&json!({"type": "message", "channel": "room", "data": "from HTTP/1.1"}));
    for client in [&mut ann, &mut bob, &mut old] {
        assert_eq!(client.expect("message").await["data"], "from HTTP/1.1");
    }
}

#[tokio::test]
async fn two_streams_and_a_connection_of_http1_hear_each_other() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let ann = connection.client("/ws?user=ann").await;
    let bob = connection.client("/ws/native").await;
    let old = Client::connect(node.address, "/ws").await;
    assert_eq!(node.node.connections(), 3);
    talk(ann, bob, old).await;
    node.until_connections(0).await;
    node.stop();
}

#[tokio::test]
async fn the_address_without_a_path_is_for_websockets_over_http2_too() {
    let server = Process::start(&[], 1024).await;
    let mut connection = Connection::open(server.address).await;
    let mut client = connection.client("/?dialect=topics&user_id=ann").await;
    assert_eq!(client.expect("welcome").await["userId"], "ann");
}

#[tokio::test]
async fn the_same_over_tls() {
    let node = TlsNode::start(builder()).await;
    let stream = speaking_http2(&node.trust).connect(node.address).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut connection = Connection::over(stream).await;
    let (ann, bob) = (connection.client("/ws").await, connection.client("/ws").await);
    talk(ann, bob, node.connect("/ws").await).await;
    node.stop();
}

#[tokio::test]
async fn a_subprotocol_is_chosen_and_a_dialect_is_spoken() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let offer = handshake("/ws").header("sec-websocket-protocol", "other, fanfare.native.json");
    let (response, _send) = connection.send(offer, false).await.unwrap();
    let response = within("an answer", response).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "fanfare.native.json");
    for absent in ["sec-websocket-accept", "connection", "upgrade", "content-length"] {
        assert!(!response.headers().contains_key(absent), "{absent}");
    }
    node.stop();
}

/// A response without an end is a stream that stays, beside WebSockets and requests.
#[tokio::test]
async fn events_are_streamed_beside_a_websocket() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let (response, send) =
        connection.send(Request::get("http://localhost/sse?channels=room"), true).await.unwrap();
    let response = within("an answer", response).await.unwrap().unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &EVENTS));
    let mut events = response.into_body();
    let subscribed = async {
        while node.node.fanfare().metrics().await.unwrap().subscriptions == 0 {
            tokio::task::yield_now().await;
        }
    };
    within("the subscription", subscribed).await.unwrap();
    let mut client = connection.client("/ws").await;
    client.ask(&json!({"type": "subscribe", "channel": "room"}), "subscribed").await;
    let mut heard = String::new();
    for n in 1..=3 {
        client.send(&json!({"type": "message", "channel": "room", "data": format!("number {n}")}));
        client.expect("message").await;
        while !heard.contains(&format!("number {n}")) {
            let bytes = within("an event", events.data()).await.unwrap().unwrap().unwrap();
            events.flow_control().release_capacity(bytes.len()).unwrap();
            heard.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
    node.until_connections(2).await;
    drop((events, send));
    node.until_connections(1).await;
    node.stop();
}

/// As many small frames in one go as a stream may have unread: the library counts what they cost it until they are read.
#[tokio::test]
async fn a_burst_of_small_messages_is_answered_to_the_last() {
    const MESSAGES: usize = 5_000;
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let mut client = connection.client("/ws").await;
    for n in 0..MESSAGES {
        client.send(&json!({"type": "ping", "id": n.to_string()}));
    }
    for n in 0..MESSAGES {
        assert_eq!(client.expect("pong").await["id"], n.to_string());
    }
    node.stop();
}

/// What curl prints: the body, the version and the status, in lines.
async fn curl(arguments: &[&str]) -> (Value, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--write-out", "\\n%{http_version} %{http_code}"]);
    command.args(arguments).stdin(Stdio::null());
    let output = within("curl", spawn_blocking(move || command.output())).await.unwrap().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let (body, outcome) = said.rsplit_once('\n').unwrap();
    (serde_json::from_str(body).unwrap_or(Value::Null), outcome.to_owned())
}

/// The binary, by prior knowledge without TLS and by agreement over it; a listener that was told to does not.
#[tokio::test]
async fn curl_uses_the_api_over_http2() {
    let made = make();
    let certificates = Certificates::new(&made);
    let (cert, key) = (certificates.cert(), certificates.key());
    let mut settings = vec![
        ("FANFARE_TLS_LISTEN", "127.0.0.1:0"),
        ("FANFARE_TLS_CERT_FILE", cert.to_str().unwrap()),
        ("FANFARE_TLS_KEY_FILE", key.to_str().unwrap()),
    ];
    let server = Process::start(&settings, 1024).await;
    let port = server.tls_address.unwrap().port();
    let (plain, safe) = (format!("http://{}", server.address), format!("https://localhost:{port}"));
    let header = format!("X-API-Key: {}", server.api_key());
    let resolve = format!("localhost:{port}:127.0.0.1");
    let roads: [(&str, &[&str]); 2] = [
        (&plain, &["--http2-prior-knowledge"]),
        (&safe, &["--http2", "--resolve", &resolve, "--cacert", cert.to_str().unwrap()]),
    ];
    for (base, how) in roads {
        let publish = format!("{base}/api/publish");
        let body = r#"{"channel":"room","data":"hello"}"#;
        let more = ["--header", "Content-Type: application/json", "--data", body, &publish];
        let (answer, outcome) = curl(&[how, &["--header", &header], &more].concat()).await;
        assert_eq!(outcome, "2 200", "{answer}");
        assert!(answer["offset"].is_u64(), "{answer}");
        let (answer, outcome) = curl(&[how, &more].concat()).await;
        assert_eq!((outcome.as_str(), &answer["error"]["code"]), ("2 401", &json!("unauthorized")));
        let (_, outcome) = curl(&[how, &[&format!("{base}/health")]].concat()).await;
        assert_eq!(outcome, "2 200");
        let (answer, outcome) = curl(&[how, &[&format!("{base}/nowhere")]].concat()).await;
        assert_eq!((outcome.as_str(), &answer["error"]["code"]), ("2 404", &json!("not_found")));
    }
    settings.push(("FANFARE_NETWORK_HTTP2", "false"));
    let server = Process::start(&settings, 1024).await;
    let port = server.tls_address.unwrap().port();
    let resolve = format!("localhost:{port}:127.0.0.1");
    let health = format!("https://localhost:{port}/health");
    let (_, outcome) =
        curl(&["--http2", "--resolve", &resolve, "--cacert", cert.to_str().unwrap(), &health]).await;
    assert_eq!(outcome, "1.1 200");
}
