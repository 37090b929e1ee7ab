//! Much at once. A client that reads what it is told may ask as fast as it can.

use std::time::Duration;

use fanfare_core::limits::{Deadlines, RateLimits};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::support::frames::{FIN, PING, PONG, RSV, ask, frame, text};
use super::support::neighbour::Neighbour;
use super::support::node::{TestNode, builder, patient};
use super::support::raw::Raw;
use super::support::{PATIENCE, alarm, within};

/// What the server may have read of a whole test in which one peer talks on after the end: its bound of 256 KiB, one
/// read beyond it, and what was said before.
const READ_BYTES_MAX: u64 = 384 * 1024;

/// Sends all of the bytes while everything said is read, until it is all said.
async fn flood(raw: Raw, bytes: Vec<u8>, all: impl Fn(&[String]) -> bool) -> Vec<String> {
    let (mut reader, mut writer) = raw.split();
    let writing = tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await.unwrap();
        writer
    });
    let mut said = Vec::new();
    while !all(&said) {
        let next = reader.said().await.unwrap_or_else(|error| panic!("{error} after {} answers", said.len()));
        assert!(next != "EOF" && !next.starts_with("CLOSE"), "{next} after {} answers", said.len());
        said.push(next);
    }
    writing.await.unwrap();
    said
}

#[tokio::test]
async fn ten_thousand_messages_in_one_segment_are_answered_in_order() {
    let node = TestNode::start(builder()).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let raw = Raw::open(node.address, "/ws").await.unwrap();
    let bytes = (0..10_000).flat_map(|id| ask(&id.to_string())).collect();
    let said = flood(raw, bytes, |said| said.len() == 10_000).await;
    assert_eq!(said, (0..10_000).map(|id| format!("pong {id}")).collect::<Vec<_>>());
    neighbour.unmoved(&node).await.unwrap();
    node.stop();
}

/// The answer to an empty object is ten times as long. What was read at once was answered at once, beyond what
/// the outbox holds, so a client that read everything was closed as one that does not read.
#[tokio::test]
async fn answers_longer_than_their_questions_do_not_make_a_slow_consumer() {
    let node = TestNode::start(builder()).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let raw = Raw::open(node.address, "/ws").await.unwrap();
    let bytes = [text("{}").repeat(30_000), ask("last")].concat();
    let said = flood(raw, bytes, |said| said.len() == 30_001).await;
    assert_eq!(said[30_000], "pong last");
    assert!(said[..30_000].iter().all(|said| said == "error invalid_message"));
    neighbour.unmoved(&node).await.unwrap();
    node.stop();
}

#[tokio::test]
async fn a_flood_of_pings_is_survived_and_answered_as_far_as_it_is_read() {
    let node = TestNode::start(builder()).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    for (payload, control) in [("", PING), ("x", PONG), (&"p".repeat(125), PING)] {
        let raw = Raw::open(node.address, "/ws").await.unwrap();
        let said = flood(raw, [frame(FIN | control, payload).repeat(20_000), ask("last")].concat(), |said| {
            said.last().is_some_and(|said| said == "pong last")
        })
        .await;
        let pong = format!("PONG {payload}");
        assert!(said[..said.len() - 1].iter().all(|said| said == pong.trim_end()), "{:?}", said.last());
        neighbour.unmoved(&node).await.unwrap();
    }
    node.stop();
}

/// 14.5 million pongs a second were read of one connection, free of charge.
#[tokio::test]
async fn a_flood_of_pongs_is_ended_where_rates_are_limited() {
    let node = TestNode::start(builder().rate_limits(RateLimits::default())).await;
    let mut raw = Raw::open(node.address, "/ws").await.unwrap();
    raw.send(&frame(FIN | PONG, "").repeat(2_000)).await.unwrap();
    let said = within("the end", raw.said()).await.unwrap().unwrap();
    assert!(said.starts_with("disconnect"), "{said}");
    node.stop();
}

