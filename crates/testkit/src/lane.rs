//! A lane that writes every event as one line of text, so that tests can state exact bytes.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_core::ports::lane::LaneEncoder;
use fanfare_protocol::dialect::Habits;
use fanfare_protocol::event::{ErrorEvent, Member, Members, Subscribed};
use fanfare_protocol::{ConnectionId, Epoch, Event, Payload, Position, Publication, RequestId};

/// Milliseconds of Unix time at which every bench begins; times are written relative to it.
pub const UNIX_BEGIN_MS: u64 = 1_700_000_000_000;

/// Epochs by the order in which they were first seen: `A`, `B`, … `Z`, `E26`, …
#[derive(Debug, Clone, Default)]
pub struct Epochs(Arc<Mutex<Vec<Epoch>>>);

impl Epochs {
    /// The epoch's short name.
    pub fn name(&self, epoch: Epoch) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = known.iter().position(|e| *e == epoch).unwrap_or_else(|| {
            known.push(epoch);
            known.len() - 1
        });
        match index {
            0..26 => char::from(b'A' + index as u8).to_string(),
            _ => format!("E{index}"),
        }
    }

    /// The epoch of a short name; one that no channel has if the name was never given.
    pub fn epoch(&self, name: &str) -> Epoch {
        let index = match (name.as_bytes(), name.strip_prefix('E').and_then(|n| n.parse().ok())) {
            (_, Some(index)) => index,
            ([letter @ b'A'..=b'Z'], None) => usize::from(letter - b'A'),
            _ => usize::MAX,
        };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(index).copied().unwrap_or(Epoch(0xDEAD))
    }

    fn position(&self, position: Position) -> String {
        format!("{}.{}", self.name(position.epoch), position.offset)
    }
}

/// Stands between the events of one message.
const JOINT: &str = " & ";

/// Writes `<letter> <event>` lines. A terse lane has no form for membership events, pings and closes.
#[derive(Debug)]
pub struct PlainLane {
    letter: char,
    terse: bool,
    habits: Habits,
    epochs: Epochs,
}

impl PlainLane {
    /// A lane whose lines begin with the letter.
    pub fn new(letter: char, terse: bool, habits: Habits, epochs: Epochs) -> Self {
        Self { letter, terse, habits, epochs }
    }

    fn has_no_form_for(&self, event: &Event<'_>) -> bool {
        self.terse && matches!(event, Event::Joined { .. } | Event::Left { .. })
    }

    fn line(&self, text: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{} {text}\n", self.letter).as_bytes());
    }
}

impl LaneEncoder for PlainLane {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if !self.has_no_form_for(event) {
            self.line(&describe(event, &self.epochs), out);
        }
    }

    fn joins(&self) -> bool {
        self.habits.reads_lines
    }

    fn part(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if !self.has_no_form_for(event) {
            out.extend_from_slice(describe(event, &self.epochs).as_bytes());
            out.extend_from_slice(JOINT.as_bytes());
        }
    }

    fn join(&mut self, parts: &[u8], out: &mut Vec<u8>) {
        if let Some(text) = String::from_utf8_lossy(parts).strip_suffix(JOINT) {
            self.line(text, out);
        }
    }

    fn habits(&self) -> Habits {
        self.habits
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        if !self.terse {
            self.line("PING", out);
        }
    }

    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        if !self.terse {
            self.line(&format!("PONG {}", String::from_utf8_lossy(payload)), out);
        }
    }

    fn close(&mut self, number: u16, _reason: &str, _wait_ms: u32, out: &mut Vec<u8>) {
        if !self.terse {
            self.line(&format!("CLOSE {number}"), out);
        }
    }
}

