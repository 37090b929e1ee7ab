//! Golden transcripts: `spec/cases/` has a folder for each of the dialects. `fanfare_testkit::transcripts` walks them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

use fanfare_dialect_plain::{Chat, Envelope, Raw, Rooms, Topics};
use fanfare_protocol::{Dialect, ErrorCode};
use fanfare_testkit::transcripts::{Encoding, Suite, spec};

const JSON_REFUSALS: &[ErrorCode] = &[
    ErrorCode::InvalidJson,
    ErrorCode::InvalidMessage,
    ErrorCode::WrongFrameKind,
    ErrorCode::MissingField,
    ErrorCode::InvalidField,
    ErrorCode::InvalidChannel,
    ErrorCode::NestingTooDeep,
];

/// Those of dialects whose clients name no room.
const ONE_ROOM_REFUSALS: &[ErrorCode] = &[
    ErrorCode::InvalidJson,
    ErrorCode::InvalidMessage,
    ErrorCode::WrongFrameKind,
    ErrorCode::MissingField,
    ErrorCode::InvalidField,
    ErrorCode::NestingTooDeep,
];

/// Compares the transcripts, and the examples of the dialect's part of the documentation.
fn check(folder: &str, dialect: (Encoding, &dyn Dialect), commands: &[&str], silent: &[&str]) {
    let one_room = dialect.1.habits().one_room;
    let refusals = if one_room { ONE_ROOM_REFUSALS } else { JSON_REFUSALS };
    let encodings = &[dialect];
    let suite = Suite { folder, encodings, schema: None, commands, refusals, silent };
    suite.check().unwrap();
    let document = std::fs::read_to_string(spec().join("../docs/dialects.md")).unwrap();
    let heading = format!("\n## {folder}\n");
    let (_, part) = document.split_once(&heading).expect(&heading);
    let part = part.split("\n## ").next().unwrap();
    let (said, told) = suite.check_examples(part).unwrap();
    assert!(said >= 2 && told >= 2, "{folder}: {said} and {told} examples");
}

#[test]
fn rooms_are_spoken_as_written() {
    let commands = ["Authenticate", "Subscribe", "Unsubscribe", "Message", "Ping", "Custom"];
    let silent = [
        "Connected",
        "Published",
        "Presence",
        "PresenceIncomplete",
        "History",
        "StatusSet",
        "Users",
        "Heartbeat",
    ];
    check("rooms", (Encoding::Plain, &Rooms), &commands, &silent);
}

#[test]
fn envelope_is_spoken_as_written() {
    let commands = ["Authenticate", "Subscribe", "Unsubscribe", "Message", "Ping", "Custom"];
    let silent = [
        "Joined",
        "Left",
        "Published",
        "Presence",
        "PresenceIncomplete",
        "History",
        "StatusSet",
        "Users",
        "Heartbeat",
    ];
    check("envelope", (Encoding::Plain, &Envelope), &commands, &silent);
}

#[test]
fn topics_are_spoken_as_written() {
    let commands =
        ["Authenticate", "Subscribe", "Unsubscribe", "Message", "Publish", "Ping", "Heartbeat", "Custom"];
    let silent = ["PresenceIncomplete", "History", "StatusSet", "Users"];
    check("topics", (Encoding::Plain, &Topics::default()), &commands, &silent);
}

#[test]
fn chat_is_spoken_as_written() {
    let silent = [
        "Connected",
        "Authenticated",
        "Expiring",
        "Published",
        "Presence",
        "PresenceIncomplete",
        "History",
        "StatusSet",
        "Users",
        "Heartbeat",
        "Disconnect",
    ];
    check(
        "chat",
        (Encoding::Plain, &Chat::default()),
        &["Authenticate", "Message", "Ping", "Custom"],
        &silent,
    );
}

#[test]
fn raw_is_spoken_as_written() {
    let silent = [
        "Connected",
        "Authenticated",
        "Expiring",
        "Subscribed",
        "Unsubscribed",
        "Published",
        "Joined",
        "Left",
        "Presence",
        "PresenceIncomplete",
        "History",
        "Response",
        "StatusSet",
        "Users",
        "Pong",
        "Heartbeat",
        "Error",
        "Lagged",
        "Disconnect",
    ];
    check("raw", (Encoding::Raw, &Raw), &["Authenticate", "Message"], &silent);
}