/// More publishes than may be unanswered at a time are no error: they wait.
#[tokio::test]
async fn pipelined_publishes_are_all_acknowledged_in_order() {
    let node = TestNode::start(builder()).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let raw = Raw::open(node.address, "/ws").await.unwrap();
    let publish = |id: u32| json!({"type": "publish", "id": id, "channel": "room", "data": id}).to_string();
    let bytes = (0..2_000).flat_map(|id| text(publish(id))).collect();
    let said = flood(raw, bytes, |said| said.len() == 2_000).await;
    for (id, said) in said.iter().enumerate() {
        assert!(said.starts_with(&format!("response {id} ")), "{said}");
        assert!(said.contains(&format!(r#""offset":{}"#, id + 1)), "{said}");
    }
    let seen = neighbour.unmoved(&node).await.unwrap();
    assert_eq!(seen, (0..2_000).map(|id| json!(id)).collect::<Vec<_>>());
    node.stop();
}

/// Who asks without reading is not read from either, and is closed when its time is over.
#[tokio::test]
async fn who_asks_and_never_reads_is_closed_within_its_time() {
    let deadlines = Deadlines { write_ms: 500, close_ms: 300, ..patient() };
    let node = TestNode::start(builder().deadlines(deadlines)).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let raw = Raw::open(node.address, "/ws").await.unwrap();
    let (reader, mut writer) = raw.split();
    let writing = tokio::spawn(async move {
        let bytes = text("{}").repeat(10_000);
        while tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await.is_ok() {}
    });
    let gone = tokio::time::timeout(Duration::from_secs(5), node.until_connections(1));
    gone.await.expect("closed within 5 s of its bound");
    neighbour.unmoved(&node).await.unwrap();
    tokio::time::timeout(PATIENCE, writing).await.expect("the socket is closed").unwrap();
    drop(reader);
    alarm::assert_silent();
    node.stop();
}

/// Writes on and on until the socket ends; how many bytes it took.
async fn talk_on(writer: &mut (impl tokio::io::AsyncWrite + Unpin)) -> usize {
    let bytes = text("[".repeat(1_000)).repeat(64);
    let mut taken = 0;
    loop {
        // Cut anywhere: nobody is to look for messages in it.
        match writer.write(&bytes).await {
            Ok(more) => taken += more,
            Err(_) => return taken,
        }
    }
}

/// A peer that had been told the end was read, and looked at, for as long as it went on: the nesting flood so cost most
/// after its connections were over.
#[tokio::test]
async fn who_talks_on_after_the_end_is_soon_not_read_any_more_and_gone_in_its_time() {
    for (last, farewell) in
        [(text(r#"{"type":"disconnect"}"#), "CLOSE 1000"), (frame(FIN | RSV[0] | PING, ""), "CLOSE 1002")]
    {
        let node = TestNode::start(builder().deadlines(Deadlines { close_ms: 1_000, ..patient() })).await;
        let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
        let mut raw = Raw::open(node.address, "/ws").await.unwrap();
        raw.send(&last).await.unwrap();
        assert_eq!(raw.said().await.unwrap(), farewell);
        let (_reader, mut writer) = raw.split();
        let taken = within("the socket to end", talk_on(&mut writer)).await.unwrap();
        assert!(taken as u64 > READ_BYTES_MAX, "{taken}");
        node.until_connections(1).await;
        let read = node.node.fanfare().metrics().await.unwrap().bytes_in;
        assert!(read <= READ_BYTES_MAX, "{read} of {taken} bytes were read after {farewell}");
        neighbour.unmoved(&node).await.unwrap();
        node.stop();
    }
}

/// Whose connection breaks while it is not read does not keep its place until the time for the farewell is over. An
/// orderly end is not heard of as early: it waits behind what the kernel cannot take.
#[tokio::test]
async fn who_talks_on_after_the_end_and_breaks_off_is_gone_at_once() {
    let node = TestNode::start(builder().deadlines(Deadlines { close_ms: 600_000, ..patient() })).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let mut raw = Raw::open(node.address, "/ws").await.unwrap();
    raw.send(&text(r#"{"type":"disconnect"}"#)).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "CLOSE 1000");
    raw.send(&text("[".repeat(1_000)).repeat(512)).await.unwrap();
    raw.reset();
    node.until_connections(1).await;
    neighbour.unmoved(&node).await.unwrap();
    node.stop();
}
