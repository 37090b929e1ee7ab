//! One event of each kind and turn, grouped by the file that they go to.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_protocol::command::{Status, Topic};
use fanfare_protocol::event::{ClientBounds, Direct, ErrorEvent, Member, Members, Subscribed, UserState};
use fanfare_protocol::publication::{Kind, Labels};
use fanfare_protocol::{
    ChannelName, ChannelPattern, CloseCode, ConnectionId, Epoch, ErrorCode, Event, Payload, Position,
    Publication, RequestId, UserId,
};

use crate::script;

/// Takes the file, the name and the event.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&str, &str, &Event<'_>);

/// Shows every event to `visit`.
pub(super) fn each(visit: Visit<'_>) {
    connection(visit);
    subscriptions(visit);
    ended_subscriptions(visit);
    messages(visit);
    presence(visit);
    history(visit);
    requests(visit);
    errors(visit);
    disconnects(visit);
}

const NOON_MS: u64 = 1_767_268_800_250;
const CONNECTION: ConnectionId = ConnectionId { node: 0x5f3a_91c2, serial: 0x0100_0000_0000_002a };

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap_or_else(|error| panic!("{id}: {error}"))
}

fn lobby() -> ChannelName {
    script::channel("chat:lobby")
}

fn pattern(pattern: &str) -> ChannelPattern {
    ChannelPattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch(0x8c5e_0f31), offset }
}

fn json(text: &'static str) -> Payload {
    Payload::Json(Bytes::from_static(text.as_bytes()))
}

fn number(spelling: &str) -> RequestId {
    RequestId::Number(spelling.into())
}

fn publication(offset: u64, data: Payload) -> Publication {
    Publication {
        channel: lobby(),
        position: position(offset),
        from: Some(user("ann")),
        from_name: None,
        kind: Kind::Message,
        connection: Some(CONNECTION),
        exclude_sender: false,
        data,
        labels: None,
        timestamp_ms: NOON_MS,
    }
}

fn connection(visit: Visit<'_>) {
    let bounds = ClientBounds { message_bytes_max: 65_536, subscriptions_max: 128, ping_interval_ms: 25_000 };
    let (id, ann) = (number("1"), user("ann"));
    let connected = |user, expires_in_ms| Event::Connected {
        id: Some(&id),
        connection: CONNECTION,
        user,
        expires_in_ms,
        bounds,
    };
    visit("connection", "connected", &connected(Some(&ann), None));
    visit("connection", "connected, anonymous", &connected(None, None));
    visit("connection", "connected, for an hour", &connected(Some(&ann), Some(3_600_000)));
    visit("connection", "connected, anonymous and for a while", &connected(None, Some(59_250)));
    let greeting =
        |user| Event::Connected { id: None, connection: CONNECTION, user, expires_in_ms: None, bounds };
    visit("connection", "connected, in greeting", &greeting(Some(&ann)));
    visit("connection", "connected, in greeting, anonymous", &greeting(None));
    authentication(visit);
    visit("connection", "heartbeat", &Event::Heartbeat { id: None, sent: "1767268800200", unix_ms: NOON_MS });
    let correlated = Event::Heartbeat { id: Some(&id), sent: "1767268800200", unix_ms: NOON_MS };
    visit("connection", "heartbeat, with an id", &correlated);
    let timeless = Event::Heartbeat { id: None, sent: "null", unix_ms: NOON_MS };
    visit("connection", "heartbeat, without a time", &timeless);
    visit("connection", "pong", &Event::Pong { id: None });
    visit("connection", "pong, with an id", &Event::Pong { id: Some(&id) });
    let text = RequestId::Text("a \"quoted\" \\ id\nof two lines \u{1} é".into());
    visit("connection", "pong, with an id of odd characters", &Event::Pong { id: Some(&text) });
    let large = number("18446744073709551615");
    visit(
        "connection",
        "pong, with the largest id of the binary encoding",
        &Event::Pong { id: Some(&large) },
    );
}

fn authentication(visit: Visit<'_>) {
    let (nine, ann) = (number("9"), user("ann"));
    let authenticated = |id, user, expires_in_ms| Event::Authenticated { id, user, expires_in_ms };
    visit("connection", "authenticated", &authenticated(None, Some(&ann), None));
    let hour = Some(3_600_000);
    visit("connection", "authenticated, for an hour", &authenticated(None, Some(&ann), hour));
    visit("connection", "authenticated, with an id", &authenticated(Some(&nine), Some(&ann), hour));
    visit("connection", "authenticated, without a user", &authenticated(Some(&nine), None, hour));
    let longest = Some(u64::MAX);
    visit("connection", "authenticated, for the longest time", &authenticated(None, Some(&ann), longest));
    visit("connection", "expiring", &Event::Expiring { in_ms: 60_000 });
    visit("connection", "expiring, in less than a second", &Event::Expiring { in_ms: 250 });
    visit("connection", "expiring, now", &Event::Expiring { in_ms: 0 });
    for code in [ErrorCode::AuthenticationFailed, ErrorCode::TokenExpired, ErrorCode::TokenRevoked] {
        for (id, how) in [(Some(&nine), ", to an auth with an id"), (None, "")] {
            let error = ErrorEvent { id, code, text: code.text().into(), retry_after_ms: None };
            visit("connection", &format!("{}{how}", code.as_str()), &Event::Error(error));
        }
    }
}

