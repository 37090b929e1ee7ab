//! Where the binary encoding has rules of its own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use fanfare_dialect_native::NativeProtobuf;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, Dialect, ErrorCode, Event, Incoming, Payload, Rejection, RequestId};

fn decode(bytes: &[u8]) -> Result<Command, Rejection> {
    NativeProtobuf.decode(Incoming::Binary(bytes), &DecodeLimits::default())
}

#[test]
fn ids_keep_their_kind() {
    // number = 7, ping = {}
    assert_eq!(decode(&[8, 7, 0x72, 0]), Ok(Command::Ping { id: Some(RequestId::Number("7".into())) }));
    // text = "", ping = {}
    assert_eq!(decode(&[0x12, 0, 0x72, 0]), Ok(Command::Ping { id: Some(RequestId::Text("".into())) }));
    let mut out = Vec::new();
    NativeProtobuf.encode(&Event::Pong { id: Some(&RequestId::Number("7".into())) }, &mut out);
    assert_eq!(out, [8, 7, 0x82, 1, 0]);
}

#[test]
fn what_is_no_command_is_refused_with_its_id_where_there_is_one() {
    assert_eq!(decode(&[0xff]).unwrap_err().code, ErrorCode::InvalidProtobuf);
    assert_eq!(decode(&[]).unwrap_err().code, ErrorCode::InvalidMessage);
    let unknown = decode(&[8, 7, 0xfa, 1, 0]).unwrap_err();
    assert_eq!((unknown.code, unknown.id), (ErrorCode::InvalidMessage, Some(RequestId::Number("7".into()))));
    let text = NativeProtobuf.decode(Incoming::Text("{}"), &DecodeLimits::default()).unwrap_err();
    assert_eq!(text.code, ErrorCode::WrongFrameKind);
}

/// A value of one byte, sent among white space, was a slice that kept all of it alive for as long as the history did.
#[test]
fn white_space_around_a_payload_is_not_kept_alive_by_it() {
    // publish = { channel = "x", data = { json = " 1    …" } }
    let json = format!(" 1{}", " ".repeat(98));
    let mut bytes = vec![0x42, 107, 0x0a, 1, b'x', 0x12, 102, 0x0a, 100];
    bytes.extend_from_slice(json.as_bytes());
    let Ok(Command::Publish { data: Payload::Json(data), .. }) = decode(&bytes) else {
        panic!("it is a publish");
    };
    assert_eq!(&*data, b"1");
    assert_eq!(data.try_into_mut().unwrap().capacity(), 1, "what was trimmed is still held");
}
