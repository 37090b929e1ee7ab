//! What one message costs to read and one event to write, in nanoseconds: `cargo bench -p fanfare-dialect-native`.

#![allow(missing_docs, clippy::expect_used, reason = "a program, not a library")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use fanfare_dialect_native::{NativeJson, NativeProtobuf};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{
    ChannelName, Dialect, Epoch, Event, Incoming, Payload, Position, Publication, RequestId, UserId,
};

const ROUNDS: u32 = 200_000;
const SAMPLES: usize = 15;

/// Prints the median of several timed runs.
fn bench(name: &str, mut work: impl FnMut()) {
    let mut samples = [0.0; SAMPLES];
    for sample in &mut samples {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            work();
        }
        *sample = start.elapsed().as_nanos() as f64 / f64::from(ROUNDS);
    }
    samples.sort_by(f64::total_cmp);
    println!("{name:<44} {:>8.1} ns", samples[SAMPLES / 2]);
}

fn main() {
    let limits = DecodeLimits::default();
    let decode = |dialect: &dyn Dialect, message: Incoming<'_>| {
        black_box(dialect.decode(black_box(message), &limits)).ok();
    };
    let publish = r#"{"type":"publish","id":3,"channel":"chat:lobby","data":{"text":"hello, world","n":42}}"#;
    bench("json_decode_publish_86b", || decode(&NativeJson, Incoming::Text(publish)));
    let message = r#"{"type":"message","channel":"chat:lobby","data":{"text":"hello, world","n":42}}"#;
    bench("json_decode_message_79b", || decode(&NativeJson, Incoming::Text(message)));
    bench("json_decode_ping", || decode(&NativeJson, Incoming::Text(r#"{"type":"ping"}"#)));
    let large = format!(r#"{{"type":"message","channel":"chat:lobby","data":"{}"}}"#, "x".repeat(60_000));
    bench("json_decode_message_60kb", || decode(&NativeJson, Incoming::Text(&large)));

    let publication = Publication {
        channel: ChannelName::new("chat:lobby").expect("a valid name"),
        position: Position { epoch: Epoch(0xfeed), offset: 123_456 },
        from: UserId::new("alice").ok(),
        from_name: None,
        kind: fanfare_protocol::publication::Kind::Message,
        connection: None,
        exclude_sender: false,
        data: Payload::Json(Bytes::from_static(br#"{"text":"hello, world","n":42}"#)),
        labels: None,
        timestamp_ms: 1_700_000_000_123,
    };
    let id = RequestId::Number("3".into());
    let mut out = Vec::with_capacity(4096);
    let mut encode = |dialect: &dyn Dialect, event: &Event<'_>| {
        out.clear();
        black_box(dialect.encode(black_box(event), &mut out));
    };
    bench("json_encode_message", || encode(&NativeJson, &Event::Message(&publication)));
    let published = Event::Published {
        id: Some(&id),
        channel: &publication.channel,
        position: publication.position,
        duplicate: false,
    };
    bench("json_encode_published", || encode(&NativeJson, &published));
    bench("protobuf_encode_message", || encode(&NativeProtobuf, &Event::Message(&publication)));
    // number = 3, publish = { channel, data = { json } }
    let json = br#"{"text":"hello, world","n":42}"#;
    let (data, name) = (json.len() as u8, b"chat:lobby");
    let mut binary = vec![8, 3, 0x42, data + 16, 0x0a, 10];
    binary.extend(name);
    binary.extend([0x12, data + 2, 0x0a, data]);
    binary.extend(json);
    assert!(NativeProtobuf.decode(Incoming::Binary(&binary), &limits).is_ok());
    bench("protobuf_decode_publish_50b", || decode(&NativeProtobuf, Incoming::Binary(&binary)));
}
