//! What holds for any input.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::Bytes;
use fanfare_dialect_native::{NativeJson, NativeProtobuf};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::event::ErrorEvent;
use fanfare_protocol::{
    ChannelName, Command, Dialect, Epoch, ErrorCode, Event, Incoming, Payload, Position, Publication,
    Rejection, RequestId, UserId,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn decode(text: &str) -> Result<Command, Rejection> {
    NativeJson.decode(Incoming::Text(text), &DecodeLimits::default())
}

fn encode(event: &Event<'_>) -> Value {
    let mut out = Vec::new();
    NativeJson.encode(event, &mut out);
    serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
}

/// Any JSON value, not deeper than messages may be.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Fractions that the parser on the testing side reads exactly.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A message that has every chance to be a command: known types and members, values of any kind.
fn message() -> impl Strategy<Value = Value> {
    let kinds = "(message|publish|subscribe|unsubscribe|request|presence|history|status|users|auth|other)";
    let names = "(id|channel|pattern|data|binary|token|method|recover|history|filter|info|presence|echo|\
                 idempotency_key|tags|key|counts_only|since|limit|reverse|status|users|timestamp)";
    (kinds, prop::collection::btree_map(names, value(), 0..8)).prop_map(|(kind, members)| {
        let mut message: serde_json::Map<_, _> = members.into_iter().collect();
        message.insert("type".to_owned(), Value::from(kind));
        Value::Object(message)
    })
}

/// Text that looks like a token, and like nothing that an error would say by chance.
fn token() -> impl Strategy<Value = String> {
    "eyJ[A-Za-z0-9_-]{80,300}\\.[A-Za-z0-9_-]{20,200}\\.[A-Za-z0-9_-]{20,90}"
}

/// Spaces around a message and its members, but not within their values: those are kept as they came.
fn loosely(message: &Value, seed: u64) -> String {
    const SPACES: [&str; 4] = ["", " ", "\n", "\t \r\n"];
    let mut spaces = (0..).map(move |step: u32| SPACES[(seed.rotate_right(step * 2) & 3) as usize]);
    let mut space = || spaces.next().unwrap();
    let Value::Object(members) = message else { unreachable!() };
    let mut out = format!("{}{{", space());
    for (index, (name, member)) in members.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let name = Value::from(name.as_str());
        out += &format!("{comma}{}{name}{}:{}{member}{}", space(), space(), space(), space());
    }
    out + space() + "}" + space()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_and_any_bytes_are_a_command_or_a_rejection(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        for dialect in [&NativeJson as &dyn Dialect, &NativeProtobuf] {
            for message in [Incoming::Text(&text), Incoming::Binary(&bytes)] {
                let _ = dialect.decode(message, &DecodeLimits::default());
            }
        }
    }

    #[test]
    fn any_object_is_a_command_or_a_rejection_that_can_be_sent(message in message()) {
        if let Err(rejection) = decode(&message.to_string()) {
            let Rejection { id, code, text } = rejection;
            prop_assert!(text.len() < 400, "{text}");
            let error = ErrorEvent { id: id.as_ref(), code, text, retry_after_ms: None };
            let sent = encode(&Event::Error(error));
            prop_assert_eq!(&sent["code"], code.as_str());
            if id.is_some() {
                prop_assert_eq!(&sent["id"], &message["id"]);
            }
        }
    }

    #[test]
    fn white_space_around_members_changes_nothing(message in message(), seed in any::<u64>()) {
        let (tight, loose) = (message.to_string(), loosely(&message, seed));
        prop_assert_eq!(decode(&tight), decode(&loose), "{}", loose);
    }

    #[test]
    fn a_message_that_is_cut_short_is_no_command(message in message(), cut in any::<prop::sample::Index>()) {
        let text = message.to_string();
        let mut end = cut.index(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert_eq!(decode(&text[..end]).map_err(|rejection| rejection.code), Err(ErrorCode::InvalidJson));
    }

    #[test]
    fn data_arrives_as_it_was_sent(data in value()) {
        let text = data.to_string();
        let message = format!(r#"{{"type":"message","channel":"a","data":{text}}}"#);
        let Ok(Command::Message { data: payload, .. }) = decode(&message) else { panic!("{message}") };
        let parsed: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&payload, &Payload::Json(Bytes::from(text)));
        prop_assert_eq!(&encode(&Event::Response { id: None, data: &payload })["data"], &parsed);
    }

    #[test]
    fn strings_survive_both_ways(id in "\\PC{0,60}", odd in any::<String>(), name in "[^\\p{Cc}]{1,60}") {
        let Ok(Command::Ping { id: read }) = decode(&json!({ "type": "ping", "id": id }).to_string()) else {
            panic!("{id:?}")
        };
        prop_assert_eq!(&read, &Some(RequestId::Text(id.as_str().into())));
        let pong = RequestId::Text(odd.as_str().into());
        prop_assert_eq!(&encode(&Event::Pong { id: Some(&pong) })["id"], &odd);
        let said = json!({ "type": "presence", "channel": name }).to_string();
        let Ok(Command::Presence { channel, .. }) = decode(&said) else { panic!("{name:?}") };
        prop_assert_eq!(channel.as_str(), &name);
        let left = Event::Lagged { channel: &channel, dropped: 1 };
        prop_assert_eq!(&encode(&left)["channel"], &name);
    }

    #[test]
    fn payloads_of_any_kind_make_valid_messages(
        bytes in any::<Vec<u8>>(),
        offset in any::<u64>(),
        timestamp_ms in 0..=1_u64 << 50,
        from in prop::option::of("[^\\p{Cc}]{1,60}"),
    ) {
        for data in [Payload::Text(Bytes::from(bytes.clone())), Payload::Binary(Bytes::from(bytes))] {
            let publication = Publication {
                channel: ChannelName::new("a").unwrap(),
                position: Position { epoch: Epoch(1), offset },
                from: from.as_ref().map(|from| UserId::new(from).unwrap()),
                from_name: None,
                kind: fanfare_protocol::publication::Kind::Message,
                connection: None,
                exclude_sender: false,
                data,
                labels: None,
                timestamp_ms,
            };
            let told = encode(&Event::Message(&publication));
            prop_assert_eq!(&told["offset"], &json!(offset));
            prop_assert_eq!(told["timestamp"].as_f64(), Some(timestamp_ms as f64 / 1000.0));
            prop_assert_eq!(told.get("from").and_then(Value::as_str), from.as_deref());
            prop_assert!(told.get("data").is_some() != told.get("binary").is_some());
        }
    }

    #[test]
    fn a_token_is_in_no_error_and_in_no_debug_text(
        token in token(),
        kind in "(auth|subscribe|connect)",
        odd in prop::collection::btree_map("(id|channel|pattern|recover|filter|info|history)", value(), 0..4),
        place in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut members: serde_json::Map<_, _> = odd.into_iter().collect();
        members.insert("type".to_owned(), Value::from(kind));
        members.insert("token".to_owned(), Value::from(token.as_str()));
        let json = Value::Object(members).to_string();
        let mut broken = json.clone().into_bytes();
        let at = place.index(broken.len());
        broken[at] ^= flip;
        let cut = json.char_indices().map(|(at, _)| at).nth(place.index(json.chars().count())).unwrap();
        let tag = |field: u8| field << 3 | 2;
        let length = token.len();
        let mut auth = vec![tag(4), 0x80 | (length + 3) as u8, ((length + 3) >> 7) as u8];
        auth.extend([tag(1), 0x80 | length as u8, (length >> 7) as u8]);
        auth.extend(token.bytes());
        let read = NativeProtobuf.decode(Incoming::Binary(&auth), &DecodeLimits::default());
        let Ok(Command::Authenticate { token: read, .. }) = read else { panic!("{read:?}") };
        prop_assert_eq!(read.expose(), token.as_str());
        // Under another number the same bytes are a channel's name, which errors may repeat.
        let at = 1 + place.index(auth.len() - 1);
        auth[at] ^= flip;
        let limits = DecodeLimits::default();
        let said = [
            NativeJson.decode(Incoming::Text(&json), &limits),
            NativeJson.decode(Incoming::Text(&json[..cut]), &limits),
            NativeJson.decode(Incoming::Text(&String::from_utf8_lossy(&broken)), &limits),
            NativeProtobuf.decode(Incoming::Binary(&auth), &limits),
        ];
        for outcome in said {
            let shown = format!("{outcome:?}");
            let pieces = (0..token.len() - 12).map(|at| &token[at..at + 12]);
            for piece in pieces {
                prop_assert!(!shown.contains(piece), "{shown}");
            }
        }
    }
}
