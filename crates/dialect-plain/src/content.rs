//! Payloads, and who sent them.

use std::borrow::Cow;

use bytes::Bytes;
use fanfare_json::failure::{self, Checked, Failure};
use fanfare_json::fields;
use fanfare_json::members::RawValue;
use fanfare_json::{object, write};
use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{
    ChannelName, Command, ConnectionId, Incoming, Payload, Publication, RequestId, UserId,
};

/// A room or channel that has to be named; `member` is where.
pub(crate) fn room(member: &str, value: Option<&RawValue>) -> Checked<ChannelName> {
    failure::channel(member, &fields::required(member, value)?)
}

/// Joins a room.
pub(crate) fn join(id: Option<RequestId>, room: ChannelName) -> Command {
    Command::Subscribe { id, topic: Topic::Channel(room), options: SubscribeOptions::default() }
}

/// Leaves a room.
pub(crate) fn leave(id: Option<RequestId>, room: ChannelName) -> Command {
    Command::Unsubscribe { id, topic: Topic::Channel(room) }
}

/// A message of the application's own; `data` finds its argument.
pub(crate) fn custom(
    kind: &str,
    data: Payload,
    id: &mut Option<RequestId>,
    limits: &DecodeLimits,
) -> Checked<Command> {
    let kind = failure::name("type", kind, limits)?;
    Ok(Command::Custom { id: id.take(), kind, data })
}

/// The JSON value of a member that has to be there, in the sender's own spelling.
pub(crate) fn value(member: &str, value: Option<&RawValue>) -> Checked<Payload> {
    value.map(fields::json).ok_or_else(|| Failure::missing(member))
}

/// A message that was understood, as the application's handler gets it where it has no member for its argument.
pub(crate) fn whole(message: Incoming<'_>) -> Payload {
    match message {
        Incoming::Text(text) => Payload::Json(Bytes::copy_from_slice(text.trim().as_bytes())),
        Incoming::Binary(bytes) => Payload::Binary(Bytes::copy_from_slice(bytes)),
    }
}

/// A payload as text for people: a string unescaped, other JSON as it is written.
pub(crate) fn text(payload: &Payload) -> Cow<'_, str> {
    match payload {
        Payload::Json(json) => fields::unquoted(json).unwrap_or_else(|| String::from_utf8_lossy(json)),
        Payload::Text(text) => String::from_utf8_lossy(text),
        Payload::Binary(_) => {
            let mut out = Vec::new();
            write::value(&mut out, payload);
            Cow::Owned(String::from_utf8_lossy(&out).into_owned())
        }
    }
}

/// The user, or for an anonymous sender the connection; none for the backend in nobody's name.
pub(crate) fn sender(publication: &Publication) -> Option<Cow<'_, str>> {
    match (&publication.from, publication.connection) {
        (Some(user), _) => Some(Cow::Borrowed(user.as_str())),
        (None, Some(connection)) => Some(Cow::Owned(connection.to_string())),
        (None, None) => None,
    }
}

/// Appends a string, or null.
pub(crate) fn text_or_null(out: &mut Vec<u8>, name: &str, text: Option<&str>) {
    object::key(out, name);
    match text {
        Some(text) => write::string(out, text),
        None => write::raw(out, "null"),
    }
}

/// Appends who the connection is: the user, or itself while it is anonymous.
pub(crate) fn who(out: &mut Vec<u8>, name: &str, user: Option<&UserId>, connection: ConnectionId) {
    object::key(out, name);
    match user {
        Some(user) => write::string(out, user.as_str()),
        None => write::plain(out, connection),
    }
}

/// Appends a payload as a JSON value.
pub(crate) fn payload(out: &mut Vec<u8>, name: &str, payload: &Payload) {
    object::key(out, name);
    write::value(out, payload);
}
