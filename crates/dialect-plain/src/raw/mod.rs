//! The raw dialect: a connection is in one room, and what one member sends reaches every other byte for byte.

use std::cell::Cell;
use std::str;

use fanfare_json::failure::{Checked, Failure};
use fanfare_json::{fields, members, message};
use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Payload, Rejection, RequestId};

use bytes::Bytes;

use crate::{content, token};

/// The raw dialect, WebSocket subprotocol [`Raw::SUBPROTOCOL`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Raw {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.raw";

    /// The room of connections that name none. Clients of relays that know no rooms have no name to give, and expect to
    /// reach each other. It is called after the dialect, so that it is no room that an application has for other clients.
    pub const COMMON_ROOM: &'static str = "raw";
}

members! {
    /// What a first message that says who is there may have.
    struct First {
        kind = "type",
        token = "token",
    }
}

impl Dialect for Raw {
    fn decode(&self, message: Incoming<'_>, _limits: &DecodeLimits) -> Result<Command, Rejection> {
        let data = match message {
            Incoming::Text(text) => Payload::Text(Bytes::copy_from_slice(text.as_bytes())),
            Incoming::Binary(bytes) => Payload::Binary(Bytes::copy_from_slice(bytes)),
        };
        Ok(Command::Message { id: None, channel: None, data, labels: None, echo: false })
    }

    fn decode_first(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        message::decode(message, limits, |_| Ok(None), first)
    }

    fn decode_opening(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        let is_token = Cell::new(false);
        let understood = message::decode(
            message,
            limits,
            |_| Ok(None),
            |members: &First<'_>, id| {
                let is_auth =
                    fields::text("type", members.kind).is_ok_and(|kind| kind.as_deref() == Some("auth"));
                let has_token = fields::given(members.token).is_some();
                is_token.set(has_token && (is_auth || token::is_bare(members.kind, members.token)));
                first(members, id)
            },
        );
        if is_token.get() { understood } else { self.decode(message, limits) }
    }

    fn habits(&self) -> Habits {
        Habits { one_room: true, common_room: Some(Self::COMMON_ROOM), opaque: true, ..Habits::default() }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        match event {
            Event::Message(publication) if publication.kind == Kind::Message => {
                Some(bytes(&publication.data, out))
            }
            Event::Direct(direct) => Some(bytes(&direct.data, out)),
            _ => None,
        }
    }
}

fn first(members: &First<'_>, id: &mut Option<RequestId>) -> Checked<Command> {
    if !token::is_bare(members.kind, members.token) && fields::kind(members.kind)? != "auth" {
        return Err(Failure::missing("token"));
    }
    token::authenticate("token", members.token, id)
}

/// Appends what was sent: a string's characters, other JSON as it is written, and bytes as they are.
fn bytes(payload: &Payload, out: &mut Vec<u8>) -> FrameKind {
    match payload {
        Payload::Json(_) => out.extend_from_slice(content::text(payload).as_bytes()),
        Payload::Text(bytes) | Payload::Binary(bytes) => out.extend_from_slice(bytes),
    }
    match payload {
        Payload::Json(_) => FrameKind::Text,
        Payload::Text(bytes) if str::from_utf8(bytes).is_ok() => FrameKind::Text,
        Payload::Text(_) | Payload::Binary(_) => FrameKind::Binary,
    }
}
