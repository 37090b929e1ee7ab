//! The forms that small hand-written clients rely on, one test per rule of them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::Bytes;
use fanfare_dialect_native::NativeJson;
use fanfare_protocol::command::Topic;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::event::{Direct, ErrorEvent, Subscribed};
use fanfare_protocol::{
    ChannelName, CloseCode, Command, Dialect, Epoch, ErrorCode, Event, Incoming, Payload, Position,
    Publication, Rejection, RequestId, UserId,
};

fn decode(text: &str) -> Result<Command, Rejection> {
    NativeJson.decode(Incoming::Text(text), &DecodeLimits::default())
}

fn encode(event: &Event<'_>) -> String {
    let mut out = Vec::new();
    NativeJson.encode(event, &mut out);
    String::from_utf8(out).unwrap()
}

fn publication(data: Payload) -> Publication {
    Publication {
        channel: ChannelName::new("r").unwrap(),
        position: Position { epoch: Epoch(0xab), offset: 7 },
        from: Some(UserId::new("u").unwrap()),
        from_name: None,
        kind: fanfare_protocol::publication::Kind::Message,
        connection: None,
        exclude_sender: false,
        data,
        labels: None,
        timestamp_ms: 1_700_000_000_250,
    }
}

#[test]
fn a_message_is_passed_on_as_the_bytes_it_came_as() {
    let odd = "{ \"n\" : 1.50e+3,\"n\":[ ] , \"s\":\"\\u00e9\\ud800\" }";
    let text = format!("{{\"type\":\"message\",\"channel\":\"r\",\"data\": {odd} }}");
    let Ok(Command::Message { channel: Some(channel), data, labels: None, .. }) = decode(&text) else {
        panic!()
    };
    assert_eq!(channel.as_str(), "r");
    assert_eq!(data, Payload::Json(Bytes::from(odd.to_owned())));
    let wanted = format!(
        r#"{{"type":"message","channel":"r","from":"u","data":{odd},"offset":7,"timestamp":1700000000.250}}"#
    );
    assert_eq!(encode(&Event::Message(&publication(data))), wanted);
}

#[test]
fn a_message_with_an_id_is_acknowledged_and_echoed() {
    let text = r#"{"type":"message","id":9,"channel":"r","data":null}"#;
    let Ok(Command::Publish { id, echo: true, data, .. }) = decode(text) else { panic!() };
    assert_eq!((id, data), (Some(RequestId::Number("9".into())), Payload::null()));
}

