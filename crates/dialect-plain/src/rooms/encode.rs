//! An event into an object.

use fanfare_json::object::{self, number, open, span, text};
use fanfare_json::write;
use fanfare_protocol::command::Topic;
use fanfare_protocol::event::{ErrorEvent, Subscribed};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{ChannelName, ErrorCode, Event, RequestId, UserId};

use crate::content;

/// Appends the event; false for one that has no form.
pub(super) fn encode(event: &Event<'_>, out: &mut Vec<u8>) -> bool {
    match event {
        Event::Message(publication) if publication.kind == Kind::Message => {
            out.reserve(publication.data.bytes().len() + 120);
            open(out, "message");
            text(out, "room", publication.channel.as_str());
            content::text_or_null(out, "user_id", content::sender(publication).as_deref());
            content::payload(out, "content", &publication.data);
        }
        Event::Joined { channel, member } => membership(out, "joined", channel, &member.user),
        Event::Left { channel, member } => membership(out, "left", channel, &member.user),
        Event::Direct(direct) if let Some(json) = direct.whole() => {
            out.extend_from_slice(json);
            return true;
        }
        Event::Direct(direct) => {
            open(out, "broadcast");
            content::payload(out, "content", &direct.data);
        }
        Event::Authenticated { id, user, .. } => {
            open(out, "authenticated");
            content::text_or_null(out, "user_id", user.map(UserId::as_str));
            self::id(out, *id);
        }
        Event::Response { id, data } => {
            open(out, "response");
            content::payload(out, "content", data);
            self::id(out, *id);
        }
        Event::Pong { id } => {
            open(out, "pong");
            self::id(out, *id);
        }
        Event::Error(error) => self::error(out, error),
        Event::Unsubscribed { topic, reason: Some(code), .. } => failed_at(out, topic, *code),
        Event::Subscribed(Subscribed { topic, recovered: Some(false), .. }) => {
            failed_at(out, topic, ErrorCode::HistoryUnavailable);
        }
        Event::Expiring { in_ms } => {
            open(out, "expiring");
            span(out, "expires_in", *in_ms);
        }
        Event::Lagged { channel, dropped } => {
            open(out, "lagged");
            text(out, "room", channel.as_str());
            number(out, "dropped", *dropped);
        }
        Event::Disconnect { code, reconnect_after_ms } => {
            open(out, "disconnect");
            object::farewell(out, *code, *reconnect_after_ms);
        }
        // What was asked for in no way that this dialect has, and what is told otherwise: who joins hears of themself.
        Event::Message(_)
        | Event::Connected { .. }
        | Event::Subscribed(_)
        | Event::Unsubscribed { .. }
        | Event::Published { .. }
        | Event::Presence { .. }
        | Event::PresenceIncomplete { .. }
        | Event::History { .. }
        | Event::StatusSet { .. }
        | Event::Users { .. }
        | Event::Heartbeat { .. } => return false,
    }
    out.push(b'}');
    true
}

fn membership(out: &mut Vec<u8>, kind: &str, channel: &ChannelName, user: &UserId) {
    open(out, kind);
    text(out, "room", channel.as_str());
    text(out, "user_id", user.as_str());
}

fn id(out: &mut Vec<u8>, id: Option<&RequestId>) {
    if let Some(id) = id {
        object::key(out, "id");
        write::request_id(out, id);
    }
}

fn failed_at(out: &mut Vec<u8>, topic: &Topic, code: ErrorCode) {
    failed(out, code, code.text());
    text(out, "room", topic.as_str());
}

fn failed(out: &mut Vec<u8>, code: ErrorCode, message: &str) {
    open(out, "error");
    text(out, "message", message);
    text(out, "code", code.as_str());
}

fn error(out: &mut Vec<u8>, error: &ErrorEvent<'_>) {
    failed(out, error.code, &error.text);
    object::retry_after(out, error.retry_after_ms);
    id(out, error.id);
}
