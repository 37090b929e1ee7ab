//! What has to hold for whatever a client of the native protocol sends.

use std::borrow::Cow;

use fanfare_dialect_native::{NativeJson, NativeProtobuf};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::event::ErrorEvent;
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Payload, RequestId};
use serde::de::IgnoredAny;

pub(crate) fn check(dialect: &dyn Dialect, message: Incoming<'_>) {
    let limits = DecodeLimits::default();
    match dialect.decode(message, &limits) {
        Ok(command) => {
            let id = command.id().cloned();
            if let Some(RequestId::Number(text) | RequestId::Text(text)) = &id {
                assert!(text.len() <= limits.name_bytes_max);
            }
            tell(&Event::Pong { id: id.as_ref() });
            if let Some(data) = payload(&command) {
                tell(&Event::Response { id: id.as_ref(), data });
            }
        }
        Err(rejection) => {
            assert!(rejection.text.len() < 1000, "{}", rejection.text);
            assert!(!rejection.text.chars().any(char::is_control), "{:?}", rejection.text);
            let (id, code) = (rejection.id.as_ref(), rejection.code);
            tell(&Event::Error(ErrorEvent { id, code, text: rejection.text, retry_after_ms: None }));
        }
    }
}

fn payload(command: &Command) -> Option<&Payload> {
    match command {
        Command::Message { data, .. }
        | Command::Publish { data, .. }
        | Command::Request { data, .. }
        | Command::Custom { data, .. } => Some(data),
        Command::Subscribe { options, .. } => options.info.as_ref(),
        _ => None,
    }
}

fn tell(event: &Event<'_>) {
    let mut out = Vec::new();
    assert_eq!(NativeJson.encode(event, &mut out), Some(FrameKind::Text));
    let text = String::from_utf8_lossy(&out);
    assert!(matches!(text, Cow::Borrowed(_)), "not UTF-8: {text}");
    let parsed = serde_json::from_str::<IgnoredAny>(&text);
    assert!(parsed.is_ok(), "not JSON: {text}");
    out.clear();
    assert_eq!(NativeProtobuf.encode(event, &mut out), Some(FrameKind::Binary));
}
