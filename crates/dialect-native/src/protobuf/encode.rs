//! An event into a message.

use std::collections::BTreeMap;

use fanfare_protocol as neutral;
use fanfare_protocol::event::{ClientBounds, Direct, ErrorEvent, Subscribed, UserState};
use fanfare_protocol::{Event, RequestId};
use prost::Message as _;

use super::messages as proto;
use super::messages::server_message::{Event as Told, Id};

/// Appends the event.
pub(super) fn encode(event: &Event<'_>, out: &mut Vec<u8>) {
    let (id, event) = told(event);
    let message = proto::ServerMessage { id: id.map(request_id), event: Some(event) };
    // A vector grows, so there is always room.
    let _ = message.encode(out);
}

fn told<'a>(event: &Event<'a>) -> (Option<&'a RequestId>, Told) {
    match event {
        Event::Message(publication) => (None, Told::Message(message(publication))),
        Event::Direct(direct) if let Some(json) = direct.whole() => {
            (None, Told::Verbatim(String::from_utf8_lossy(json).into_owned()))
        }
        Event::Direct(direct) => (None, Told::Message(self::direct(direct))),
        Event::Connected { id, connection, user, expires_in_ms, bounds } => {
            let told = proto::Connected {
                connection: connection.to_string(),
                user_id: user.map(ToString::to_string).unwrap_or_default(),
                limits: Some(limits(*bounds)),
                expires_in_ms: *expires_in_ms,
            };
            (*id, Told::Connected(told))
        }
        Event::Authenticated { id, user, expires_in_ms } => {
            let user_id = user.map(ToString::to_string).unwrap_or_default();
            (*id, Told::Authenticated(proto::Authenticated { user_id, expires_in_ms: *expires_in_ms }))
        }
        Event::Expiring { in_ms } => (None, Told::Expiring(proto::Expiring { expires_in_ms: *in_ms })),
        Event::Subscribed(reply) => (reply.id, Told::Subscribed(subscribed(reply))),
        Event::Unsubscribed { id, topic, reason } => (*id, Told::Unsubscribed(unsubscribed(topic, *reason))),
        Event::Published { id, position, duplicate, .. } => {
            let position = Some(self::position(*position));
            (*id, Told::Published(proto::Published { position, duplicate: *duplicate }))
        }
        Event::Joined { channel, member } => (None, Told::Join(membership(channel, member))),
        Event::Left { channel, member } => (None, Told::Leave(membership(channel, member))),
        Event::Presence { id, channel, members } => {
            let members = Some(self::members(members));
            (
                *id,
                Told::Presence(proto::Presence { channel: channel.to_string(), members, incomplete: false }),
            )
        }
        Event::PresenceIncomplete { channel } => {
            let channel = channel.to_string();
            (None, Told::Presence(proto::Presence { channel, members: None, incomplete: true }))
        }
        Event::History { id, channel, publications, position, more } => {
            let messages = publications.iter().map(|publication| past_message(publication)).collect();
            let (channel, position) = (channel.to_string(), Some(self::position(*position)));
            (*id, Told::History(proto::History { channel, messages, position, more: *more }))
        }
        Event::Response { id, data } => (*id, Told::Response(proto::Response { data: Some(payload(data)) })),
        Event::StatusSet { id, status } => {
            (*id, Told::Status(proto::StatusSet { status: self::status(*status).into() }))
        }
        Event::Users { id, users } => {
            (*id, Told::Users(proto::Users { users: users.iter().map(user_state).collect() }))
        }
        Event::Pong { id } => (*id, Told::Pong(proto::Pong {})),
        // Nobody asks for it in this dialect.
        Event::Heartbeat { id, .. } => (*id, Told::Pong(proto::Pong {})),
        Event::Error(error) => (error.id, Told::Error(self::error(error))),
        Event::Lagged { channel, dropped } => {
            (None, Told::Lagged(proto::Lagged { channel: channel.to_string(), dropped: *dropped }))
        }
        Event::Disconnect { code, reconnect_after_ms } => {
            let told = proto::Disconnect {
                code: code.number().into(),
                reason: code.text().to_owned(),
                reconnect: reconnect_after_ms.is_some(),
                retry_after_ms: *reconnect_after_ms,
            };
            (None, Told::Disconnect(told))
        }
    }
}

/// A number that this encoding could not have brought comes back as its spelling.
fn request_id(id: &RequestId) -> Id {
    match id {
        RequestId::Number(spelling) => {
            spelling.parse().map_or_else(|_| Id::Text(spelling.to_string()), Id::Number)
        }
        RequestId::Text(text) => Id::Text(text.to_string()),
    }
}

fn message(publication: &neutral::Publication) -> proto::Message {
    proto::Message { channel: publication.channel.to_string(), ..past_message(publication) }
}

