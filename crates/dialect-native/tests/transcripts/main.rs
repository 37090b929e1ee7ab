//! Golden transcripts: `spec/cases/native/` says what each message is understood as and what each event looks like,
//! in both encodings. `fanfare_testkit::transcripts` walks them; the bytes of the binary encoding are checked by a
//! foreign implementation that knows nothing but `spec/fanfare.proto`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod schema;

use fanfare_dialect_native::{NativeJson, NativeProtobuf};
use fanfare_protocol::ErrorCode;
use fanfare_testkit::transcripts::{Encoding, Suite, spec};

/// What the transcripts have to cover.
const SUITE: Suite<'_> = Suite {
    folder: "native",
    encodings: &[(Encoding::Json, &NativeJson), (Encoding::Protobuf, &NativeProtobuf)],
    schema: None,
    commands: &[
        "Connect",
        "Authenticate",
        "Subscribe",
        "Unsubscribe",
        "Message",
        "Publish",
        "Presence",
        "History",
        "Request",
        "SetStatus",
        "Users",
        "Ping",
        "Pong",
        "Disconnect",
        "Custom",
    ],
    refusals: &[
        ErrorCode::InvalidJson,
        ErrorCode::InvalidProtobuf,
        ErrorCode::InvalidMessage,
        ErrorCode::WrongFrameKind,
        ErrorCode::MissingField,
        ErrorCode::InvalidField,
        ErrorCode::InvalidChannel,
        ErrorCode::NestingTooDeep,
    ],
    silent: &[],
};

#[test]
fn what_is_said_and_told_is_as_written() {
    let schema = schema::Compiled::read();
    Suite { schema: Some(&schema), ..SUITE }.check().unwrap();
}

/// What a client says in `spec/SPEC.md` is understood, and what the server says is in the transcripts.
#[test]
fn the_examples_of_the_specification_are_true() {
    let text = std::fs::read_to_string(spec().join("SPEC.md")).unwrap();
    let (said, told) = SUITE.check_examples(&text).unwrap();
    assert!(said >= 15 && told >= 25, "{said} and {told} examples");
}
