//! An event into an object.

use fanfare_json::object::{self, flag, key, list, number, span, text, time};
use fanfare_json::write;
use fanfare_protocol::command::Topic;
use fanfare_protocol::event::{ClientBounds, Direct, ErrorEvent, Member, Members, Subscribed, UserState};
use fanfare_protocol::publication::Labels;
use fanfare_protocol::{ErrorCode, Event, Position, Publication, RequestId, UserId};

/// Appends the event.
pub(super) fn encode(event: &Event<'_>, out: &mut Vec<u8>) {
    match event {
        Event::Message(publication) => message(out, publication),
        Event::Direct(direct) if let Some(json) = direct.whole() => {
            out.extend_from_slice(json);
            return;
        }
        Event::Direct(direct) => self::direct(out, direct),
        Event::Connected { id, connection, user, expires_in_ms, bounds } => {
            open(out, "connected", *id);
            key(out, "connection");
            write::plain(out, connection);
            user_id(out, *user);
            expires_in(out, *expires_in_ms);
            client_bounds(out, *bounds);
        }
        Event::Authenticated { id, user, expires_in_ms } => authenticated(out, *id, *user, *expires_in_ms),
        Event::Expiring { in_ms } => {
            open(out, "expiring", None);
            expires_in(out, Some(*in_ms));
        }
        Event::Subscribed(reply) => subscribed(out, reply),
        Event::Unsubscribed { id, topic, reason } => unsubscribed(out, *id, topic, *reason),
        Event::Published { id, position, duplicate, .. } => published(out, *id, *position, *duplicate),
        Event::Joined { channel, member } => membership(out, "join", channel.as_str(), member),
        Event::Left { channel, member } => membership(out, "leave", channel.as_str(), member),
        Event::Presence { id, channel, members } => {
            open(out, "presence", *id);
            text(out, "channel", channel.as_str());
            self::members(out, members);
        }
        Event::PresenceIncomplete { channel } => presence_incomplete(out, channel.as_str()),
        Event::History { id, channel, publications, position, more } => {
            open(out, "history", *id);
            text(out, "channel", channel.as_str());
            key(out, "messages");
            list(out, publications, |out, publication| past_message(out, publication));
            self::position(out, *position);
            flag(out, "more", *more);
        }
        Event::Response { id, data } => {
            open(out, "response", *id);
            write::payload(out, data);
        }
        Event::StatusSet { id, status } => {
            open(out, "status", *id);
            text(out, "status", status.as_str());
        }
        Event::Users { id, users } => {
            open(out, "users", *id);
            key(out, "users");
            list(out, users, user_state);
        }
        Event::Pong { id } => open(out, "pong", *id),
        // Nobody asks for it in this dialect.
        Event::Heartbeat { id, .. } => open(out, "pong", *id),
        Event::Error(error) => self::error(out, error),
        Event::Lagged { channel, dropped } => {
            open(out, "lagged", None);
            text(out, "channel", channel.as_str());
            number(out, "dropped", *dropped);
        }
        Event::Disconnect { code, reconnect_after_ms } => {
            open(out, "disconnect", None);
            object::farewell(out, *code, *reconnect_after_ms);
        }
    }
    out.push(b'}');
}

/// Begins an object.
fn open(out: &mut Vec<u8>, kind: &str, id: Option<&RequestId>) {
    object::open(out, kind);
    if let Some(id) = id {
        key(out, "id");
        write::request_id(out, id);
    }
}

fn authenticated(
    out: &mut Vec<u8>,
    id: Option<&RequestId>,
    user: Option<&UserId>,
    expires_in_ms: Option<u64>,
) {
    open(out, "authenticated", id);
    user_id(out, user);
    expires_in(out, expires_in_ms);
}

fn message(out: &mut Vec<u8>, publication: &Publication) {
    out.reserve(publication.data.bytes().len() + 160);
    write::raw(out, "{\"type\":\"message\",\"channel\":");
    write::string(out, publication.channel.as_str());
    from(out, publication);
    write::payload(out, &publication.data);
    number(out, place(publication), publication.position.offset);
    time(out, "timestamp", publication.timestamp_ms);
    labels(out, publication.labels.as_deref());
    if let Some(entry) = publication.entry() {
        text(out, "entry", entry);
    }
}

/// What the offset is: a message's own, or that of the message it follows.
fn place(publication: &Publication) -> &'static str {
    if publication.kind.is_numbered() { "offset" } else { "after" }
}

/// A message in a page of history: the channel is the page's, and the offset comes first.
fn past_message(out: &mut Vec<u8>, publication: &Publication) {
    write::raw(out, "{\"");
    write::raw(out, place(publication));
    write::raw(out, "\":");
    write::number(out, publication.position.offset);
    from(out, publication);
    write::payload(out, &publication.data);
    time(out, "timestamp", publication.timestamp_ms);
    labels(out, publication.labels.as_deref());
    if let Some(entry) = publication.entry() {
        text(out, "entry", entry);
    }
    out.push(b'}');
}