/// A message in a page of history: the channel is the page's.
fn past_message(publication: &neutral::Publication) -> proto::Message {
    let (tags, key) = match &publication.labels {
        None => (BTreeMap::new(), String::new()),
        Some(labels) => {
            let tags = labels.tags.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            (tags.collect(), labels.key.as_deref().unwrap_or_default().to_owned())
        }
    };
    let place = publication.position.offset;
    let (offset, after) = if publication.kind.is_numbered() { (place, 0) } else { (0, place) };
    proto::Message {
        channel: String::new(),
        from: from(publication),
        data: Some(payload(&publication.data)),
        offset,
        after,
        timestamp_ms: publication.timestamp_ms,
        tags,
        key,
        entry: publication.entry().unwrap_or_default().to_owned(),
    }
}

/// The user, for an anonymous sender the connection, and for the backend nothing.
fn from(publication: &neutral::Publication) -> String {
    match (&publication.from, publication.connection) {
        (Some(user), _) => user.to_string(),
        (None, Some(connection)) => connection.to_string(),
        (None, None) => String::new(),
    }
}

fn direct(direct: &Direct) -> proto::Message {
    proto::Message {
        from: direct.from.as_ref().map(ToString::to_string).unwrap_or_default(),
        data: Some(payload(&direct.data)),
        timestamp_ms: direct.timestamp_ms,
        ..proto::Message::default()
    }
}

fn payload(payload: &neutral::Payload) -> proto::Payload {
    use proto::payload::Kind;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    proto::Payload {
        kind: Some(match payload {
            neutral::Payload::Json(json) => Kind::Json(text(json)),
            neutral::Payload::Text(bytes) => Kind::Text(text(bytes)),
            neutral::Payload::Binary(bytes) => Kind::Binary(bytes.clone()),
        }),
    }
}

fn limits(bounds: ClientBounds) -> proto::Limits {
    proto::Limits {
        message_bytes: bounds.message_bytes_max,
        subscriptions: bounds.subscriptions_max,
        ping_interval_ms: bounds.ping_interval_ms,
    }
}

fn topic(topic: &neutral::command::Topic) -> proto::Topic {
    use proto::topic::Topic;
    proto::Topic {
        topic: Some(match topic {
            neutral::command::Topic::Channel(name) => Topic::Channel(name.to_string()),
            neutral::command::Topic::Pattern(pattern) => Topic::Pattern(pattern.to_string()),
        }),
    }
}

fn unsubscribed(topic: &neutral::command::Topic, reason: Option<neutral::ErrorCode>) -> proto::Unsubscribed {
    use proto::unsubscribed::Topic;
    proto::Unsubscribed {
        topic: Some(match topic {
            neutral::command::Topic::Channel(name) => Topic::Channel(name.to_string()),
            neutral::command::Topic::Pattern(pattern) => Topic::Pattern(pattern.to_string()),
        }),
        code: reason.map(|code| code.as_str().to_owned()).unwrap_or_default(),
    }
}

fn position(position: neutral::Position) -> proto::Position {
    proto::Position { epoch: position.epoch.0, offset: position.offset }
}

fn subscribed(reply: &Subscribed<'_>) -> proto::Subscribed {
    proto::Subscribed {
        topic: Some(topic(reply.topic)),
        position: reply.position.map(position),
        recovered: reply.recovered,
        replayed: reply.replayed,
        members: reply.presence.map(members),
    }
}

fn membership(channel: &neutral::ChannelName, member: &neutral::event::Member) -> proto::Membership {
    proto::Membership { channel: channel.to_string(), member: Some(self::member(member)) }
}

fn member(member: &neutral::event::Member) -> proto::Member {
    proto::Member {
        user: member.user.to_string(),
        connections: member.connections,
        info: member.info.as_ref().map(payload),
        joined_ms: member.joined_ms,
        last_seen_ms: member.last_seen_ms,
    }
}

fn members(members: &neutral::event::Members) -> proto::Members {
    proto::Members {
        members: members.members.iter().map(member).collect(),
        users: members.users,
        connections: members.connections,
    }
}

fn status(status: neutral::command::Status) -> proto::Status {
    match status {
        neutral::command::Status::Online => proto::Status::Online,
        neutral::command::Status::Away => proto::Status::Away,
        neutral::command::Status::Offline => proto::Status::Offline,
    }
}

fn user_state(state: &UserState) -> proto::UserState {
    proto::UserState {
        user: state.user.to_string(),
        status: status(state.status).into(),
        last_seen_ms: state.last_seen_ms,
    }
}

fn error(error: &ErrorEvent<'_>) -> proto::Error {
    proto::Error {
        code: error.code.as_str().to_owned(),
        error: error.text.clone().into_owned(),
        retry_after_ms: error.retry_after_ms,
    }
}
