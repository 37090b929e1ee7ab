//! Where a value came from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Where the value of a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// Built in, for the demo page's namespace.
    Demo,
    /// A line of the configuration file.
    File {
        /// The file, as it was named.
        path: Arc<str>,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
    /// The namespace has no value of its own and takes that of `[namespace]`.
    Inherited(Box<Source>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Demo => f.write_str("default of the demo page"),
            Source::File { path, line } => write!(f, "{path}:{line}"),
            Source::Environment(name) => write!(f, "env {name}"),
            Source::Flag(flag) => write!(f, "flag {flag}"),
            Source::Inherited(source) => write!(f, "{source}, by [namespace]"),
        }
    }
}

/// A text that values are written in, to point into: the file, or one assignment of the environment or the
/// command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// What to call it.
    pub(super) name: Arc<str>,
    /// All of it.
    pub(super) text: Arc<str>,
}

impl Text {
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The line of a place, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        bytes[..at.min(bytes.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// One value's place: in which text, and where there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) text: Text,
    /// The setting's name.
    pub(super) key: Range<usize>,
    /// The setting's value.
    pub(super) value: Range<usize>,
}
