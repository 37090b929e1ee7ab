//! What comes too late, or never.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_core::limits::Deadlines;
use serde_json::json;

use super::support::case::{Case, Start, judge};
use super::support::client::Client;
use super::support::frames::{self, CONTINUATION, FIN, Length, PING, TEXT, ask, frame, header, text};
use super::support::neighbour::Neighbour;
use super::support::node::{TestNode, builder, patient};
use super::support::raw::{HEAD, Raw};

const HANDSHAKE: Duration = Duration::from_millis(300);

async fn node(deadlines: Deadlines) -> Arc<TestNode> {
    Arc::new(TestNode::start_with(builder().deadlines(deadlines), HANDSHAKE).await)
}

/// A head that never ends was cut off without a word, as hyper does it; the table of codes promises 408.
#[tokio::test]
async fn a_head_that_is_late_is_answered_with_408() {
    let node = node(patient()).await;
    let late = "HTTP 408 handshake_timeout";
    let half = &HEAD.as_bytes()[..60];
    let bytewise = half.iter().map(|byte| vec![*byte]).collect();
    let cases = vec![
        Case::new("one byte", vec![b"G".to_vec()], &[late]),
        Case::new("half a head", vec![half.to_vec()], &[late]),
        Case::new("half a head, byte by byte", bytewise, &[late]),
        Case::new("all but the last byte", vec![HEAD.as_bytes()[..HEAD.len() - 1].to_vec()], &[late]),
    ];
    judge(&node, Start::Connected, cases).await;
    let mut silent = Raw::connect(node.address).await.unwrap();
    assert_eq!(silent.said().await.unwrap(), "EOF", "who says nothing is told nothing");
}

#[tokio::test]
async fn a_message_that_is_begun_and_not_finished_costs_4007() {
    let node = node(Deadlines { unfinished_message_ms: 200, close_ms: 200, ..patient() }).await;
    let late = ["disconnect 4007", "CLOSE 4007"];
    let pings = [frame(TEXT, "{"), frame(FIN | PING, "x")].concat();
    let cases = vec![
        Case::new("one byte of a header", vec![vec![FIN | TEXT]], &late),
        Case::new("a header without a payload", vec![header(FIN | TEXT, true, Length::Short(5))], &late),
        Case::new("half a payload", vec![ask("x")[..12].to_vec()], &late),
        Case::new("a first fragment", vec![frame(TEXT, "{")], &late),
        Case::new("ever more fragments", vec![frame(TEXT, "{"), frame(CONTINUATION, "x").repeat(9)], &late),
        Case::new("pings in between", vec![pings], &["PONG x", late[0], late[1]]),
    ];
    judge(&node, Start::Member, cases).await;
}

/// A client that always has more to send leaves a part of its next message behind in every read. The deadline
/// was that of the first part ever left behind, so busy publishers were closed for being late.
#[tokio::test]
async fn a_busy_client_is_not_late_because_every_read_ends_within_a_message() {
    let node = node(Deadlines { unfinished_message_ms: 300, ..patient() }).await;
    let mut raw = Raw::open(node.address, "/ws").await.unwrap();
    let begun = Instant::now();
    let mut left = Vec::new();
    for round in 0.. {
        let message = ask(&round.to_string());
        let (head, tail) = message.split_at(10);
        raw.send(&[&left[..], head].concat()).await.unwrap();
        if round > 0 {
            assert_eq!(raw.said().await.unwrap(), format!("pong {}", round - 1));
        }
        left = tail.to_vec();
        if begun.elapsed() > Duration::from_millis(900) {
            return;
        }
    }
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_dead() {
    let deadlines = Deadlines { ping_interval_ms: 300, pong_ms: 200, close_ms: 200, ..patient() };
    let node = node(deadlines).await;
    let cases = vec![Case::new("silence", vec![], &["disconnect 4010", "CLOSE 4010"])];
    judge(&node, Start::Member, cases).await;
    let (mut talker, mut quiet) =
        (Client::connect(node.address, "/ws").await, Raw::open(node.address, "/ws").await.unwrap());
    // Any traffic counts; a client of a library answers by itself.
    let mut said = String::new();
    while !said.starts_with("CLOSE") {
        quiet.send(&frame(FIN | PING, "")).await.unwrap();
        said = tokio::select! {
            said = quiet.said() => said.unwrap(),
            () = node.until_connections(1) => "CLOSE".to_owned(),
        };
        assert_ne!(said, "disconnect 4010", "a peer that pings is alive");
        if talker.ask(&json!({"type": "ping"}), "pong").await["type"] == "pong" {
            break;
        }
    }
}

#[tokio::test]
async fn a_close_that_is_not_answered_ends_all_the_same() {
    let node = node(Deadlines { close_ms: 200, ..patient() }).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let mut raw = Raw::open(node.address, "/ws").await.unwrap();
    raw.send(&text(r#"{"type":"disconnect"}"#)).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "CLOSE 1000");
    assert_eq!(raw.said().await.unwrap(), "EOF");
    neighbour.unmoved(&node).await.unwrap();
    // And one that goes on talking instead, once our close is there.
    let mut raw = Raw::open(node.address, "/ws").await.unwrap();
    raw.send(&[text(r#"{"type":"disconnect"}"#), frames::ask("more")].concat()).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "CLOSE 1000");
    assert_eq!(raw.said().await.unwrap(), "EOF");
    node.until_connections(1).await;
}