fn subscriptions(visit: Visit<'_>) {
    let id = number("1");
    let channel = Topic::Channel(lobby());
    let pattern = Topic::Pattern(pattern("orders.*.paid"));
    let members = members();
    let plain = Subscribed {
        id: Some(&id),
        topic: &channel,
        position: Some(position(41)),
        recovered: None,
        replayed: 0,
        presence: None,
    };
    visit("subscriptions", "subscribed", &Event::Subscribed(plain.clone()));
    let last = Subscribed { replayed: 1, ..plain.clone() };
    visit("subscriptions", "subscribed, the last value follows", &Event::Subscribed(last));
    let recovered = Subscribed { recovered: Some(true), replayed: 3, ..plain.clone() };
    visit("subscriptions", "subscribed, recovered", &Event::Subscribed(recovered));
    let lost = Subscribed { recovered: Some(false), ..plain.clone() };
    visit("subscriptions", "subscribed, not recovered", &Event::Subscribed(lost));
    let listed = Subscribed { presence: Some(&members), ..plain.clone() };
    visit("subscriptions", "subscribed, with the members", &Event::Subscribed(listed));
    let fresh = Subscribed { position: Some(position(0)), ..plain.clone() };
    visit("subscriptions", "subscribed, to a channel without messages", &Event::Subscribed(fresh));
    let renewed = Subscribed { position: None, ..plain.clone() };
    visit("subscriptions", "subscribed, again with a newer token", &Event::Subscribed(renewed));
    let private = Topic::Channel(script::channel("chat:$staff"));
    let allowed = Subscribed { topic: &private, ..plain.clone() };
    visit("subscriptions", "subscribed, to a private channel", &Event::Subscribed(allowed));
    let wild = Subscribed { topic: &pattern, position: None, ..plain };
    visit("subscriptions", "subscribed, to a pattern", &Event::Subscribed(wild));
    visit(
        "subscriptions",
        "unsubscribed",
        &Event::Unsubscribed { id: Some(&id), topic: &channel, reason: None },
    );
    visit(
        "subscriptions",
        "unsubscribed, by the server",
        &Event::Unsubscribed { id: None, topic: &channel, reason: None },
    );
    visit(
        "subscriptions",
        "unsubscribed, from a pattern",
        &Event::Unsubscribed { id: Some(&id), topic: &pattern, reason: None },
    );
}

fn ended_subscriptions(visit: Visit<'_>) {
    let topics = [Topic::Channel(lobby()), Topic::Pattern(pattern("orders.*.paid"))];
    for topic in &topics {
        for code in [ErrorCode::PermissionDenied, ErrorCode::TokenExpired, ErrorCode::TokenRevoked] {
            let kind = if matches!(topic, Topic::Channel(_)) { "a channel" } else { "a pattern" };
            let name = format!("unsubscribed from {kind}, {}", code.as_str());
            visit("subscriptions", &name, &Event::Unsubscribed { id: None, topic, reason: Some(code) });
        }
    }
}

