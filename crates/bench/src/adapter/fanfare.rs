//! Fanfare, native JSON.

use fanfare_wire::OpCode;
use serde_json::Value;

use super::{Adapter, Hearing, Role, Who, push_json_publish};

/// Subscribes by `subscribe`, publishes by `message`, counts `message`.
pub(crate) struct Fanfare;

impl Adapter for Fanfare {
    fn path(&self, _who: &Who<'_>) -> Option<String> {
        Some("/ws".to_owned())
    }

    fn opened(&self, who: &Who<'_>, hearing: &mut Hearing<'_>) {
        match who.role {
            Role::Publisher => hearing.ready(),
            Role::Subscriber => {
                let subscribe = format!(r#"{{"type":"subscribe","id":1,"channel":"{}"}}"#, who.room);
                hearing.reply(OpCode::Text, subscribe.as_bytes());
            }
        }
    }

    fn heard(&self, who: &Who<'_>, message: &[u8], hearing: &mut Hearing<'_>) {
        match message.strip_prefix(br#"{"type":""#) {
            Some(rest) if rest.starts_with(b"message\"") => hearing.delivered(message),
            Some(rest) if rest.starts_with(b"subscribed\"") => hearing.ready(),
            // The Close frame that follows says whether this was in order.
            Some(rest) if rest.starts_with(b"connected\"") || rest.starts_with(b"disconnect\"") => {}
            Some(rest) if rest.starts_with(b"error\"") && who.role == Role::Publisher => {
                let error: Value = serde_json::from_slice(message).unwrap_or_default();
                hearing.refused_publication(error["code"].as_str().unwrap_or("an error without a code"));
            }
            _ => hearing.refused(message),
        }
    }

    fn publish(&self, room: &str, data: &[u8], out: &mut Vec<u8>) {
        push_json_publish(r#"{"type":"message","channel":""#, room, r#"","data":""#, data, r#""}"#, out);
    }
}
