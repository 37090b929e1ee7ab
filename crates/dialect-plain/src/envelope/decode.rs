//! A message into a command.

use fanfare_json::failure::{Checked, Failure};
use fanfare_json::{fields, members, message};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, Incoming, Payload, Rejection, RequestId};

use crate::{content, token};

members! {
    /// The envelope.
    struct Members {
        kind = "type",
        payload = "payload",
        token = "token",
        request_id = "requestId",
    }
}

members! {
    /// What some payloads have.
    struct Inner {
        room = "room",
        data = "data",
        token = "token",
    }
}

/// Understands one message.
pub(super) fn decode(message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
    let id = |members: &Members<'_>| fields::request_id("requestId", members.request_id, limits);
    message::decode(message, limits, id, |members, id| command(members, id, limits))
}

fn command(members: &Members<'_>, id: &mut Option<RequestId>, limits: &DecodeLimits) -> Checked<Command> {
    if token::is_bare(members.kind, members.token) {
        return token::authenticate("token", members.token, id);
    }
    let kind = fields::kind(members.kind)?;
    Ok(match &*kind {
        "join" => {
            let room = content::room("payload", members.payload)?;
            content::join(id.take(), room)
        }
        "leave" => {
            let room = content::room("payload", members.payload)?;
            content::leave(id.take(), room)
        }
        "broadcast" | "room:message" => {
            let inner = inner(members)?;
            let channel = Some(content::room("payload.room", inner.room)?);
            let data = content::value("payload.data", inner.data)?;
            Command::Message { id: id.take(), channel, data, labels: None, echo: false }
        }
        "ping" => Command::Ping { id: id.take() },
        "auth" => auth(members, id)?,
        other => {
            let data = members.payload.map_or_else(Payload::null, fields::json);
            content::custom(other, data, id, limits)?
        }
    })
}

fn inner<'a>(members: &Members<'a>) -> Checked<Inner<'a>> {
    let payload = fields::given(members.payload).ok_or_else(|| Failure::missing("payload"))?;
    members::inner("payload", payload)
}

/// The token is the payload, or stands in it.
fn auth(members: &Members<'_>, id: &mut Option<RequestId>) -> Checked<Command> {
    match fields::given(members.payload) {
        Some(payload) if payload.get().starts_with('"') => token::authenticate("payload", Some(payload), id),
        None if fields::given(members.token).is_some() => token::authenticate("token", members.token, id),
        _ => token::authenticate("payload.token", inner(members)?.token, id),
    }
}
