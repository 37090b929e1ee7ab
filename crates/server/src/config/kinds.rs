//! Kinds of values: how each is read from the file, read from text, bounded, and shown.

mod amounts;
mod credentials;
mod networks;
mod rules;
mod words;

use std::ops::Range;

pub(super) use amounts::{Bytes, Count, Millis, OptionalMillis};
pub(super) use credentials::{Algorithms, CookieName, KeySetAddress, SharedSecret, WordList, Words};
pub(super) use networks::{Networks, Origins};
pub(super) use rules::{Cost, Mark, Who};
pub(super) use words::{Addresses, Choice, FilePath, Filter, Flag, Secrets, Word};

/// A value before its setting has looked at it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// Text of the environment or the command line: it may stand for any kind.
    Loose(String),
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A list, with the place of each item.
    List(Vec<(Given, Range<usize>)>),
    /// A table.
    Table,
    /// A date or time.
    Moment,
}

impl Given {
    fn name(&self) -> &'static str {
        match self {
            Given::Loose(_) | Given::Text(_) => "a string",
            Given::Integer(_) | Given::Float(_) => "a number",
            Given::Boolean(_) => "a boolean",
            Given::List(_) => "a list",
            Given::Table => "a table",
            Given::Moment => "a date",
        }
    }
}

/// Why a value was refused. Never carries the value itself: it may be a secret.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// For the label under the value: "expected a duration, found a boolean".
    pub(super) text: String,
    /// What to write instead.
    pub(super) help: Option<String>,
    /// The part of the value that is meant; all of it without.
    pub(super) part: Option<Range<usize>>,
}

impl Refusal {
    fn wrong_type(expected: &str, found: &Given) -> Self {
        match found {
            Given::Loose(_) => Self::new(format!("expected {expected}")),
            found => Self::new(format!("expected {expected}, found {}", found.name())),
        }
    }

    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), help: None, part: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A kind of value.
pub(super) trait Kind {
    /// What it is in the program.
    type Value;

    /// Reads and bounds one.
    fn read(&self, given: &Given) -> Result<Self::Value, Refusal>;

    /// Writes one as it could stand in the file; secrets are withheld.
    fn show(&self, value: &Self::Value) -> String;

    /// What it is called and what it may be, for `fanfare check --keys` and error texts.
    fn describe(&self) -> String;
}

/// A string in the file's syntax.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
