//! An event into an object.

use fanfare_json::object::{self, key, number, open, span, text};
use fanfare_json::write;
use fanfare_protocol::event::{ErrorEvent, Subscribed};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{ErrorCode, Event, Payload, RequestId, UserId};

use crate::content;

/// Appends the event; false for one that has no form.
pub(super) fn encode(event: &Event<'_>, out: &mut Vec<u8>) -> bool {
    match event {
        Event::Message(publication) if publication.kind == Kind::Message => {
            out.reserve(publication.data.bytes().len() + 80);
            begin(out, "room:message");
            text(out, "room", publication.channel.as_str());
            content::payload(out, "data", &publication.data);
            end(out, None);
        }
        Event::Direct(direct) if let Some(json) = direct.whole() => {
            out.extend_from_slice(json);
            return true;
        }
        Event::Direct(direct) => value(out, "broadcast", &direct.data, None),
        Event::Response { id, data } => value(out, "response", data, *id),
        Event::Pong { id } => {
            open(out, "pong");
            request_id(out, *id);
            out.push(b'}');
        }
        Event::Connected { id, connection, user, .. } => {
            begin(out, "connected");
            key(out, "clientId");
            write::plain(out, connection);
            content::who(out, "userId", *user, *connection);
            end(out, *id);
        }
        Event::Authenticated { id, user, .. } => {
            begin(out, "authenticated");
            content::text_or_null(out, "userId", user.map(UserId::as_str));
            end(out, *id);
        }
        Event::Subscribed(reply) => subscribed(out, reply),
        Event::Unsubscribed { id, topic, reason } => {
            begin(out, "room:left");
            text(out, "room", topic.as_str());
            code(out, *reason);
            end(out, *id);
        }
        Event::Error(error) => self::error(out, error),
        Event::Expiring { in_ms } => {
            begin(out, "expiring");
            span(out, "expires_in", *in_ms);
            end(out, None);
        }
        Event::Lagged { channel, dropped } => {
            begin(out, "lagged");
            text(out, "room", channel.as_str());
            number(out, "dropped", *dropped);
            end(out, None);
        }
        Event::Disconnect { code, reconnect_after_ms } => {
            begin(out, "disconnect");
            object::farewell(out, *code, *reconnect_after_ms);
            end(out, None);
        }
        // What was asked for in no way that this dialect has; and it does not tell who else comes and goes.
        Event::Message(_)
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::Published { .. }
        | Event::Presence { .. }
        | Event::PresenceIncomplete { .. }
        | Event::History { .. }
        | Event::StatusSet { .. }
        | Event::Users { .. }
        | Event::Heartbeat { .. } => return false,
    }
    true
}

/// A message whose payload is the application's.
fn subscribed(out: &mut Vec<u8>, reply: &Subscribed<'_>) {
    begin(out, "room:joined");
    text(out, "room", reply.topic.as_str());
    if reply.recovered == Some(false) {
        object::flag(out, "recovered", false);
    }
    end(out, reply.id);
}

fn value(out: &mut Vec<u8>, kind: &str, payload: &Payload, id: Option<&RequestId>) {
    open(out, kind);
    content::payload(out, "payload", payload);
    request_id(out, id);
    out.push(b'}');
}

/// Begins a message whose payload is an object.
fn begin(out: &mut Vec<u8>, kind: &str) {
    open(out, kind);
    key(out, "payload");
    out.push(b'{');
}

/// Ends both.
fn end(out: &mut Vec<u8>, id: Option<&RequestId>) {
    out.push(b'}');
    request_id(out, id);
    out.push(b'}');
}

fn request_id(out: &mut Vec<u8>, id: Option<&RequestId>) {
    if let Some(id) = id {
        key(out, "requestId");
        write::request_id(out, id);
    }
}

fn code(out: &mut Vec<u8>, code: Option<ErrorCode>) {
    if let Some(code) = code {
        text(out, "code", code.as_str());
    }
}

fn error(out: &mut Vec<u8>, error: &ErrorEvent<'_>) {
    begin(out, "error");
    text(out, "message", &error.text);
    code(out, Some(error.code));
    object::retry_after(out, error.retry_after_ms);
    end(out, error.id);
}
