//! `fanfare publish`: one message to one channel of a running server.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::api_args::ApiArgs;
use super::{Failure, Program, print};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where to.
    channel: String,
    /// What: JSON, or else text; "-" reads it from standard input.
    data: String,
    /// Send the data as text, whether it is JSON, looks like it or not.
    #[arg(long, conflicts_with = "binary")]
    text: bool,
    /// Send the data as bytes.
    #[arg(long)]
    binary: bool,
    /// The user in whose name.
    #[arg(long, value_name = "USER")]
    from: Option<String>,
    /// A label that subscribers may filter by; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    tag: Vec<String>,
    /// Where only the latest is kept for slow subscribers: of what.
    #[arg(long, value_name = "KEY")]
    latest_of: Option<String>,
    /// Publish only once under this key, however often it is tried.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print the answer as it came, on one line, to a terminal too.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

/// Of the answer, what people want to know.
#[derive(Deserialize)]
struct Answer {
    offset: u64,
    duplicate: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

pub(super) fn run(args: &Args, program: &Program) -> Result<(), Failure> {
    let body = serde_json::to_string(&args.body()?).map_err(|error| Failure::Text(error.to_string()))?;
    let answer = args.api.call(program, "publish", body)?;
    // Whatever else answers JSON to anything has not published.
    let told: Answer = serde_json::from_str(&answer).map_err(|_| {
        Failure::Text(
            "what answered is no Fanfare server: it does not say where the message stands".to_owned(),
        )
    })?;
    match args.json || !std::io::stdout().is_terminal() {
        true => print(&format!("{}\n", answer.trim_end())),
        false => print(&format!("{}\n", told.said(&args.channel))),
    }
}

impl Answer {
    fn said(&self, channel: &str) -> String {
        let offset = self.offset;
        match self.duplicate {
            true => format!("published earlier under this idempotency key: message {offset} of {channel:?}"),
            false => format!("published: message {offset} of {channel:?}"),
        }
    }
}

impl Args {
    fn body(&self) -> Result<Body<'_>, Failure> {
        let mut tags = BTreeMap::new();
        for tag in &self.tag {
            let (name, value) =
                tag.split_once('=').ok_or_else(|| Failure::Usage("--tag takes NAME=VALUE".to_owned()))?;
            tags.insert(name, value);
        }
        let bytes = self.bytes()?;
        let (data, binary) = match self.binary {
            true => (None, Some(STANDARD.encode(bytes))),
            false => (Some(json(&bytes, self.text)?), None),
        };
        Ok(Body {
            channel: &self.channel,
            data,
            binary,
            from: self.from.as_deref(),
            tags,
            key: self.latest_of.as_deref(),
            idempotency_key: self.idempotency_key.as_deref(),
        })
    }

    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        if self.data != "-" {
            return Ok(self.data.clone().into_bytes());
        }
        let mut bytes = Vec::new();
        match std::io::stdin().lock().read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Failure::Text(format!("cannot read standard input: {error}"))),
        }
    }
}

/// JSON as it came; anything else as a JSON string.
fn json(bytes: &[u8], as_text: bool) -> Result<Box<RawValue>, Failure> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Failure::Usage("the data is not text; send it with --binary".to_owned()))?;
    if !as_text {
        match serde_json::from_str::<Box<RawValue>>(text) {
            Ok(value) => return Ok(value),
            // More likely a quote that the shell took than a text that somebody means.
            Err(error) if text.trim_start().starts_with(['{', '[', '"']) => {
                return Err(Failure::Usage(format!(
                    "the data begin like JSON and are not: {error}; quote them for the shell, or send them with --text"
                )));
            }
            Err(_) => {}
        }
    }
    serde_json::value::to_raw_value(text).map_err(|error| Failure::Text(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_as_it_is_and_the_rest_as_text() {
        let cases = [
            (r#"{"a": 1.0}"#, false, r#"{"a": 1.0}"#),
            ("hello", false, r#""hello""#),
            ("1 2", false, r#""1 2""#),
            ("12", false, "12"),
            ("12", true, r#""12""#),
            (" null\n", false, "null"),
            ("", false, r#""""#),
        ];
        for (given, as_text, wanted) in cases {
            let value = json(given.as_bytes(), as_text).map_err(|error| error.to_string()).unwrap();
            assert_eq!(value.get(), wanted, "{given:?}");
        }
        assert!(json(b"\xff", false).is_err());
    }

    #[test]
    fn a_terminal_gets_a_sentence() {
        let said = |json| serde_json::from_str::<Answer>(json).unwrap().said("a\u{1b}");
        let first = said(r#"{"offset":7,"epoch":"a1","duplicate":false}"#);
        assert_eq!(first, r#"published: message 7 of "a\u{1b}""#);
        let again = said(r#"{"offset":7,"epoch":"a1","duplicate":true}"#);
        assert!(again.contains("earlier"), "{again}");
    }

    /// `fanfare publish room {"text": "hello"}`, whose quotes the shell removes, sent `{text: hello}` as a text and said
    /// that all was well.
    #[test]
    fn what_begins_like_json_and_is_not_is_refused() {
        for given in ["{text: hello}", " [1, 2", "\"unfinished"] {
            let error = json(given.as_bytes(), false).err().unwrap().to_string();
            assert!(error.contains("--text"), "{error}");
            assert!(json(given.as_bytes(), true).is_ok());
        }
    }
}