fn messages(visit: Visit<'_>) {
    let mut plain = publication(42, json(r#"{"text":"hello"}"#));
    visit("messages", "message", &Event::Message(&plain));
    plain.data = json("{ \"n\" : 1.50e+3, \"s\" : \"\\u00e9\" }");
    visit("messages", "message, the data in the sender's own spelling", &Event::Message(&plain));
    plain.data = Payload::Binary(Bytes::from_static(&[0, 1, 2, 253, 254, 255]));
    visit("messages", "message, binary", &Event::Message(&plain));
    plain.data = Payload::Text(Bytes::from_static("not \"JSON\", but text\u{2028}".as_bytes()));
    visit("messages", "message, text", &Event::Message(&plain));
    plain.data = Payload::null();
    plain.from = None;
    visit("messages", "message, from an anonymous connection", &Event::Message(&plain));
    plain.connection = None;
    visit("messages", "message, from the backend", &Event::Message(&plain));
    let tags = vec![("room".into(), "7".into()), ("severity".into(), "high".into())];
    plain.labels = Some(Box::new(Labels { tags, key: Some("sensor-7".into()), word: None }));
    visit("messages", "message, with tags and key", &Event::Message(&plain));
    let data = json(r#"{"text":"for you"}"#);
    let direct = Direct { from: None, data, verbatim: false, timestamp_ms: NOON_MS };
    visit("messages", "direct message, from the backend", &Event::Direct(&direct));
    let direct =
        Direct { from: Some(user("ann")), data: Payload::null(), verbatim: false, timestamp_ms: NOON_MS };
    visit("messages", "direct message, from a user", &Event::Direct(&direct));
    let direct =
        Direct { from: None, data: json(r#""for \"you\"""#), verbatim: false, timestamp_ms: NOON_MS };
    visit("messages", "direct message, of a string", &Event::Direct(&direct));
    let data = json(r#"{"type":"price","n":1.50,"a":"\u00e9"}"#);
    let direct = Direct { from: None, data, verbatim: true, timestamp_ms: NOON_MS };
    visit("messages", "direct message, verbatim", &Event::Direct(&direct));
    visit("messages", "lagged", &Event::Lagged { channel: &lobby(), dropped: 17 });
    strings(visit);
    entries(visit);
}

/// What a string is to those who take text as it is.
fn strings(visit: Visit<'_>) {
    let strings = [
        ("a string", r#""hello""#),
        ("a string with escapes", r#""a \"b\" \\ \u00e9\n \ud83d\ude00""#),
        ("an empty string", r#""""#),
        ("a string with half a surrogate pair", r#""\ud800""#),
        ("a number", "1.50e+3"),
    ];
    for (name, text) in strings {
        let message = publication(42, json(text));
        visit("messages", &format!("message, {name}"), &Event::Message(&message));
    }
    let mut named = publication(42, json(r#""hello""#));
    named.from_name = Some("Ann \"A\" Lee".into());
    visit("messages", "message, from a user with a name", &Event::Message(&named));
    named.data = Payload::Binary(Bytes::new());
    visit("messages", "message, binary and empty", &Event::Message(&named));
    named.data = Payload::Text(Bytes::from_static(b"cut \xff short"));
    visit("messages", "message, text that is not UTF-8", &Event::Message(&named));
}

/// What is no message: who came and went, and what only passes by.
fn entries(visit: Visit<'_>) {
    for (kind, word, went) in [(Kind::Join, "join", "joined"), (Kind::Leave, "leave", "left")] {
        let text = |who: &str| Payload::Text(format!("{who} {went} the room").into());
        let mut entry = Publication { kind, ..publication(43, text("ann")) };
        visit("entries", &format!("{word} entry"), &Event::Message(&entry));
        entry = Publication { from_name: Some("Ann".into()), data: text("Ann"), ..entry };
        visit("entries", &format!("{word} entry, of a user with a name"), &Event::Message(&entry));
        let who = CONNECTION.to_string();
        entry = Publication { from: None, from_name: None, data: text(&who), ..entry };
        visit("entries", &format!("{word} entry, of an anonymous connection"), &Event::Message(&entry));
    }
    let mut passing = publication(43, json(r#""ann types""#));
    passing.kind = Kind::Passing;
    passing.labels = Some(Box::new(Labels { word: Some("typing".into()), ..Labels::default() }));
    visit("entries", "what the sender calls by a word of its own", &Event::Message(&passing));
}

fn member(id: &str, connections: u32, info: Option<Payload>) -> Member {
    Member {
        user: user(id),
        name: None,
        posted: false,
        connections,
        info,
        joined_ms: NOON_MS - 60_000,
        last_seen_ms: NOON_MS,
    }
}

fn members() -> Members {
    let members = vec![member("ann", 2, Some(json(r#"{"name":"Ann"}"#))), member("bob", 1, None)];
    Members { members, users: 2, connections: 3 }
}

fn presence(visit: Visit<'_>) {
    let (id, channel) = (number("5"), lobby());
    let joined = member("ann", 1, Some(json(r#"{"name":"Ann"}"#)));
    visit("presence", "join", &Event::Joined { channel: &channel, member: &joined });
    visit("presence", "leave", &Event::Left { channel: &channel, member: &member("ann", 0, None) });
    let listed = members();
    visit("presence", "presence", &Event::Presence { id: Some(&id), channel: &channel, members: &listed });
    let counted = Members { members: Vec::new(), users: 2, connections: 3 };
    let counted = Event::Presence { id: Some(&id), channel: &channel, members: &counted };
    visit("presence", "presence, only the counts", &counted);
    let binary = member("eve", 1, Some(Payload::Binary(Bytes::from_static(&[1, 2, 3]))));
    let named = Member { name: Some("Ann".into()), ..member("ann", 1, None) };
    visit("presence", "join, of a user with a name", &Event::Joined { channel: &channel, member: &named });
    visit("presence", "leave, of a user with a name", &Event::Left { channel: &channel, member: &named });
    let posted = Member { posted: true, ..named };
    visit("presence", "join, which is an entry too", &Event::Joined { channel: &channel, member: &posted });
    visit("presence", "leave, which is an entry too", &Event::Left { channel: &channel, member: &posted });
    let told = Event::Presence { id: None, channel: &channel, members: &listed };
    visit("presence", "presence, because somebody came", &told);
    let incomplete = Event::PresenceIncomplete { channel: &channel };
    visit("presence", "presence, which is not told any more", &incomplete);
    visit("presence", "join, with binary info", &Event::Joined { channel: &channel, member: &binary });
}

fn history(visit: Visit<'_>) {
    let (id, channel) = (number("6"), lobby());
    let mut tagged = publication(42, Payload::Binary(Bytes::from_static(&[255])));
    tagged.labels = Some(Box::new(Labels { tags: vec![("room".into(), "7".into())], key: None, word: None }));
    let page = [Arc::new(publication(41, json(r#"{"text":"hello"}"#))), Arc::new(tagged)];
    let event = Event::History {
        id: Some(&id),
        channel: &channel,
        publications: &page,
        position: position(43),
        more: true,
    };
    visit("history", "history", &event);
    let (publications, position) = (&[][..], position(43));
    let event = Event::History { id: Some(&id), channel: &channel, publications, position, more: false };
    visit("history", "history, an empty page", &event);
    let came = [Arc::new(Publication {
        kind: Kind::Join,
        ..publication(43, Payload::Text(Bytes::from_static(b"ann joined the room")))
    })];
    let publications = &came[..];
    let event = Event::History { id: Some(&id), channel: &channel, publications, position, more: false };
    visit("history", "history, an entry", &event);
}

fn requests(visit: Visit<'_>) {
    let id = number("4");
    let text = RequestId::Text("four".into());
    let sum = json(r#"{"sum":5}"#);
    visit("requests", "response", &Event::Response { id: Some(&id), data: &sum });
    visit(
        "requests",
        "response, to an id that is a string",
        &Event::Response { id: Some(&text), data: &sum },
    );
    let binary = Payload::Binary(Bytes::from_static(b"\x89PNG"));
    visit("requests", "response, binary", &Event::Response { id: Some(&id), data: &binary });
    visit("requests", "response, to no id", &Event::Response { id: None, data: &sum });
    let lobby = lobby();
    let published =
        |duplicate| Event::Published { id: Some(&id), channel: &lobby, position: position(42), duplicate };
    visit("requests", "published", &published(false));
    visit("requests", "published, by an earlier attempt under the same key", &published(true));
    visit("requests", "status", &Event::StatusSet { id: Some(&id), status: Status::Away });
    let state = |id, status, last_seen_ms| UserState { user: user(id), status, last_seen_ms };
    let users = [
        state("ann", Status::Online, Some(NOON_MS)),
        state("bob", Status::Away, Some(NOON_MS - 60_000)),
        state("eve", Status::Offline, Some(NOON_MS - 3_600_000)),
        state("zoe", Status::Offline, None),
    ];
    visit("requests", "users", &Event::Users { id: Some(&id), users: &users });
}

fn errors(visit: Visit<'_>) {
    let id = number("7");
    for code in ErrorCode::ALL {
        let retry_after_ms = (*code == ErrorCode::RateLimited).then_some(1500);
        let error = ErrorEvent { id: Some(&id), code: *code, text: code.text().into(), retry_after_ms };
        visit("errors", code.as_str(), &Event::Error(error));
    }
    for code in ErrorCode::ALL {
        let retry_after_ms = (*code == ErrorCode::RateLimited).then_some(1500);
        let error = ErrorEvent { id: None, code: *code, text: code.text().into(), retry_after_ms };
        visit("errors", &format!("{}, without an id", code.as_str()), &Event::Error(error));
    }
    let one = number("1");
    let text = "\"subscribe\" takes a token that names this private channel".into();
    let error = ErrorEvent { id: Some(&one), code: ErrorCode::PermissionDenied, text, retry_after_ms: None };
    visit("errors", "permission_denied, naming the rule", &Event::Error(error));
    let text = "the message is not valid JSON: expected value at line 1 column 1".into();
    let error = ErrorEvent { id: None, code: ErrorCode::InvalidJson, text, retry_after_ms: None };
    visit("errors", "invalid_json, at a place", &Event::Error(error));
}

fn disconnects(visit: Visit<'_>) {
    for code in CloseCode::ALL {
        let reconnect_after_ms = code.reconnect().then_some(3250);
        visit("disconnects", code.as_str(), &Event::Disconnect { code: *code, reconnect_after_ms });
    }
}
