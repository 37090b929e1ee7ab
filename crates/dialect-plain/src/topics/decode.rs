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
    // Only messages of the application are correlated.
    let no_id = |_: &Members<'_>| Ok(None);
    message::decode(message, limits, no_id, |members, id| command(members, id, characters_max, limits))
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
        "join" => content::join(None, content::room("roomId", members.room_id)?),
        "leave" => content::leave(None, content::room("roomId", members.room_id)?),
        "join_channel" => content::join(None, channel(&inner(members)?)?),
        "leave_channel" => content::leave(None, channel(&inner(members)?)?),
        "message" => {
            let channel = Some(content::room("roomId", members.room_id)?);
            let data = words("content", members.content, characters_max)?;
            Command::Message { id: None, channel, data, labels: None, echo: true }
        }
        "send_message" => {
            let inner = inner(members)?;
            let channel = Some(channel(&inner)?);
            let data = words("payload.content", inner.content, characters_max)?;
            Command::Message { id: None, channel, data, labels: None, echo: true }
        }
        "heartbeat" => heartbeat(members.timestamp, limits)?,
        "auth" => token::authenticate("token", members.token, id)?,
        other => {
            *id = correlation(members, limits)?;
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

fn heartbeat(timestamp: Option<&RawValue>, limits: &DecodeLimits) -> Checked<Command> {
    let sent = match fields::given(timestamp) {
        None => "null",
        Some(value) if value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            value.get()
        }
        Some(_) => return Err(Failure::invalid("timestamp", "a number")),
    };
    Ok(Command::Heartbeat { sent: failure::bounded("timestamp", sent, limits)? })
}

/// What the reply is to be found by: the correlation's id, or the message's own.
fn correlation(members: &Members<'_>, limits: &DecodeLimits) -> Checked<Option<RequestId>> {
    match fields::given(members.correlation_id) {
        Some(id) => fields::request_id("correlationId", Some(id), limits),
        None => fields::request_id("id", members.id, limits),
    }
}
