//! A message into a command.

use fanfare_json::failure::{self, Checked, Failure};
use fanfare_json::members::RawValue;
use fanfare_json::{fields, members, message};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, Incoming, Payload, Rejection, RequestId};

use crate::{content, token};

members! {
    /// Every member that some command knows.
    struct Members {
        kind = "type",
        id = "id",
        correlation_id = "correlationId",
        room_id = "roomId",
        content = "content",
        timestamp = "timestamp",
        payload = "payload",
        token = "token",
    }
}

members! {
    /// The other spelling's payload.
    struct Inner {
        channel_id = "channelId",
        content = "content",
    }
}

/// Understands one message.
pub(super) fn decode(
    message: Incoming<'_>,
    characters_max: u32,
    limits: &DecodeLimits,
) -> Result<Command, Rejection> {
    let id = |members: &Members<'_>| correlation(members, limits);
    message::decode(message, limits, id, |members, id| command(members, id, characters_max, limits))
}

fn command(
    members: &Members<'_>,
    id: &mut Option<RequestId>,
    characters_max: u32,
    limits: &DecodeLimits,
) -> Checked<Command> {
    if token::is_bare(members.kind, members.token) {
        return token::authenticate("token", members.token, id);
    }
    let kind = fields::kind(members.kind)?;
    Ok(match &*kind {
        "join" => {
            let room = content::room("roomId", members.room_id)?;
            content::join(id.take(), room)
        }
        "leave" => {
            let room = content::room("roomId", members.room_id)?;
            content::leave(id.take(), room)
        }
        "join_channel" => {
            let room = channel(&inner(members)?)?;
            content::join(id.take(), room)
        }
        "leave_channel" => {
            let room = channel(&inner(members)?)?;
            content::leave(id.take(), room)
        }
        "message" => {
            let room = content::room("roomId", members.room_id)?;
            let data = words("content", members.content, characters_max)?;
            said(id.take(), room, data)
        }
        "send_message" => {
            let inner = inner(members)?;
            let room = channel(&inner)?;
            let data = words("payload.content", inner.content, characters_max)?;
            said(id.take(), room, data)
        }
        "ping" => Command::Ping { id: id.take() },
        "heartbeat" => heartbeat(members.timestamp, id, limits)?,
        "auth" => token::authenticate("token", members.token, id)?,
        other => {
            if id.is_none() {
                // The application's own messages may also be found by their own id.
                *id = fields::request_id("id", members.id, limits)?;
            }
            let data = members.payload.map_or_else(Payload::null, fields::json);
            content::custom(other, data, id, limits)?
        }
    })
}

fn inner<'a>(members: &Members<'a>) -> Checked<Inner<'a>> {
    let payload = fields::given(members.payload).ok_or_else(|| Failure::missing("payload"))?;
    members::inner("payload", payload)
}

fn channel(inner: &Inner<'_>) -> Checked<fanfare_protocol::ChannelName> {
    content::room("payload.channelId", inner.channel_id)
}

/// A bounded string, in the sender's own spelling.
fn words(member: &str, value: Option<&RawValue>, characters_max: u32) -> Checked<Payload> {
    let text = fields::required(member, value)?;
    // A character is a byte at least, so most are not counted.
    let characters_max = characters_max as usize;
    if text.len() > characters_max && text.chars().count() > characters_max {
        return Err(Failure::invalid(member, format_args!("at most {characters_max} characters long")));
    }
    content::value(member, value)
}

/// Publishes; who correlates the message is told that it was accepted.
fn said(id: Option<RequestId>, channel: fanfare_protocol::ChannelName, data: Payload) -> Command {
    match id {
        None => Command::Message { id, channel: Some(channel), data, labels: None, echo: true },
        id => Command::Publish { id, channel, data, labels: None, echo: true, idempotency_key: None },
    }
}

fn heartbeat(
    timestamp: Option<&RawValue>,
    id: &mut Option<RequestId>,
    limits: &DecodeLimits,
) -> Checked<Command> {
    let sent = match fields::given(timestamp) {
        None => "null",
        Some(value) if value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            value.get()
        }
        Some(_) => return Err(Failure::invalid("timestamp", "a number")),
    };
    let sent = failure::bounded("timestamp", sent, limits)?;
    Ok(Command::Heartbeat { id: id.take(), sent })
}

/// What the reply is to be found by. The `id` of a type that the dialect knows asks for nothing.
fn correlation(members: &Members<'_>, limits: &DecodeLimits) -> Checked<Option<RequestId>> {
    fields::request_id("correlationId", members.correlation_id, limits)
}
