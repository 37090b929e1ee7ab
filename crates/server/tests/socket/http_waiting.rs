//! Connections of HTTP/1.1 between their requests, and behind an answer that ends them.

use std::time::{Duration, Instant};

use fanfare_core::limits::Limits;
use fanfare_server::listen::HttpDeadlines;
use tokio::io::AsyncWriteExt as _;

use super::support::node::{TestNode, builder};
use super::support::process::Process;
use super::support::raw::Raw;

/// Connections of one address that may speak HTTP at a time.
const HTTP_PER_ADDRESS_MAX: usize = 256;

const SOMETHING: &[u8] = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection that has had an answer.
async fn served(node: &TestNode) -> Raw<tokio::net::TcpStream> {
    let mut raw = Raw::connect(node.address).await.unwrap();
    raw.send(SOMETHING).await.unwrap();
    assert_eq!(raw.answer().await.unwrap().status, 404);
    raw
}

/// A proxy keeps connections for the next request. They were closed by the deadline of the handshake, and a request that
/// was just on its way got 502.
#[tokio::test]
async fn a_connection_waits_for_its_next_request_in_a_time_of_its_own() {
    let (handshake, keep_alive) = (Duration::from_millis(100), Duration::from_millis(500));
    let node = TestNode::start_with(builder(), HttpDeadlines { handshake, keep_alive }).await;
    let mut raw = served(&node).await;
    let answered = Instant::now();
    assert_eq!(raw.said().await.unwrap(), "EOF", "it ends without a word");
    assert!(answered.elapsed() >= keep_alive, "{:?}", answered.elapsed());
    // A head that begins meanwhile has the time of a head.
    let mut raw = served(&node).await;
    let begun = Instant::now();
    raw.send(b"GET").await.unwrap();
    assert_eq!(raw.answer().await.unwrap().status, 408);
    assert!(begun.elapsed() >= handshake && begun.elapsed() < keep_alive, "{:?}", begun.elapsed());
    // And while there are requests, it goes on.
    let mut raw = served(&node).await;
    let begun = Instant::now();
    while begun.elapsed() < 2 * keep_alive {
        raw.send(SOMETHING).await.unwrap();
        assert_eq!(raw.answer().await.unwrap().status, 404);
    }
    node.stop();
}

/// An address with all its connections waiting for requests could not make another one until they had ended.
#[tokio::test]
async fn a_connection_that_waits_gives_way_to_a_new_one_of_its_address_the_oldest_first() {
    let limits = Limits { limit_loopback: true, ..Limits::default() };
    let node = TestNode::start(builder().limits(limits)).await;
    let mut waiting = Vec::new();
    for _ in 0..HTTP_PER_ADDRESS_MAX {
        waiting.push(served(&node).await);
    }
    let mut more = Vec::new();
    for _ in 0..5 {
        more.push(served(&node).await);
    }
    for raw in &mut waiting[..5] {
        assert_eq!(raw.said().await.unwrap(), "EOF");
    }
    // Those that came later are as they were.
    for raw in waiting[5..].iter_mut().chain(&mut more) {
        raw.send(SOMETHING).await.unwrap();
        assert_eq!(raw.answer().await.unwrap().status, 404);
    }
    node.stop();
}

/// A client that sends its whole body before it reads, as Python's and Node's do, saw a broken pipe in place of the 413.
#[tokio::test]
async fn a_body_that_is_far_too_large_gets_to_see_its_413() {
    let server = Process::start(&[], 1024).await;
    let key = server.api_key();
    for megabytes in [3, 16, 48] {
        let mut raw = Raw::connect(server.address).await.unwrap();
        let bytes = megabytes * 1024 * 1024;
        let head = format!(
            "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n"
        );
        raw.send(head.as_bytes()).await.unwrap();
        let body = vec![b' '; 1024 * 1024];
        for _ in 0..megabytes {
            raw.stream_mut()
                .write_all(&body)
                .await
                .unwrap_or_else(|error| panic!("{megabytes} MiB: {error}"));
        }
        let answer = raw.answer().await.unwrap_or_else(|error| panic!("{megabytes} MiB: {error}"));
        assert_eq!(answer.summary(), "HTTP 413 message_too_large", "{megabytes} MiB");
    }
}
