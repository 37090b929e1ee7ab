//! The text of a message to a command, within the bounds on depth and size.

use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, ErrorCode, Incoming, Rejection, RequestId};

use crate::failure::{Checked, Failure};
use crate::members::{self, Members};

/// Understands one message: `id` reads the request's id out of its members, `command` all the rest.
///
/// `command` takes the id only when nothing can fail any more: a refusal needs it too.
///
/// # Errors
/// When it is no text, not JSON, no object or too deep, and when `id` or `command` say so.
pub fn decode<'a, M: Members<'a>>(
    message: Incoming<'a>,
    limits: &DecodeLimits,
    id: impl FnOnce(&M) -> Checked<Option<RequestId>>,
    command: impl FnOnce(&M, &mut Option<RequestId>) -> Checked<Command>,
) -> Result<Command, Rejection> {
    let without_id = |failure: Failure| failure.reject(None);
    let text = text(message).map_err(without_id)?;
    let deep = members::too_deep(text.as_bytes(), limits.depth_max);
    let members = match members::parse(text) {
        Ok(members) => members,
        Err(_) if deep => return Err(Failure::too_deep(limits).reject(None)),
        Err(failure) => return Err(failure.reject(None)),
    };
    let mut id = id(&members).map_err(without_id)?;
    if deep {
        return Err(Failure::too_deep(limits).reject(id));
    }
    command(&members, &mut id).map_err(|failure| failure.reject(id))
}

fn text(message: Incoming<'_>) -> Checked<&str> {
    match message {
        Incoming::Text(text) => Ok(text),
        Incoming::Binary(_) => {
            let text = "this connection speaks JSON, which goes in text messages";
            Err(Failure::new(ErrorCode::WrongFrameKind, text))
        }
    }
}
