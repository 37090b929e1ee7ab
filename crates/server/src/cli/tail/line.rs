//! An event as a line: for people, or as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_client::{Event, Member, Message, Payload};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A line for people: channel, offset, sender, data. Nothing in it can steer a terminal.
pub(super) fn text(topic: &str, event: &Event) -> Option<String> {
    let line = match event {
        Event::Message(message) => {
            let channel = message.channel.as_deref().unwrap_or(topic);
            let offset = message.offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
            let from = message.from.as_deref().unwrap_or("-");
            format!("{channel} {offset} {from} {}", shown(&message.data))
        }
        Event::Joined(member) => format!("{topic} * {} joined", member.user),
        Event::Left(member) => format!("{topic} * {} left", member.user),
        Event::Recovered | Event::Lost | Event::Lagged { .. } | Event::Ended(_) => return None,
    };
    Some(line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// The same as a JSON object; the data are the bytes they came as, but for line breaks between values.
pub(super) fn json(topic: &str, event: &Event) -> Option<String> {
    let line = match event {
        Event::Message(message) => self::message(topic, message),
        Event::Joined(member) => membership("join", topic, member),
        Event::Left(member) => membership("leave", topic, member),
        Event::Recovered | Event::Lost | Event::Lagged { .. } | Event::Ended(_) => return None,
    };
    Some(line.replace(['\n', '\r'], " "))
}

fn shown(data: &Payload) -> String {
    match data {
        Payload::Json(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Payload::Text(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()).to_string(),
        Payload::Binary(bytes) => format!("base64:{}", STANDARD.encode(bytes)),
    }
}

fn message(topic: &str, message: &Message) -> String {
    let mut object = Map::new();
    object.insert("type".to_owned(), "message".into());
    object.insert("channel".to_owned(), message.channel.as_deref().unwrap_or(topic).into());
    if let Some(offset) = message.offset {
        object.insert("offset".to_owned(), offset.into());
    }
    if let Some(entry) = &message.entry {
        object.insert("entry".to_owned(), entry.as_str().into());
    }
    if let Some(from) = &message.from {
        object.insert("from".to_owned(), from.as_str().into());
    }
    object.insert("timestamp".to_owned(), seconds(message.timestamp_ms));
    if !message.tags.is_empty() {
        let tags = message.tags.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        object.insert("tags".to_owned(), Value::Object(tags.collect()));
    }
    if let Some(key) = &message.key {
        object.insert("key".to_owned(), key.as_str().into());
    }
    match &message.data {
        Payload::Binary(bytes) => {
            object.insert("binary".to_owned(), STANDARD.encode(bytes).into());
            Value::Object(object).to_string()
        }
        data => with_data(&object, &shown(data)),
    }
}

/// Data are appended as they are: a parser would change their spelling.
fn with_data(object: &Map<String, Value>, data: &str) -> String {
    let valid = serde_json::from_str::<&RawValue>(data).map_or("null", RawValue::get);
    let rest = serde_json::to_string(object).unwrap_or_default();
    format!("{},\"data\":{valid}}}", rest.strip_suffix('}').unwrap_or(&rest))
}

fn membership(kind: &str, topic: &str, member: &Member) -> String {
    let mut object = Map::new();
    object.insert("type".to_owned(), kind.into());
    object.insert("channel".to_owned(), topic.into());
    object.insert("user".to_owned(), member.user.as_str().into());
    object.insert("connections".to_owned(), member.connections.into());
    Value::Object(object).to_string()
}

fn seconds(ms: u64) -> Value {
    (ms as f64 / 1000.0).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn message(data: Payload, tags: &[(&str, &str)]) -> Event {
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Event::Message(Message {
            channel: Some("chat:a".to_owned()),
            from: Some("ann".to_owned()),
            data,
            offset: Some(7),
            entry: None,
            timestamp_ms: 1_500,
            tags: tags.collect::<BTreeMap<_, _>>(),
            key: None,
        })
    }

    fn payload(json: &'static str) -> Payload {
        Payload::Json(json.as_bytes().into())
    }

    #[test]
    fn a_line_for_people_holds_no_control_characters() {
        let text = |event| text("chat:*", &event).unwrap();
        assert_eq!(text(message(payload("{\"a\":\n 1.0}"), &[])), "chat:a 7 ann {\"a\":  1.0}");
        assert_eq!(
            text(message(Payload::Text("\u{1b}[2J\u{9b}".into()), &[])),
            "chat:a 7 ann \"\\u001b[2J \""
        );
        assert_eq!(
            text(message(Payload::Binary(b"\0\x01\xff".as_slice().into()), &[])),
            "chat:a 7 ann base64:AAH/"
        );
    }

    #[test]
    fn a_json_line_keeps_the_datas_spelling() {
        let json = |event| json("chat:*", &event).unwrap();
        assert_eq!(
            json(message(payload("{\"a\":\n1.0}"), &[("t", "x}")])),
            "{\"channel\":\"chat:a\",\"from\":\"ann\",\"offset\":7,\"tags\":{\"t\":\"x}\"},\"timestamp\":1.5,\"type\":\"message\",\"data\":{\"a\": 1.0}}"
        );
        let binary: Value =
            serde_json::from_str(&json(message(Payload::Binary(b"\0".as_slice().into()), &[]))).unwrap();
        assert_eq!(binary["binary"], "AA==");
        let text: Value = serde_json::from_str(&json(message(Payload::Text("\n\"".into()), &[]))).unwrap();
        assert_eq!(text["data"], "\n\"");
    }
}
