//! What the server says, and what it looks like.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_dialect_native::{NativeJson, NativeProtobuf};
use fanfare_protocol::{CloseCode, Dialect, ErrorCode, Event, FrameKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::Schema;
use super::{Transcript, events, files, folder, hex, settle};

/// An event and its bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Case {
    name: String,
    /// The event, as Rust shows it.
    event: String,
    /// The text message.
    pub(crate) json: String,
    /// The binary message in the JSON form that Protocol Buffers define for a ServerMessage.
    protobuf: Value,
    /// The binary message.
    protobuf_hex: String,
}

/// The variant's name, and the names of all of them, from one list that the compiler holds complete.
macro_rules! variants {
    ($($variant:ident)*) => {
        const EVENTS: &[&str] = &[$(stringify!($variant)),*];

        fn variant(event: &Event<'_>) -> &'static str {
            match event {
                $(Event::$variant { .. } => stringify!($variant),)*
                Event::Heartbeat { .. } => unreachable!("nothing in this dialect asks for it"),
            }
        }
    };
}

variants! {
    Connected Authenticated Expiring Subscribed Unsubscribed Message Direct Published Joined Left Presence History
    Response StatusSet Users Pong Error Lagged Disconnect
}

fn case(name: &str, event: &Event<'_>, schema: &Schema) -> Case {
    let mut json = b"before".to_vec();
    assert_eq!(NativeJson.encode(event, &mut json), Some(FrameKind::Text));
    let json = String::from_utf8(json).unwrap().strip_prefix("before").expect("appended").to_owned();
    let parsed: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert!(parsed["type"].is_string(), "{json}");
    let mut bytes = Vec::new();
    assert_eq!(NativeProtobuf.encode(event, &mut bytes), Some(FrameKind::Binary));
    let protobuf = schema.server_message(&bytes);
    Case { name: name.to_owned(), event: format!("{event:?}"), json, protobuf, protobuf_hex: hex(&bytes) }
}

#[test]
fn what_the_server_says_looks_as_written() {
    let schema = Schema::read();
    let mut transcripts: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    let (mut seen, mut errors, mut closes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    events::each(&mut |file, name, event| {
        seen.insert(variant(event));
        match event {
            Event::Error(error) => {
                errors.insert(error.code);
            }
            Event::Disconnect { code, .. } => {
                closes.insert(*code);
            }
            _ => {}
        }
        transcripts.entry(format!("encode_{file}.json")).or_default().push(case(name, event, &schema));
    });
    assert_eq!(seen, EVENTS.iter().copied().collect());
    assert_eq!(errors, ErrorCode::ALL.iter().copied().collect());
    assert_eq!(closes, CloseCode::ALL.iter().copied().collect());
    let names: Vec<_> = transcripts.keys().cloned().collect();
    for (file, cases) in transcripts {
        settle(&file, cases);
    }
    assert_eq!(files("encode_"), names);
}

/// All text messages that the transcripts hold.
pub(crate) fn json_messages() -> BTreeSet<String> {
    let mut messages = BTreeSet::new();
    for file in files("encode_") {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let transcript: Transcript<Case> = serde_json::from_str(&text).unwrap();
        messages.extend(transcript.cases.into_iter().map(|case| case.json));
    }
    messages
}
