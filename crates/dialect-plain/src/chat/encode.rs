//! An event into an object.

use fanfare_json::object::{self, number, open, text};
use fanfare_protocol::event::{Member, Subscribed};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{ChannelName, ErrorCode, Event, Publication};
use jiff::Timestamp;

use crate::content;

/// Appends the event; false for one that has no form.
pub(super) fn encode(event: &Event<'_>, out: &mut Vec<u8>) -> bool {
    match event {
        Event::Message(publication) => message(out, publication),
        // What the room's history says is not told twice.
        Event::Joined { member, .. } | Event::Left { member, .. } if member.posted => return false,
        Event::Joined { channel, member } => membership(out, Kind::Join, channel, member, member.joined_ms),
        Event::Left { channel, member } => membership(out, Kind::Leave, channel, member, member.last_seen_ms),
        Event::Direct(direct) if let Some(json) = direct.whole() => {
            out.extend_from_slice(json);
            return true;
        }
        Event::Direct(direct) => {
            let from = direct.from.as_ref().map(|user| user.as_str());
            let content = content::text(&direct.data);
            Entry {
                kind: "message",
                user: from,
                name: from,
                room: None,
                content: &content,
                ms: direct.timestamp_ms,
            }
            .write(out);
        }
        Event::Response { data, .. } => {
            open(out, "response");
            text(out, "content", &content::text(data));
        }
        Event::Pong { .. } => open(out, "pong"),
        Event::Error(error) => {
            failed(out, error.code, &error.text);
            object::retry_after(out, error.retry_after_ms);
        }
        Event::Unsubscribed { topic, reason: Some(code), .. } => {
            failed(out, *code, code.text());
            text(out, "room_id", topic.as_str());
        }
        Event::Subscribed(Subscribed { topic, recovered: Some(false), .. }) => {
            failed(out, ErrorCode::HistoryUnavailable, ErrorCode::HistoryUnavailable.text());
            text(out, "room_id", topic.as_str());
        }
        Event::Lagged { channel, dropped } => {
            open(out, "lagged");
            text(out, "room_id", channel.as_str());
            number(out, "dropped", *dropped);
        }
        // What was asked for in no way that this dialect has, what the history and the entries say, and what the close
        // frame says.
        Event::Connected { .. }
        | Event::Authenticated { .. }
        | Event::Expiring { .. }
        | Event::Subscribed(_)
        | Event::Unsubscribed { .. }
        | Event::Published { .. }
        | Event::Presence { .. }
        | Event::PresenceIncomplete { .. }
        | Event::History { .. }
        | Event::StatusSet { .. }
        | Event::Users { .. }
        | Event::Heartbeat { .. }
        | Event::Disconnect { .. } => return false,
    }
    out.push(b'}');
    true
}

/// The one form.
struct Entry<'a> {
    kind: &'a str,
    user: Option<&'a str>,
    name: Option<&'a str>,
    room: Option<&'a str>,
    content: &'a str,
    /// Unix time in milliseconds.
    ms: u64,
}

impl Entry<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.content.len() + 200);
        open(out, self.kind);
        content::text_or_null(out, "user_id", self.user);
        content::text_or_null(out, "username", self.name);
        content::text_or_null(out, "room_id", self.room);
        text(out, "content", self.content);
        text(out, "timestamp", &rfc_3339(self.ms));
    }
}

/// What somebody said, or the entry that they came or went, which says so in words.
fn message(out: &mut Vec<u8>, publication: &Publication) {
    let user = content::sender(publication);
    let name = publication.from_name.as_deref().or(user.as_deref());
    Entry {
        kind: publication.entry().unwrap_or("message"),
        user: user.as_deref(),
        name,
        room: Some(publication.channel.as_str()),
        content: &content::text(&publication.data),
        ms: publication.timestamp_ms,
    }
    .write(out);
}

/// Where the room's history does not say it.
fn membership(out: &mut Vec<u8>, kind: Kind, channel: &ChannelName, member: &Member, ms: u64) {
    let user = member.user.as_str();
    let name = member.name.as_deref().unwrap_or(user);
    let went = if kind == Kind::Leave { "left" } else { "joined" };
    Entry {
        kind: if kind == Kind::Leave { "leave" } else { "join" },
        user: Some(user),
        name: Some(name),
        room: Some(channel.as_str()),
        content: &format!("{name} {went} the room"),
        ms,
    }
    .write(out);
}

fn failed(out: &mut Vec<u8>, code: ErrorCode, content: &str) {
    open(out, "error");
    text(out, "content", content);
    text(out, "code", code.as_str());
}

/// In UTC, with milliseconds (RFC 3339, section 5.6). Times after the year 9999 have no such form, and become its end.
fn rfc_3339(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::rfc_3339;

    #[test]
    fn times_are_in_utc_with_milliseconds() {
        assert_eq!(rfc_3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc_3339(951_782_400_007), "2000-02-29T00:00:00.007Z");
        assert_eq!(rfc_3339(1_767_268_800_250), "2026-01-01T12:00:00.250Z");
        assert!(rfc_3339(u64::MAX).starts_with("9999-12-30T"));
    }
}
