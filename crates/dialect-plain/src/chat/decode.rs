//! A message into a command.

use fanfare_json::failure::{Checked, Failure};
use fanfare_json::members::RawValue;
use fanfare_json::{fields, members, message};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::publication::Labels;
use fanfare_protocol::{Command, Incoming, Payload, Rejection, RequestId};

use crate::{content, token};

members! {
    /// Every member that is looked at. What a client says of itself and of the time is not.
    struct Members {
        kind = "type",
        content = "content",
        token = "token",
    }
}

/// Understands one message.
pub(super) fn decode(message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
    let no_id = |_: &Members<'_>| Ok(None);
    let whole = || content::whole(message);
    message::decode(message, limits, no_id, |members, id| command(members, id, whole, limits))
}

/// The longest type of a client's own, in characters.
const WORD_CHARS_MAX: usize = 32;

/// Types that are the server's: nobody else says who came, or what failed.
const WORDS_OF_THE_SERVER: [&str; 7] =
    ["join", "leave", "error", "response", "pong", "lagged", "authenticated"];

/// Whatever has content is a message, whichever type it claims. Only a `message` is kept; another type passes by.
fn command(
    members: &Members<'_>,
    id: &mut Option<RequestId>,
    whole: impl Fn() -> Payload,
    limits: &DecodeLimits,
) -> Checked<Command> {
    if fields::text("content", members.content)?.is_some() {
        let data = content::value("content", members.content)?;
        let labels =
            word(members.kind).map(|word| Box::new(Labels { word: Some(word), ..Labels::default() }));
        return Ok(Command::Message { id: None, channel: None, data, labels, echo: true });
    }
    if token::is_bare(members.kind, members.token) {
        return token::authenticate("token", members.token, id);
    }
    if fields::given(members.kind).is_none() {
        return Err(Failure::missing("content"));
    }
    match &*fields::kind(members.kind)? {
        "auth" => token::authenticate("token", members.token, id),
        "ping" => Ok(Command::Ping { id: None }),
        "message" | "join" | "leave" => Err(Failure::missing("content")),
        other => content::custom(other, whole(), id, limits),
    }
}

/// The type that the client gives what is no `message`; none where it gives none, or one that it may not.
fn word(kind: Option<&RawValue>) -> Option<Box<str>> {
    let word = fields::text("type", kind).ok()??;
    let is_own = !word.is_empty() && *word != *"message" && !WORDS_OF_THE_SERVER.contains(&&*word);
    (is_own && word.chars().take(WORD_CHARS_MAX + 1).count() <= WORD_CHARS_MAX).then(|| word.into())
}