#[test]
fn binary_data_travels_as_base64() {
    let text = r#"{"type":"publish","id":3,"channel":"r","binary":"AAH/"}"#;
    let Ok(Command::Publish { echo: false, data, .. }) = decode(text) else { panic!() };
    assert_eq!(data, Payload::Binary(Bytes::from_static(&[0, 1, 255])));
    let out = encode(&Event::Message(&publication(data)));
    assert!(out.contains(r#","binary":"AAH/","#) && !out.contains("data"), "{out}");
    let text = Event::Response { id: None, data: &Payload::Text(Bytes::from_static(b"a\"b")) };
    assert_eq!(encode(&text), r#"{"type":"response","data":"a\"b"}"#);
}

#[test]
fn an_id_comes_back_as_it_came() {
    for id in ["1", "-0", "1e3", "12345678901234567890123", "1.0", r#""a\"b\u00e9\u0000""#, r#""""#] {
        let Ok(Command::Ping { id: read }) = decode(&format!(r#"{{"id":{id},"type":"ping"}}"#)) else {
            panic!("{id}")
        };
        let out: serde_json::Value =
            serde_json::from_str(&encode(&Event::Pong { id: read.as_ref() })).unwrap();
        assert_eq!(out["id"], serde_json::from_str::<serde_json::Value>(id).unwrap(), "{id}");
    }
    assert_eq!(decode(r#"{"type":"ping","id":null}"#), Ok(Command::Ping { id: None }));
}

#[test]
fn replies_have_the_promised_forms() {
    let id = RequestId::Number("1".into());
    let id = Some(&id);
    let channel = ChannelName::new("r").unwrap();
    let topic = Topic::Channel(channel.clone());
    let position = Position { epoch: Epoch(0xab), offset: 7 };
    let user = UserId::new("u").unwrap();
    let subscribed = Subscribed {
        id,
        topic: &topic,
        position: Some(position),
        recovered: None,
        replayed: 0,
        presence: None,
    };
    let error =
        ErrorEvent { id, code: ErrorCode::RateLimited, text: "slow down".into(), retry_after_ms: Some(1500) };
    let direct = Direct { from: None, data: Payload::null(), verbatim: false, timestamp_ms: 1 };
    let cases = [
        (
            Event::Subscribed(subscribed),
            r#"{"type":"subscribed","id":1,"channel":"r","epoch":"ab","offset":7,"replayed":0}"#,
        ),
        (
            Event::Unsubscribed { id, topic: &topic, reason: None },
            r#"{"type":"unsubscribed","id":1,"channel":"r"}"#,
        ),
        (
            Event::Published { id, channel: &channel, position, duplicate: false },
            r#"{"type":"response","id":1,"data":{"published":true,"epoch":"ab","offset":7}}"#,
        ),
        (Event::Response { id, data: &Payload::null() }, r#"{"type":"response","id":1,"data":null}"#),
        (Event::Pong { id: None }, r#"{"type":"pong"}"#),
        (
            Event::Authenticated { id: None, user: Some(&user), expires_in_ms: None },
            r#"{"type":"authenticated","user_id":"u"}"#,
        ),
        (
            Event::Error(error),
            r#"{"type":"error","id":1,"code":"rate_limited","error":"slow down","retryAfter":1.5}"#,
        ),
        (Event::Direct(&direct), r#"{"type":"message","data":null,"timestamp":0.001}"#),
        (
            Event::Disconnect { code: CloseCode::Disconnected, reconnect_after_ms: None },
            r#"{"type":"disconnect","code":4000,"reason":"disconnected by the backend","reconnect":false}"#,
        ),
    ];
    for (event, wanted) in cases {
        assert_eq!(encode(&event), wanted);
    }
}

#[test]
fn each_bad_message_is_refused_by_its_own_code() {
    let long = "x".repeat(256);
    let cases: &[(&str, ErrorCode)] = &[
        ("", ErrorCode::InvalidJson),
        ("hello", ErrorCode::InvalidJson),
        (r#"{"type":"ping"} {}"#, ErrorCode::InvalidJson),
        (r#"{"type":"ping""#, ErrorCode::InvalidJson),
        ("null", ErrorCode::InvalidMessage),
        (" [1, 2] ", ErrorCode::InvalidMessage),
        ("1e999", ErrorCode::InvalidMessage),
        (r#""ping""#, ErrorCode::InvalidMessage),
        ("{}", ErrorCode::InvalidMessage),
        (r#"{"type":7}"#, ErrorCode::InvalidMessage),
        (r#"{"type":null}"#, ErrorCode::InvalidMessage),
        (r#"{"type":"ping","id":{}}"#, ErrorCode::InvalidField),
        (r#"{"type":"ping","id":true}"#, ErrorCode::InvalidField),
        (r#"{"type":"subscribe"}"#, ErrorCode::MissingField),
        (r#"{"type":"subscribe","channel":null}"#, ErrorCode::MissingField),
        (r#"{"type":"subscribe","channel":5}"#, ErrorCode::InvalidField),
        (r#"{"type":"subscribe","channel":""}"#, ErrorCode::InvalidChannel),
        (r#"{"type":"subscribe","channel":"a\u0000b"}"#, ErrorCode::InvalidChannel),
        (r#"{"type":"subscribe","pattern":"no.wildcard"}"#, ErrorCode::InvalidChannel),
        (r#"{"type":"subscribe","channel":"a","history":1e999}"#, ErrorCode::InvalidField),
        (
            r#"{"type":"subscribe","channel":"a","recover":{"epoch":"zz","offset":1}}"#,
            ErrorCode::InvalidField,
        ),
        (r#"{"type":"subscribe","channel":"a","filter":{"t":[]}}"#, ErrorCode::InvalidField),
        (r#"{"type":"message","channel":"a"}"#, ErrorCode::MissingField),
        (r#"{"type":"message","channel":"a","data":1,"binary":""}"#, ErrorCode::InvalidField),
        (r#"{"type":"message","channel":"\ud800","data":1}"#, ErrorCode::InvalidField),
        (r#"{"type":"auth"}"#, ErrorCode::MissingField),
        (r#"{"type":"","data":1}"#, ErrorCode::InvalidField),
    ];
    for (text, code) in cases {
        let rejection = decode(text).expect_err(text);
        assert_eq!(rejection.code, *code, "{text}: {}", rejection.text);
    }
    let rejection = decode(&format!(r#"{{"type":"subscribe","id":"q","channel":"{long}"}}"#)).unwrap_err();
    assert_eq!(
        (rejection.code, rejection.id),
        (ErrorCode::InvalidChannel, Some(RequestId::Text("q".into())))
    );
    let binary = NativeJson.decode(Incoming::Binary(b"{}"), &DecodeLimits::default()).unwrap_err();
    assert_eq!(binary.code, ErrorCode::WrongFrameKind);
}

#[test]
fn deep_nesting_is_refused_with_the_id_and_without_recursion() {
    for depth in [10_000, 250_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let text = format!(r#"{{"type":"message","channel":"a","data":{open}{close},"id":5}}"#);
        let rejection = decode(&text).unwrap_err();
        assert_eq!(
            (rejection.code, rejection.id),
            (ErrorCode::NestingTooDeep, Some(RequestId::Number("5".into())))
        );
        assert_eq!(decode(&open).unwrap_err().code, ErrorCode::NestingTooDeep);
        let objects = r#"{"a":"#.repeat(depth);
        assert_eq!(decode(&objects).unwrap_err().code, ErrorCode::NestingTooDeep);
    }
}
