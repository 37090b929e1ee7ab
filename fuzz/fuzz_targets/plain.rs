//! Messages in the plain dialects: each is a command or a refusal, and what comes of it can be told in every dialect.
//!
//! The first byte is the dialect, whether the message is the first of its connection, and whether it is binary.

#![no_main]

use fanfare_dialect_plain::{Chat, Envelope, Raw, Rooms, Topics};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::event::{Direct, ErrorEvent};
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Payload, RequestId};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, message)) = input.split_first() else { return };
    let (topics, chat) = (Topics::default(), Chat::default());
    let dialects: [&dyn Dialect; 5] = [&Rooms, &Envelope, &topics, &chat, &Raw];
    let dialect = dialects[usize::from(choice & 7) % dialects.len()];
    let message = match std::str::from_utf8(message) {
        Ok(text) if choice & 16 == 0 => Incoming::Text(text),
        _ => Incoming::Binary(message),
    };
    let limits = DecodeLimits::default();
    let understood = if choice & 8 == 0 {
        dialect.decode(message, &limits)
    } else {
        dialect.decode_first(message, &limits)
    };
    match understood {
        Ok(command) => {
            let id = command.id();
            if let Some(RequestId::Number(text) | RequestId::Text(text)) = id {
                assert!(text.len() <= limits.name_bytes_max);
            }
            let data = match &command {
                Command::Message { data, .. } | Command::Custom { data, .. } => data.clone(),
                _ => Payload::null(),
            };
            let direct = Direct { from: None, data: data.clone(), timestamp_ms: 0 };
            dialects.iter().for_each(|dialect| {
                tell(*dialect, &Event::Pong { id });
                tell(*dialect, &Event::Response { id, data: &data });
                tell(*dialect, &Event::Direct(&direct));
                if let Command::Heartbeat { id, sent } = &command {
                    tell(*dialect, &Event::Heartbeat { id: id.as_ref(), sent, unix_ms: 0 });
                }
            });
        }
        Err(rejection) => {
            assert!(rejection.text.len() < 1000, "{}", rejection.text);
            assert!(!rejection.text.chars().any(char::is_control), "{:?}", rejection.text);
            let (id, code, text) = (rejection.id.as_ref(), rejection.code, &rejection.text);
            let text = text.clone();
            tell(dialect, &Event::Error(ErrorEvent { id, code, text, retry_after_ms: Some(1) }));
        }
    }
});

/// Text is UTF-8, and JSON but in the raw dialect.
fn tell(dialect: &dyn Dialect, event: &Event<'_>) {
    let mut out = Vec::new();
    if dialect.encode(event, &mut out) != Some(FrameKind::Text) {
        return;
    }
    let Ok(text) = std::str::from_utf8(&out) else { panic!("not UTF-8: {out:?}") };
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert!(is_json || dialect.habits().one_room && !dialect.habits().posts_entries, "not JSON: {text}");
}
