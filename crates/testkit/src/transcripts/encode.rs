//! What the server says, and what it looks like.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_protocol::{CloseCode, Dialect, ErrorCode, Event, FrameKind};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Encoding, Read, Suite, events, hex};

/// An event and its bytes.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The event, as Rust shows it.
    event: String,
    /// The text message.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The binary message.
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_hex: Option<String>,
    /// The text message of the JSON dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<String>,
    /// The binary message in the JSON form that Protocol Buffers define for a ServerMessage.
    #[serde(skip_serializing_if = "Option::is_none")]
    protobuf: Option<Value>,
    /// The binary message of the Protocol Buffers dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    protobuf_hex: Option<String>,
}

/// The variant's name, and the names of all of them, from one list that the compiler holds complete.
macro_rules! variants {
    ($($variant:ident)*) => {
        const EVENTS: &[&str] = &[$(stringify!($variant)),*];

        fn variant(event: &Event<'_>) -> &'static str {
            match event {
                $(Event::$variant { .. } => stringify!($variant),)*
            }
        }
    };
}

variants! {
    Connected Authenticated Expiring Subscribed Unsubscribed Message Direct Published Joined Left Presence
    PresenceIncomplete History Response StatusSet Users Pong Heartbeat Error Lagged Disconnect
}

/// The event's bytes, appended to what was there; none when the dialect has no form for it.
fn appended(dialect: &dyn Dialect, event: &Event<'_>) -> Option<(FrameKind, Vec<u8>)> {
    let mut out = b"before".to_vec();
    let kind = dialect.encode(event, &mut out);
    let bytes = out.strip_prefix(b"before").unwrap_or_else(|| panic!("{event:?} is not appended"));
    assert!(kind.is_some() || bytes.is_empty(), "{event:?} has no form, and bytes");
    Some((kind?, bytes.to_vec()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether it is one object. What a string in it stands for is not looked at: half a surrogate pair is JSON too.
fn object(text: &str) {
    let parsed = serde_json::from_str::<IgnoredAny>(text);
    assert!(parsed.is_ok() && text.starts_with('{'), "{text}: {parsed:?}");
}

impl Suite<'_> {
    fn case(&self, name: &str, event: &Event<'_>) -> (Case, bool) {
        let mut case = Case { name: name.to_owned(), event: format!("{event:?}"), ..Case::default() };
        let mut told = false;
        for (encoding, dialect) in self.encodings {
            let Some((kind, bytes)) = appended(*dialect, event) else { continue };
            told = true;
            let text = (kind == FrameKind::Text).then(|| self::text(&bytes));
            match (encoding, text) {
                (Encoding::Plain, Some(text)) => {
                    object(&text);
                    case.text = Some(text);
                }
                (Encoding::Json, Some(text)) => {
                    object(&text);
                    case.json = Some(text);
                }
                (Encoding::Raw, Some(text)) => case.text = Some(text),
                (Encoding::Raw, None) => case.binary_hex = Some(hex(&bytes)),
                (Encoding::Protobuf, None) => {
                    case.protobuf = self.schema.map(|schema| schema.server_message(&bytes));
                    case.protobuf_hex = Some(hex(&bytes));
                }
                (encoding, _) => panic!("{encoding:?} does not go in {kind:?} messages"),
            }
        }
        (case, told)
    }

    pub(super) fn check_encoding(&self) -> Read<()> {
        let mut transcripts: BTreeMap<String, Vec<Case>> = BTreeMap::new();
        let (mut seen, mut errors, mut closes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut told = BTreeSet::new();
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
            let (case, is_told) = self.case(name, event);
            if is_told {
                told.insert(variant(event));
            }
            transcripts.entry(format!("encode_{file}.json")).or_default().push(case);
        });
        assert_eq!(seen, EVENTS.iter().copied().collect());
        assert_eq!(errors, ErrorCode::ALL.iter().copied().collect());
        assert_eq!(closes, CloseCode::ALL.iter().copied().collect());
        let silent: BTreeSet<_> = seen.difference(&told).copied().collect();
        assert_eq!(silent, self.silent.iter().copied().collect(), "{}: what has no form", self.folder);
        let names: Vec<_> = transcripts.keys().cloned().collect();
        for (file, cases) in transcripts {
            self.settle(&file, cases)?;
        }
        assert_eq!(self.files("encode_")?, names);
        Ok(())
    }

    /// All text messages that the transcripts hold.
    pub(super) fn texts(&self) -> Read<BTreeSet<String>> {
        let mut texts = BTreeSet::new();
        for file in self.files("encode_")? {
            texts.extend(self.read::<Case>(&file)?.into_iter().filter_map(|case| case.text.or(case.json)));
        }
        Ok(texts)
    }
}
