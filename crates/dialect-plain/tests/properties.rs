//! What holds for any input.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use bytes::Bytes;
use fanfare_dialect_plain::{Chat, Envelope, Raw, Rooms, Topics};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::event::{Direct, ErrorEvent};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{
    ChannelName, Command, Dialect, Epoch, Event, FrameKind, Incoming, Payload, Position, Publication, UserId,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Those that speak JSON.
fn written() -> [Box<dyn Dialect>; 4] {
    [Box::new(Rooms), Box::new(Envelope), Box::new(Topics::default()), Box::new(Chat::default())]
}

fn all() -> impl Iterator<Item = Box<dyn Dialect>> {
    written().into_iter().chain([Box::new(Raw) as Box<dyn Dialect>])
}

/// Any JSON value, not deeper than messages may be.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z:$]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let names = "(room|data|token|channelId|content|[a-z]{1,5})";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A message that has every chance to be a command: known types and members, values of any kind.
fn message() -> impl Strategy<Value = Value> {
    let kinds = "(join|leave|message|ping|auth|broadcast|room:message|join_channel|leave_channel|send_message|\
                 heartbeat|other)";
    let names = "(id|room|content|token|payload|requestId|roomId|correlationId|timestamp|user_id)";
    (kinds, prop::collection::btree_map(names, value(), 0..6)).prop_map(
        |(kind, members): (String, BTreeMap<String, Value>)| {
            let mut message: serde_json::Map<_, _> = members.into_iter().collect();
            message.insert("type".to_owned(), Value::from(kind));
            Value::Object(message)
        },
    )
}

fn publication(data: Payload, kind: Kind, name: Option<&str>) -> Publication {
    Publication {
        channel: ChannelName::new("lobby").unwrap(),
        position: Position { epoch: Epoch(1), offset: 7 },
        from: Some(UserId::new("ann").unwrap()),
        from_name: name.map(Into::into),
        kind,
        connection: None,
        exclude_sender: false,
        data,
        labels: None,
        timestamp_ms: u64::MAX,
    }
}

/// The event as an object; none where the dialect has no form for it.
fn told(dialect: &dyn Dialect, event: &Event<'_>) -> Option<Value> {
    let mut out = Vec::new();
    let kind = dialect.encode(event, &mut out);
    assert!(kind != Some(FrameKind::Binary) && (kind.is_some() || out.is_empty()));
    kind?;
    let shown = String::from_utf8_lossy(&out).into_owned();
    Some(serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {shown}")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_and_any_bytes_are_a_command_or_a_rejection(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        for dialect in all() {
            for message in [Incoming::Text(&text), Incoming::Binary(&bytes)] {
                let _ = dialect.decode(message, &DecodeLimits::default());
                let _ = dialect.decode_first(message, &DecodeLimits::default());
            }
        }
    }

    #[test]
    fn what_comes_of_any_object_can_be_told(message in message()) {
        let text = message.to_string();
        for dialect in written() {
            match dialect.decode(Incoming::Text(&text), &DecodeLimits::default()) {
                Ok(command) => {
                    let data = match &command {
                        Command::Message { data, .. } | Command::Custom { data, .. } => data.clone(),
                        _ => Payload::null(),
                    };
                    let response = Event::Response { id: command.id(), data: &data };
                    prop_assert!(told(&*dialect, &response).is_some());
                    let publication = publication(data, Kind::Message, None);
                    prop_assert!(told(&*dialect, &Event::Message(&publication)).is_some());
                }
                Err(rejection) => {
                    prop_assert!(rejection.text.len() < 400, "{}", rejection.text);
                    let (id, code) = (rejection.id.as_ref(), rejection.code);
                    let error = ErrorEvent { id, code, text: rejection.text.clone(), retry_after_ms: Some(1) };
                    prop_assert!(told(&*dialect, &Event::Error(error)).is_some());
                }
            }
        }
    }

    #[test]
    fn no_refusal_repeats_any_of_a_token(token in "eyJ[A-Za-z0-9_-]{80,300}", shape in 0..4_usize) {
        let messages = [
            json!({ "type": "auth", "token": [token] }).to_string(),
            json!({ "type": "auth", "payload": { "token": [token] } }).to_string(),
            format!("{{\"type\":\"auth\",\"token\":\"{token}"),
            format!("{{\"token\":{token}}}"),
        ];
        for dialect in all() {
            let refused = dialect.decode_first(Incoming::Text(&messages[shape]), &DecodeLimits::default());
            let Err(rejection) = refused else { panic!("{}", messages[shape]) };
            prop_assert!(!rejection.text.contains(&token[..8]), "{}", rejection.text);
        }
    }

    #[test]
    fn text_means_the_same_to_everybody(words in any::<String>(), name in any::<String>()) {
        let (as_text, as_json) = (Payload::Text(Bytes::from(words.clone())), json!(words).to_string());
        let payloads = [as_text, Payload::Json(Bytes::from(as_json))];
        for data in payloads {
            let message = publication(data.clone(), Kind::Message, Some(&name));
            let event = Event::Message(&message);
            prop_assert_eq!(&told(&Rooms, &event).unwrap()["content"], &words);
            prop_assert_eq!(&told(&Envelope, &event).unwrap()["payload"]["data"], &words);
            prop_assert_eq!(&told(&Topics::default(), &event).unwrap()["content"], &words);
            let entry = told(&Chat::default(), &event).unwrap();
            prop_assert_eq!((&entry["content"], &entry["username"]), (&json!(words), &json!(name)));
            let mut out = Vec::new();
            let direct = Direct { from: None, data, verbatim: false, timestamp_ms: 0 };
            prop_assert_eq!(Raw.encode(&Event::Direct(&direct), &mut out), Some(FrameKind::Text));
            prop_assert_eq!(out, words.as_bytes());
        }
    }

    #[test]
    fn bytes_reach_raw_as_they_are(bytes in any::<Vec<u8>>()) {
        let command = Raw.decode(Incoming::Binary(&bytes), &DecodeLimits::default());
        let Ok(Command::Message { data, echo: false, channel: None, .. }) = command else { panic!() };
        let mut out = Vec::new();
        let message = publication(data, Kind::Message, None);
        prop_assert_eq!(Raw.encode(&Event::Message(&message), &mut out), Some(FrameKind::Binary));
        prop_assert_eq!(out, bytes);
    }
}