/// An event as one line.
pub fn describe(event: &Event<'_>, epochs: &Epochs) -> String {
    match event {
        Event::Connected { id, connection, user, .. } => {
            let user = user.map_or("-", |user| user.as_str());
            format!("connected{} {} {user}", number(*id), short(*connection))
        }
        Event::Authenticated { id, user, expires_in_ms } => {
            let expires = expires_in_ms.map_or_else(String::new, |ms| format!(" expires={ms}"));
            format!("authenticated{} {}{expires}", number(*id), user.map_or("-", |user| user.as_str()))
        }
        Event::Expiring { in_ms } => format!("expiring {in_ms}"),
        Event::Subscribed(subscribed) => describe_subscribed(subscribed, epochs),
        Event::Unsubscribed { id, topic, reason } => {
            let reason = reason.map_or_else(String::new, |code| format!(" {}", code.as_str()));
            format!("unsubscribed{} {}{reason}", number(*id), topic.as_str())
        }
        Event::Message(publication) => {
            let word = publication.entry().unwrap_or("message");
            format!("{word} {} {}", publication.channel, message(publication, epochs))
        }
        Event::Direct(direct) if direct.verbatim => format!("verbatim {}", text(&direct.data)),
        Event::Direct(direct) => {
            let from = direct.from.as_ref().map_or("-", |from| from.as_str());
            format!("direct {from} {}", text(&direct.data))
        }
        Event::Published { id, position, duplicate, .. } => {
            let again = if *duplicate { " again" } else { "" };
            format!("published{} {}{again}", number(*id), epochs.position(*position))
        }
        Event::Joined { channel, member } => format!("joined {channel} {}", describe_member(member)),
        Event::Left { channel, member } => format!("left {channel} {}", describe_member(member)),
        Event::Presence { id, channel, members } => {
            format!("presence{} {channel} {}", number(*id), describe_members(members))
        }
        Event::PresenceIncomplete { channel } => format!("presence {channel} incomplete"),
        Event::History { id, channel, publications, position, more } => {
            let list: Vec<String> = publications.iter().map(|p| message(p, epochs)).collect();
            let (more, list) = (if *more { " more" } else { "" }, list.join(", "));
            format!("history{} {channel} {} [{list}]{more}", number(*id), epochs.position(*position))
        }
        Event::Response { id, data } => format!("response{} {}", number(*id), text(data)),
        Event::StatusSet { id, status } => format!("status{} {}", number(*id), status.as_str()),
        Event::Users { id, users } => {
            let users = users.iter().map(|user| match user.last_seen_ms {
                Some(seen) => format!(" {}={}@{}", user.user, user.status.as_str(), since_begin(seen)),
                None => format!(" {}={}", user.user, user.status.as_str()),
            });
            format!("users{}{}", number(*id), users.collect::<String>())
        }
        Event::Heartbeat { sent, .. } => format!("heartbeat {sent}"),
        Event::Pong { id } => format!("pong{}", number(*id)),
        Event::Error(ErrorEvent { id, code, retry_after_ms, .. }) => {
            let after = retry_after_ms.map_or_else(String::new, |ms| format!(" after={ms}"));
            format!("error{} {}{after}", number(*id), code.as_str())
        }
        Event::Lagged { channel, dropped } => format!("lagged {channel} {dropped}"),
        Event::Disconnect { code, reconnect_after_ms } => match reconnect_after_ms {
            Some(after) => format!("disconnect {} reconnect={after}", code.number()),
            None => format!("disconnect {}", code.number()),
        },
    }
}

fn describe_subscribed(subscribed: &Subscribed<'_>, epochs: &Epochs) -> String {
    let mut line = format!("subscribed{} {}", number(subscribed.id), subscribed.topic.as_str());
    if let Some(position) = subscribed.position {
        let _ = write!(line, " {}", epochs.position(position));
    }
    if let Some(recovered) = subscribed.recovered {
        let _ = write!(line, " recovered={recovered}");
    }
    let _ = write!(line, " replayed={}", subscribed.replayed);
    if let Some(members) = subscribed.presence {
        let _ = write!(line, " {}", describe_members(members));
    }
    line
}

fn describe_member(member: &Member) -> String {
    let info = member.info.as_ref().map(|info| format!("({})", text(info))).unwrap_or_default();
    let name = member.name.as_ref().map(|name| format!("~{name}")).unwrap_or_default();
    let posted = if member.posted { "+" } else { "" };
    format!("{}{name}*{}{info}{posted}", member.user, member.connections)
}

fn describe_members(members: &Members) -> String {
    let list: Vec<String> = members.members.iter().map(describe_member).collect();
    format!("users={} connections={} [{}]", members.users, members.connections, list.join(" "))
}

fn message(publication: &Publication, epochs: &Epochs) -> String {
    let after = if publication.kind.is_numbered() { "" } else { "+" };
    format!("{}{after} {}", epochs.position(publication.position), text(&publication.data))
}

fn text(data: &Payload) -> String {
    String::from_utf8_lossy(data.bytes()).into_owned()
}

fn number(id: Option<&RequestId>) -> String {
    match id {
        Some(RequestId::Number(id) | RequestId::Text(id)) => format!(" #{id}"),
        None => String::new(),
    }
}

fn short(id: ConnectionId) -> String {
    format!("c{}.{}", id.shard(), id.serial >> 24 & u64::from(u32::MAX))
}

fn since_begin(unix_ms: u64) -> u64 {
    unix_ms.saturating_sub(UNIX_BEGIN_MS)
}
