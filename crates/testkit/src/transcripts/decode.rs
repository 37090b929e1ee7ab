//! What a client says, and what it is understood as.

use std::collections::BTreeSet;

use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, Dialect, Incoming, Rejection, RequestId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Encoding, Read, Suite, hex, unhex};

/// What a client sends, in one encoding or several, and what comes of it.
#[derive(Serialize, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Whether it is the first message of a connection that has to say who it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    first: bool,
    /// Whether it is the first message of a connection that need not say who it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    opening: bool,
    /// A text message.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// A binary message.
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_hex: Option<String>,
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
    /// What the message is understood as; none where the case has none in this encoding.
    fn outcomes(&self, encoding: Encoding, dialect: &dyn Dialect) -> Vec<Result<Command, Rejection>> {
        let limits = DecodeLimits::default();
        let (text, binary) = match encoding {
            Encoding::Plain | Encoding::Raw => (&self.text, &self.binary_hex),
            Encoding::Json => (&self.json, &self.json_hex),
            Encoding::Protobuf => (&self.protobuf_text, &self.protobuf_hex),
        };
        let binary = binary.as_deref().map(unhex);
        let messages = [text.as_deref().map(Incoming::Text), binary.as_deref().map(Incoming::Binary)];
        let understand = |message| match (self.first, self.opening) {
            (true, _) => dialect.decode_first(message, &limits),
            (_, true) => dialect.decode_opening(message, &limits),
            _ => dialect.decode(message, &limits),
        };
        messages.into_iter().flatten().map(understand).collect()
    }
}

fn refused(rejection: &Rejection) -> Refused {
    let id = match &rejection.id {
        None => Value::Null,
        Some(RequestId::Number(spelling)) => {
            serde_json::from_str(spelling).unwrap_or_else(|error| panic!("{spelling}: {error}"))
        }
        Some(RequestId::Text(text)) => Value::String(text.to_string()),
    };
    Refused { id, code: rejection.code.as_str().to_owned(), text: rejection.text.to_string() }
}

/// The variant's name, as `Debug` shows it.
fn variant(command: &Command) -> String {
    let shown = format!("{command:?}");
    shown.split([' ', '(']).next().unwrap_or_default().to_owned()
}

impl Suite<'_> {
    /// The case as it should be: all encodings are understood alike, and the outcome is what came out.
    fn checked(&self, case: &Case) -> (Case, Vec<Encoding>, Result<Command, Rejection>) {
        let mut case = case.clone();
        if let (Some(message), Some(schema)) = (&case.protobuf, self.schema) {
            case.protobuf_hex = Some(hex(&schema.client_message(message)));
        }
        let (mut outcomes, mut encodings) = (Vec::new(), Vec::new());
        for (encoding, dialect) in self.encodings {
            let understood = case.outcomes(*encoding, *dialect);
            encodings.extend(understood.iter().map(|_| *encoding));
            outcomes.extend(understood);
        }
        let outcome = outcomes.first().unwrap_or_else(|| panic!("{}: no message", case.name)).clone();
        assert!(outcomes.iter().all(|other| *other == outcome), "{}: {outcomes:#?}", case.name);
        case.command = outcome.as_ref().ok().map(|command| format!("{command:?}"));
        case.rejection = outcome.as_ref().err().map(refused);
        (case, encodings, outcome)
    }

    pub(super) fn check_decoding(&self) -> Read<()> {
        let (mut commands, mut codes) = (BTreeSet::new(), BTreeSet::new());
        let files = self.files("decode_")?;
        assert!(!files.is_empty());
        for file in files {
            let mut cases = Vec::new();
            for case in &self.read::<Case>(&file)? {
                let (case, encodings, outcome) = self.checked(case);
                match outcome {
                    Ok(command) => {
                        commands.extend(encodings.into_iter().map(|encoding| (encoding, variant(&command))))
                    }
                    Err(rejection) => {
                        codes.insert(rejection.code);
                    }
                }
                cases.push(case);
            }
            self.settle(&file, cases)?;
        }
        let each = |encoding: Encoding| self.commands.iter().map(move |name| (encoding, (*name).to_owned()));
        let wanted: BTreeSet<_> = self.encodings.iter().flat_map(|(encoding, _)| each(*encoding)).collect();
        assert_eq!(commands, wanted, "{}: the commands in transcripts, and all", self.folder);
        let wanted = self.refusals.iter().copied().collect();
        assert_eq!(
            codes, wanted,
            "{}: the codes in transcripts, and those that decoding raises",
            self.folder
        );
        Ok(())
    }
}
