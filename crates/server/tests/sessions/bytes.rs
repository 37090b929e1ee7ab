//! What matters at the socket: old clients, pipelined requests, TLS, somebody else's server.

use fanfare_protocol::{ChannelName, Payload};
use fanfare_server::handle::Message;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::client::{Down, Form, Session, request};
use super::support::node::{TestNode, builder};
use super::support::raw::Raw;
use super::support::tls::TlsNode;
use super::support::{alarm, within};

async fn answered(node: &TestNode, form: Form, sent: &str) -> Down {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    Down::answered(stream, form).await.ok().unwrap()
}

#[tokio::test]
async fn a_response_without_an_end_has_a_head_that_nobody_keeps_back() {
    let node = TestNode::start(builder()).await;
    for (form, path, kind) in
        [(Form::Events, "/sse", "text/event-stream"), (Form::Lines, "/stream", "application/x-ndjson")]
    {
        for line in [
            "HTTP/1.0\r\nHost: localhost\r\n",
            "HTTP/1.1\r\nHost: localhost\r\n",
            "HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n",
        ] {
            let mut down = answered(&node, form, &format!("GET {path}?channels=a {line}\r\n")).await;
            assert!(down.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", down.head);
            for wanted in [
                format!("content-type: {kind}\r\n"),
                "cache-control: no-cache, no-transform\r\n".to_owned(),
                "x-accel-buffering: no\r\n".to_owned(),
                "x-content-type-options: nosniff\r\n".to_owned(),
                "connection: close\r\n".to_owned(),
            ] {
                assert_eq!(down.head.matches(&wanted).count(), 1, "{wanted} in {}", down.head);
            }
            assert!(!down.head.contains("content-length") && !down.head.contains("transfer-encoding"));
            assert_eq!(down.next().await.unwrap().data["type"], "subscribed");
            node.publish("a", &json!(1)).await;
            assert_eq!(down.next().await.unwrap().data["data"], 1, "{line}");
        }
        let head =
            request(node.address, &format!("HEAD {path}?channels=a"), "Connection: close\r\n", b"").await;
        assert_eq!(head.status, 200);
        assert!(head.head.contains(kind), "{}", head.head);
    }
    node.stop();
}

/// What is asked before on the same connection is answered before; what is sent behind is nobody's business.
#[tokio::test]
async fn requests_before_it_are_answered_and_bytes_behind_it_are_not_looked_at() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    let host = "HTTP/1.1\r\nHost: localhost\r\n";
    let message = r#"{"type":"subscribe","channel":"a"}"#;
    let sent = format!(
        "POST /send?session={0} {host}Content-Length: {1}\r\n\r\n{message}GET /stream?session={0} {host}\r\n\
         POST /send?session={0} {host}Content-Length: {1}\r\n\r\n{message}",
        session.pass,
        message.len()
    );
    let mut raw = Raw::connect(node.address).await.unwrap();
    raw.send(sent.as_bytes()).await.unwrap();
    let answer = raw.answer().await.unwrap();
    assert_eq!((answer.status, &*answer.body), (202, r#"{"taken":1}"#));
    assert_eq!(raw.answer().await.unwrap().status, 200);
    node.publish("a", &json!(1)).await;
    let mut carried = session.carry(super::client::Transport::Poll, 1).await;
    assert_eq!(carried.expect("message").await["data"], 1, "the second subscribe was not taken");
    node.stop();
}

/// A body may come with the request, and is not taken for messages.
#[tokio::test]
async fn a_body_of_the_request_is_left_alone() {
    let node = TestNode::start(builder()).await;
    let sent = "GET /sse?channels=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let mut down = answered(&node, Form::Events, sent).await;
    assert_eq!(down.next().await.unwrap().data["type"], "subscribed");
    node.stop();
}

#[tokio::test]
async fn a_client_that_hangs_up_at_once_leaves_nothing_behind() {
    let node = TestNode::start(builder()).await;
    for path in ["/sse?channels=a", "/stream?channels=a"] {
        for reset in [false, true] {
            for _ in 0..20 {
                let mut raw = Raw::connect(node.address).await.unwrap();
                raw.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
                if reset {
                    raw.reset();
                }
            }
        }
    }
    // Some are not counted yet: one that comes now is counted after them on each shard.
    for _ in 0..4 {
        request(node.address, "GET /poll?session=x", "", b"").await;
    }
    node.until_connections(0).await;
    node.stop();
}

#[tokio::test]
async fn the_same_comes_over_tls() {
    let node = TlsNode::start(builder()).await;
    for form in [Form::Events, Form::Lines] {
        let stream = node.trust.connect(node.address).await.unwrap();
        let rest = "channels=a HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut down = Down::over(stream, form, rest).await.ok().unwrap();
        assert_eq!(down.next().await.unwrap().data["type"], "subscribed");
        let long = "x".repeat(60_000);
        for n in 0..50 {
            node.node.publish("a", &json!({"n": n, "text": long})).await;
            assert_eq!(down.next().await.unwrap().data["data"]["n"], n);
        }
        drop(down);
        node.node.until_connections(0).await;
    }
    node.stop();
}

/// Where somebody else's server has the socket, the body carries the same bytes.
#[tokio::test]
async fn in_somebody_elses_server_it_is_a_body_like_any_other() {
    alarm::arm();
    let node = builder().start().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router: axum::Router = node.router();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let session = Session::begin(address, "").await;
    session.say(json!({"type": "subscribe", "channel": "a"})).await;
    let room = ChannelName::new("a").unwrap();
    let mut seen = 0;
    for form in [Form::Events, Form::Lines] {
        let query = format!("session={}&seen={seen}", session.pass);
        let mut down = Down::open(address, form, &query, "").await.ok().unwrap();
        assert!(down.head.contains("transfer-encoding: chunked"), "{}", down.head);
        if seen == 0 {
            assert_eq!(down.next().await.unwrap().data["type"], "subscribed");
            seen += 1;
        }
        let long = "x".repeat(60_000);
        for n in 0..50 {
            let data = Payload::Json(json!({"n": n, "text": long}).to_string().into());
            node.fanfare().publish(room.clone(), Message::new(data)).await.unwrap();
            assert_eq!(down.next().await.unwrap().data["data"]["n"], n);
            seen += 1;
        }
    }
    let mut down = Down::open(address, Form::Events, "channels=a", "").await.ok().unwrap();
    down.next().await.unwrap();
    drop(down);
    session.end().await;
    let gone = async {
        while node.connections() != 0 {
            tokio::task::yield_now().await;
        }
    };
    within("everyone to be gone", gone).await.unwrap();
    serving.abort();
    node.stop();
    alarm::assert_silent();
}
