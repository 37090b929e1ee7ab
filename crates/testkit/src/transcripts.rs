//! Golden transcripts, the conformance suite of every dialect: `spec/cases/<dialect>/` says what each message is
//! understood as and what each event looks like. `spec/cases/README.md` describes the files.
//!
//! With `FANFARE_BLESS=1` the files are written anew from what the code does: read the difference before you commit
//! it.
//!
//! - `decode`: what a client says, and what it is understood as
//! - `encode`: what the server says, and what it looks like
//! - `events`: one event of each kind and turn

mod decode;
mod encode;
mod events;

use std::error::Error;
use std::path::PathBuf;

use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Dialect, ErrorCode, Incoming};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which members of a case hold the messages of an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// `text`, each one a JSON object, and `binary_hex`.
    Plain,
    /// `text` and `binary_hex`, of which nothing is known.
    Raw,
    /// `json`, and `json_hex` for binary messages.
    Json,
    /// `protobuf_hex`, its meaning in `protobuf`, and `protobuf_text` for text messages.
    Protobuf,
}

/// A foreign implementation of the Protocol Buffers schema, which knows none of our code.
pub trait Schema {
    /// The bytes of a client's message given in the JSON form that Protocol Buffers define.
    fn client_message(&self, json: &Value) -> Vec<u8>;
    /// The JSON form of a server's message; all of its bytes are accounted for by the schema.
    fn server_message(&self, bytes: &[u8]) -> Value;
}

/// A dialect, and what its transcripts have to cover.
pub struct Suite<'a> {
    /// The folder in `spec/cases/`.
    pub folder: &'a str,
    /// The ways of writing one and the same message.
    pub encodings: &'a [(Encoding, &'a dyn Dialect)],
    /// Needed for [`Encoding::Protobuf`].
    pub schema: Option<&'a dyn Schema>,
    /// The commands that its clients can give, in every encoding.
    pub commands: &'a [&'a str],
    /// The refusals that decoding can come to; all others are the engine's or the server's.
    pub refusals: &'a [ErrorCode],
    /// The events that it has no form for.
    pub silent: &'a [&'a str],
}

/// What a look at the files comes to.
type Read<T> = Result<T, Box<dyn Error>>;

impl Suite<'_> {
    /// Compares every transcript with what the dialect does.
    ///
    /// # Errors
    /// When the files cannot be read.
    ///
    /// # Panics
    /// Where they differ from what the dialect does, or do not cover what they should.
    pub fn check(&self) -> Read<()> {
        for name in self.files("")? {
            assert!(name.starts_with("decode_") || name.starts_with("encode_"), "{name} is of no kind");
        }
        self.check_decoding()?;
        self.check_encoding()
    }

    /// Checks the examples in a text about the dialect, and says how many there were: after `→ ` what a client says, which
    /// is understood, and after `← ` what the server says, which is in a transcript.
    ///
    /// # Errors
    /// When the files cannot be read.
    ///
    /// # Panics
    /// When an example is not true.
    pub fn check_examples(&self, text: &str) -> Read<(usize, usize)> {
        let told = self.texts()?;
        let (_, dialect) = self.encodings.first().ok_or("no encoding")?;
        let (mut said_count, mut told_count) = (0, 0);
        for line in text.lines() {
            if let Some(message) = line.strip_prefix("→ ") {
                let outcome = dialect.decode(Incoming::Text(message), &DecodeLimits::default());
                assert!(outcome.is_ok(), "{}: {message}: {outcome:?}", self.folder);
                said_count += 1;
            } else if let Some(message) = line.strip_prefix("← ") {
                assert!(told.contains(message), "{}: in no transcript: {message}", self.folder);
                told_count += 1;
            }
        }
        Ok((said_count, told_count))
    }

    fn path(&self) -> PathBuf {
        spec().join("cases").join(self.folder)
    }

    /// The names of the files that begin so.
    fn files(&self, start: &str) -> Read<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.path())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(start) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn read<Case: for<'de> Deserialize<'de>>(&self, file: &str) -> Read<Vec<Case>> {
        let text = std::fs::read_to_string(self.path().join(file))?;
        let transcript: Result<Transcript<Case>, _> = serde_json::from_str(&text);
        Ok(transcript.map_err(|error| format!("{file}: {error}"))?.cases)
    }

    /// Compares a file with what it should be, or writes it.
    fn settle<Case: Serialize>(&self, file: &str, cases: Vec<Case>) -> Read<()> {
        let wanted = serde_json::to_string_pretty(&Transcript { cases })? + "\n";
        let path = self.path().join(file);
        if std::env::var_os("FANFARE_BLESS").is_some() {
            std::fs::write(&path, &wanted)?;
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        for (index, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
            assert_eq!(found, wanted, "{}/{file}:{}", self.folder, index + 1);
        }
        assert_eq!(found.lines().count(), wanted.lines().count(), "{file} is longer or shorter");
        Ok(())
    }
}

/// One file of cases.
#[derive(Serialize, Deserialize)]
struct Transcript<Case> {
    cases: Vec<Case>,
}

/// The folder of the specification.
pub fn spec() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec")
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let byte = |pair: &[Option<u32>]| match pair {
        [Some(high), Some(low)] => (high << 4 | low) as u8,
        _ => panic!("no hexadecimal digits: {text}"),
    };
    digits.chunks(2).map(byte).collect()
}