/// The user, for an anonymous sender the connection, and for the backend nothing.
fn from(out: &mut Vec<u8>, publication: &Publication) {
    if let Some(user) = &publication.from {
        text(out, "from", user.as_str());
    } else if let Some(connection) = publication.connection {
        key(out, "from");
        write::plain(out, connection);
    }
}

fn labels(out: &mut Vec<u8>, labels: Option<&Labels>) {
    let Some(labels) = labels else { return };
    if !labels.tags.is_empty() {
        key(out, "tags");
        for (index, (name, value)) in labels.tags.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            write::string(out, name);
            out.push(b':');
            write::string(out, value);
        }
        out.push(b'}');
    }
    if let Some(label) = &labels.key {
        text(out, "key", label);
    }
}

fn direct(out: &mut Vec<u8>, direct: &Direct) {
    open(out, "message", None);
    if let Some(user) = &direct.from {
        text(out, "from", user.as_str());
    }
    write::payload(out, &direct.data);
    time(out, "timestamp", direct.timestamp_ms);
}

fn user_id(out: &mut Vec<u8>, user: Option<&UserId>) {
    if let Some(user) = user {
        text(out, "user_id", user.as_str());
    }
}

fn expires_in(out: &mut Vec<u8>, ms: Option<u64>) {
    if let Some(ms) = ms {
        span(out, "expires_in", ms);
    }
}

fn client_bounds(out: &mut Vec<u8>, bounds: ClientBounds) {
    write::raw(out, ",\"limits\":{\"message_bytes\":");
    write::number(out, bounds.message_bytes_max);
    number(out, "subscriptions", bounds.subscriptions_max);
    span(out, "ping_interval", bounds.ping_interval_ms);
    out.push(b'}');
}

fn topic(out: &mut Vec<u8>, topic: &Topic) {
    match topic {
        Topic::Channel(name) => text(out, "channel", name.as_str()),
        Topic::Pattern(pattern) => text(out, "pattern", pattern.as_str()),
    }
}

fn position(out: &mut Vec<u8>, position: Position) {
    key(out, "epoch");
    write::plain(out, position.epoch);
    number(out, "offset", position.offset);
}

fn subscribed(out: &mut Vec<u8>, reply: &Subscribed<'_>) {
    open(out, "subscribed", reply.id);
    topic(out, reply.topic);
    if let Some(position) = reply.position {
        self::position(out, position);
    }
    if let Some(recovered) = reply.recovered {
        flag(out, "recovered", recovered);
    }
    if matches!(reply.topic, Topic::Channel(_)) {
        number(out, "replayed", reply.replayed);
    }
    if let Some(members) = reply.presence {
        self::members(out, members);
    }
}

fn unsubscribed(out: &mut Vec<u8>, id: Option<&RequestId>, topic: &Topic, reason: Option<ErrorCode>) {
    open(out, "unsubscribed", id);
    self::topic(out, topic);
    if let Some(code) = reason {
        text(out, "code", code.as_str());
    }
}

/// The reply has the form of an application's own, with what the server knows as its data.
fn published(out: &mut Vec<u8>, id: Option<&RequestId>, position: Position, duplicate: bool) {
    open(out, "response", id);
    write::raw(out, ",\"data\":{\"published\":true");
    self::position(out, position);
    if duplicate {
        flag(out, "duplicate", true);
    }
    out.push(b'}');
}

fn presence_incomplete(out: &mut Vec<u8>, channel: &str) {
    open(out, "presence", None);
    text(out, "channel", channel);
    flag(out, "complete", false);
}

fn membership(out: &mut Vec<u8>, kind: &str, channel: &str, member: &Member) {
    open(out, kind, None);
    text(out, "channel", channel);
    key(out, "user");
    self::member(out, member);
}

/// The value of `user` and the members that follow it.
fn member(out: &mut Vec<u8>, member: &Member) {
    write::string(out, member.user.as_str());
    number(out, "connections", member.connections);
    if let Some(info) = &member.info {
        key(out, "info");
        write::value(out, info);
    }
    time(out, "joined", member.joined_ms);
    time(out, "last_seen", member.last_seen_ms);
}

fn members(out: &mut Vec<u8>, members: &Members) {
    key(out, "members");
    list(out, &members.members, |out, member| {
        write::raw(out, "{\"user\":");
        self::member(out, member);
        out.push(b'}');
    });
    number(out, "users", members.users);
    number(out, "connections", members.connections);
}

fn user_state(out: &mut Vec<u8>, state: &UserState) {
    write::raw(out, "{\"user\":");
    write::string(out, state.user.as_str());
    text(out, "status", state.status.as_str());
    if let Some(ms) = state.last_seen_ms {
        time(out, "last_seen", ms);
    }
    out.push(b'}');
}

fn error(out: &mut Vec<u8>, error: &ErrorEvent<'_>) {
    open(out, "error", error.id);
    text(out, "code", error.code.as_str());
    text(out, "error", &error.text);
    object::retry_after(out, error.retry_after_ms);
}
