//! An event into an object.

use fanfare_json::object::{self, key, list, number, open, span, text};
use fanfare_json::write;
use fanfare_protocol::command::Topic;
use fanfare_protocol::event::{ErrorEvent, Members, Subscribed};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{ChannelName, ErrorCode, Event, Payload, RequestId, UserId};

use crate::content;

/// Appends the event; false for one that has no form.
pub(super) fn encode(event: &Event<'_>, out: &mut Vec<u8>) -> bool {
    match event {
        Event::Message(publication) if publication.kind == Kind::Message => {
            out.reserve(publication.data.bytes().len() + 120);
            open(out, "message");
            content::text_or_null(out, "userId", content::sender(publication).as_deref());
            content::payload(out, "content", &publication.data);
            text(out, "roomId", publication.channel.as_str());
        }
        Event::Joined { channel, member } => membership(out, "user_joined", channel, &member.user),
        Event::Left { channel, member } => membership(out, "user_left", channel, &member.user),
        Event::Presence { id: None, channel, members } => presence(out, channel, members),
        Event::Pong { id } => pong(out, *id),
        Event::Heartbeat { id, sent, unix_ms } => heartbeat(out, *id, sent, *unix_ms),
        Event::Connected { connection, user, .. } => {
            open(out, "welcome");
            content::who(out, "userId", *user, *connection);
        }
        Event::Authenticated { id, user, .. } => {
            open(out, "authenticated");
            content::text_or_null(out, "userId", user.map(UserId::as_str));
            correlation(out, *id);
        }
        Event::Direct(direct) if let Some(json) = direct.whole() => {
            out.extend_from_slice(json);
            return true;
        }
        Event::Direct(direct) => {
            open(out, "broadcast");
            content::payload(out, "content", &direct.data);
        }
        Event::Response { id, data } => response(out, *id, data),
        Event::Error(error) => self::error(out, error),
        Event::Unsubscribed { topic, reason: Some(code), .. } => ended(out, topic, *code),
        Event::Subscribed(Subscribed { topic, recovered: Some(false), .. }) => {
            ended(out, topic, ErrorCode::HistoryUnavailable);
        }
        Event::Subscribed(Subscribed { id: Some(id), topic, .. })
        | Event::Unsubscribed { id: Some(id), topic, .. } => done(out, id, topic.as_str(), None),
        Event::Published { id: Some(id), channel, position, .. } => {
            done(out, id, channel.as_str(), Some(position.offset));
        }
        Event::Expiring { in_ms } => {
            open(out, "expiring");
            span(out, "expires_in", *in_ms);
        }
        Event::Lagged { channel, dropped } => {
            open(out, "lagged");
            text(out, "roomId", channel.as_str());
            number(out, "dropped", *dropped);
        }
        Event::Disconnect { code, reconnect_after_ms } => {
            open(out, "disconnect");
            object::farewell(out, *code, *reconnect_after_ms);
        }
        // What was asked for in no way that this dialect has, and what is told otherwise: who joins hears of themself.
        Event::Message(_)
        | Event::Subscribed(_)
        | Event::Unsubscribed { .. }
        | Event::Published { .. }
        | Event::Presence { .. }
        | Event::PresenceIncomplete { .. }
        | Event::History { .. }
        | Event::StatusSet { .. }
        | Event::Users { .. } => return false,
    }
    out.push(b'}');
    true
}

fn pong(out: &mut Vec<u8>, id: Option<&RequestId>) {
    open(out, "pong");
    correlation(out, id);
}

fn heartbeat(out: &mut Vec<u8>, id: Option<&RequestId>, sent: &str, unix_ms: u64) {
    open(out, "heartbeat_ack");
    number(out, "timestamp", unix_ms);
    key(out, "originalTimestamp");
    write::raw(out, sent);
    correlation(out, id);
}

fn membership(out: &mut Vec<u8>, kind: &str, channel: &ChannelName, user: &UserId) {
    open(out, kind);
    text(out, "userId", user.as_str());
    text(out, "roomId", channel.as_str());
}

fn presence(out: &mut Vec<u8>, channel: &ChannelName, members: &Members) {
    open(out, "presence");
    key(out, "users");
    list(out, &members.members, |out, member| {
        out.push(b'{');
        text(out, "userId", member.user.as_str());
        text(out, "roomId", channel.as_str());
        number(out, "lastSeen", member.last_seen_ms);
        out.push(b'}');
    });
}

/// A reply has an id of its own, made of the one that it answers.
fn response(out: &mut Vec<u8>, id: Option<&RequestId>, data: &Payload) {
    out.push(b'{');
    if let Some(id) = id {
        let (RequestId::Number(spelling) | RequestId::Text(spelling)) = id;
        text(out, "id", &format!("{spelling}.reply"));
    }
    correlation(out, id);
    content::payload(out, "payload", data);
}

/// What was asked with a correlation is done.
fn done(out: &mut Vec<u8>, id: &RequestId, room: &str, offset: Option<u64>) {
    out.push(b'{');
    correlation(out, Some(id));
    key(out, "payload");
    out.push(b'{');
    text(out, "roomId", room);
    if let Some(offset) = offset {
        number(out, "offset", offset);
    }
    out.push(b'}');
}

fn correlation(out: &mut Vec<u8>, id: Option<&RequestId>) {
    if let Some(id) = id {
        key(out, "correlationId");
        write::request_id(out, id);
    }
}

fn error(out: &mut Vec<u8>, error: &ErrorEvent<'_>) {
    failed(out, error.code, &error.text);
    correlation(out, error.id);
    object::retry_after(out, error.retry_after_ms);
}

/// The server ended a subscription.
fn ended(out: &mut Vec<u8>, topic: &Topic, code: ErrorCode) {
    failed(out, code, code.text());
    text(out, "roomId", topic.as_str());
}

/// Every error has `error` too: clients that correlate test for it, and take an answer without it as success.
fn failed(out: &mut Vec<u8>, code: ErrorCode, message: &str) {
    open(out, "error");
    text(out, "code", word(code));
    text(out, "message", message);
    text(out, "error", message);
}

/// The dialect has five words for all that can go wrong.
fn word(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidJson => "PARSE_ERROR",
        ErrorCode::UnknownType => "UNKNOWN_TYPE",
        ErrorCode::RateLimited => "RATE_LIMIT_EXCEEDED",
        ErrorCode::PermissionDenied
        | ErrorCode::AuthenticationRequired
        | ErrorCode::AuthenticationFailed
        | ErrorCode::AuthenticationDisabled
        | ErrorCode::TokenExpired
        | ErrorCode::TokenRevoked
        | ErrorCode::Unauthorized
        | ErrorCode::OriginNotAllowed
        | ErrorCode::CsrfFailed => "FORBIDDEN",
        _ => "INVALID_MESSAGE",
    }
}
