//! What a dialect does: bytes into commands, events into bytes.

use std::borrow::Cow;

use crate::codes::ErrorCode;
use crate::command::Command;
use crate::event::Event;
use crate::ids::RequestId;

/// One message from a client, as its transport delivered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message; valid UTF-8.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// Which kind of message carries an encoded event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Valid UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Bounds that decoding keeps to, beyond the transport's own bound on the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The deepest nesting of arrays and objects.
    pub depth_max: u32,
    /// The longest request id, method, type name, key, tag name or tag value, in bytes.
    pub name_bytes_max: usize,
    /// The most tags of a publication, tags of a filter, or users of a query.
    pub list_max: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { depth_max: 64, name_bytes_max: 255, list_max: 64 }
    }
}

/// A message that could not be understood. The connection is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The request's id, if it could be read.
    pub id: Option<RequestId>,
    /// Which failure.
    pub code: ErrorCode,
    /// What exactly; excerpts of the client's text go through [`excerpt`].
    pub text: Cow<'static, str>,
}

/// What a dialect's clients expect of a server beyond the form of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Habits {
    /// A connection is told who it is as soon as that is settled, without asking: `Connected` without an id.
    pub greets: bool,
    /// A connection whose token came with its request is told that it was accepted, before anything else:
    /// `Authenticated` without an id.
    pub confirms_tokens: bool,
    /// Members hear who comes and who goes, their own coming included, also where the namespace does not ask for it.
    pub hears_members: bool,
    /// Whenever somebody comes, members get the list of all: `Presence` without an id.
    pub hears_roster: bool,
    /// To subscribe twice, or to unsubscribe twice, is answered like the first time, and no error.
    pub repeats: bool,
    /// A connection is in the one room that it named when it opened, comes with it and goes with it.
    pub one_room: bool,
    /// The room of a connection that named none; none where it has to name one.
    pub common_room: Option<&'static str>,
    /// Its coming and going are entries of the room's history.
    pub posts_entries: bool,
    /// A text message may hold several messages of the dialect, with a newline between them. No message of it has a
    /// newline within, and all are text.
    pub reads_lines: bool,
    /// Its messages are not JSON: where a transport carries messages in JSON, it quotes them.
    pub opaque: bool,
    /// How many messages of the past come first when it joins, where it may see them.
    pub history_on_join: u32,
}

/// A way of speaking with clients.
///
/// Implementations are stateless and total: any bytes give a command or a rejection, none a panic, and the
/// same event always gives the same bytes. That makes one encoded event good for every connection that
/// speaks the dialect.
pub trait Dialect: Send + Sync {
    /// Understands one message.
    ///
    /// # Errors
    /// With the code and text for the client; the connection is kept.
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection>;

    /// Understands the first message of a connection that has to say who it is. A dialect that does not look into
    /// messages otherwise does so here.
    ///
    /// # Errors
    /// As for `decode`.
    fn decode_first(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        self.decode(message, limits)
    }

    /// Understands the first message of a connection that need not say who it is, and may do so all the same. A dialect
    /// that passes messages on unread recognises a token here, so that no token reaches other members.
    ///
    /// # Errors
    /// As for `decode`.
    fn decode_opening(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        self.decode(message, limits)
    }

    /// What its clients expect.
    fn habits(&self) -> Habits {
        Habits::default()
    }

    /// Appends the event to `out` and says which kind of message carries it; an empty message is one too.
    /// None for an event that the dialect has no form for: `out` is as it was, and nothing is sent.
    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind>;
}

/// A short, printable piece of what a client sent, for error texts and logs.
///
/// At most 40 characters; control and other unprintable characters are escaped.
pub fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == CHARACTERS_MAX {
            out.push('…');
            break;
        }
        if character == '"' || character == '\\' {
            out.push(character);
        } else {
            out.extend(character.escape_debug());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_printable() {
        assert_eq!(excerpt("plain"), "plain");
        assert_eq!(excerpt("a\nb\u{1b}[31m\u{202e}"), "a\\nb\\u{1b}[31m\\u{202e}");
        assert_eq!(excerpt(&"x".repeat(100)).chars().count(), 41);
    }
}
