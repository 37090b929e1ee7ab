//! A message into a command.

use fanfare_json::failure::Checked;
use fanfare_json::{fields, members, message};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, Incoming, Payload, Rejection, RequestId};

use crate::{content, token};

members! {
    /// Every member that some command knows.
    struct Members {
        kind = "type",
        id = "id",
        room = "room",
        content = "content",
        token = "token",
    }
}

/// Understands one message.
pub(super) fn decode(message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
    // The dialect has no ids of requests. One of ours comes back, anything else by that name is the client's own.
    let id = |members: &Members<'_>| Ok(fields::request_id("id", members.id, limits).unwrap_or_default());
    let whole = || content::whole(message);
    message::decode(message, limits, id, |members, id| command(members, id, whole, limits))
}

fn command(
    members: &Members<'_>,
    id: &mut Option<RequestId>,
    whole: impl Fn() -> Payload,
    limits: &DecodeLimits,
) -> Checked<Command> {
    if token::is_bare(members.kind, members.token) {
        return token::authenticate("token", members.token, id);
    }
    let kind = fields::kind(members.kind)?;
    Ok(match &*kind {
        "join" => {
            let room = content::room("room", members.room)?;
            content::join(id.take(), room)
        }
        "leave" => {
            let room = content::room("room", members.room)?;
            content::leave(id.take(), room)
        }
        "message" => {
            let channel = Some(content::room("room", members.room)?);
            let data = content::value("content", members.content)?;
            Command::Message { id: id.take(), channel, data, labels: None, echo: true }
        }
        "ping" => Command::Ping { id: id.take() },
        "auth" => token::authenticate("token", members.token, id)?,
        other => {
            let data = members.content.map_or_else(whole, fields::json);
            content::custom(other, data, id, limits)?
        }
    })
}
