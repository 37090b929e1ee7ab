//! What a client says, and what it is understood as.

use std::collections::BTreeSet;

use fanfare_dialect_native::{NativeJson, NativeProtobuf};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, Dialect, ErrorCode, Incoming, Rejection, RequestId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::Schema;
use super::{Transcript, files, folder, hex, settle, unhex};

/// What a client sends, in one encoding or several, and what comes of it.
#[derive(Serialize, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// A text message to the JSON dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<String>,
    /// A binary message to the JSON dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    json_hex: Option<String>,
    /// The same message in the JSON form that Protocol Buffers define for a ClientMessage.
    #[serde(skip_serializing_if = "Option::is_none")]
    protobuf: Option<Value>,
    /// A binary message to the Protocol Buffers dialect: the bytes of `protobuf`, or odd ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    protobuf_hex: Option<String>,
    /// A text message to the Protocol Buffers dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    protobuf_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<Refused>,
}

#[derive(Serialize, Deserialize, Clone)]
struct Refused {
    id: Value,
    code: String,
    text: String,
}

impl Case {
    fn outcomes(&self) -> Vec<Result<Command, Rejection>> {
        let limits = DecodeLimits::default();
        let mut outcomes = Vec::new();
        let json_bytes = self.json_hex.as_deref().map(unhex);
        let protobuf_bytes = self.protobuf_hex.as_deref().map(unhex);
        let json = [self.json.as_deref().map(Incoming::Text), json_bytes.as_deref().map(Incoming::Binary)];
        for message in json.into_iter().flatten() {
            outcomes.push(NativeJson.decode(message, &limits));
        }
        let text = self.protobuf_text.as_deref().map(Incoming::Text);
        for message in [protobuf_bytes.as_deref().map(Incoming::Binary), text].into_iter().flatten() {
            outcomes.push(NativeProtobuf.decode(message, &limits));
        }
        outcomes
    }
}

fn refused(rejection: &Rejection) -> Refused {
    let id = match &rejection.id {
        None => Value::Null,
        Some(RequestId::Number(spelling)) => serde_json::from_str(spelling).unwrap(),
        Some(RequestId::Text(text)) => Value::String(text.to_string()),
    };
    Refused { id, code: rejection.code.as_str().to_owned(), text: rejection.text.to_string() }
}

/// The case as it should be: both encodings are understood alike, and the outcome is what came out.
fn checked(case: &Case, schema: &Schema) -> (Case, Result<Command, Rejection>) {
    let mut case = case.clone();
    if let Some(message) = &case.protobuf {
        case.protobuf_hex = Some(hex(&schema.client_message(message)));
    }
    let outcomes = case.outcomes();
    let outcome = outcomes.first().unwrap_or_else(|| panic!("{}: no message", case.name)).clone();
    assert!(outcomes.iter().all(|other| *other == outcome), "{}: {outcomes:#?}", case.name);
    case.command = outcome.as_ref().ok().map(|command| format!("{command:?}"));
    case.rejection = outcome.as_ref().err().map(refused);
    (case, outcome)
}

/// The variant's name, and the names of all of them, from one list that the compiler holds complete.
macro_rules! variants {
    ($($variant:ident)*) => {
        const COMMANDS: &[&str] = &[$(stringify!($variant)),*];

        fn variant(command: &Command) -> &'static str {
            match command {
                $(Command::$variant { .. } => stringify!($variant),)*
                Command::Heartbeat { .. } => unreachable!("nothing in this dialect asks for it"),
            }
        }
    };
}

variants! {
    Connect Authenticate Subscribe Unsubscribe Message Publish Presence History Request SetStatus Users Ping
    Pong Disconnect Custom
}

/// The refusals that decoding can come to; all others are the engine's or the server's.
const RAISED: &[ErrorCode] = &[
    ErrorCode::InvalidJson,
    ErrorCode::InvalidProtobuf,
    ErrorCode::InvalidMessage,
    ErrorCode::WrongFrameKind,
    ErrorCode::MissingField,
    ErrorCode::InvalidField,
    ErrorCode::InvalidChannel,
    ErrorCode::NestingTooDeep,
];

#[test]
fn what_clients_say_is_understood_as_written() {
    let schema = Schema::read();
    let (mut commands, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for file in files("decode_") {
        let text = std::fs::read_to_string(folder().join(&file)).unwrap();
        let transcript: Transcript<Case> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut cases = Vec::new();
        for case in &transcript.cases {
            let (case, outcome) = checked(case, &schema);
            let encodings = (case.json.is_some(), case.protobuf.is_some());
            match outcome {
                Ok(command) => commands.extend(match encodings {
                    (true, true) => vec![("json", variant(&command)), ("protobuf", variant(&command))],
                    (true, false) => vec![("json", variant(&command))],
                    _ => vec![("protobuf", variant(&command))],
                }),
                Err(rejection) => {
                    codes.insert(rejection.code);
                }
            }
            cases.push(case);
        }
        settle(&file, cases);
    }
    for command in COMMANDS {
        for encoding in ["json", "protobuf"] {
            assert!(commands.contains(&(encoding, *command)), "no transcript of {command} in {encoding}");
        }
    }
    assert_eq!(
        codes,
        RAISED.iter().copied().collect(),
        "the codes in transcripts, and those that decoding raises"
    );
}
