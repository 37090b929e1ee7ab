//! A connection that frames what it writes itself, because that depends on how far it has come: every fallback
//! transport, and a WebSocket that carries a resumable session.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_core::outbox::{Chunk, Tag};
use fanfare_protocol::{CloseCode, ErrorCode, Position};
use fanfare_wire::{OpCode, encode_close, encode_frame, sse};
use tokio::sync::oneshot;

use super::lane::BareLane;
use super::posted::Posted;
use crate::sessions::Listened;

/// What carries a session at the moment.
pub(crate) enum Carrier {
    /// Nothing: it waits for its client.
    Nothing,
    /// WebSocket frames.
    Frames,
    /// Server-sent events.
    Events,
    /// One message on each line.
    Lines,
    /// A request that waits for its answer.
    Poll(Polling),
}

/// A request that waits for its answer.
pub(crate) struct Polling {
    pub(crate) reply: oneshot::Sender<Result<Polled, ErrorCode>>,
    /// Whether the client says how many entries it has had.
    pub(crate) counts: bool,
}

impl Polling {
    /// Another request or connection has the session now. Who does not count has missed nothing by it.
    pub(crate) fn replaced(self) {
        let answer = if self.counts { Err(ErrorCode::OutOfTurn) } else { Ok(Polled::default()) };
        // Who asked may have gone.
        let _ = self.reply.send(answer);
    }
}

/// What a poll is answered with.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    /// How many entries the client has had with these.
    pub(crate) seen: u64,
    /// The members of a JSON array, with commas in between.
    pub(crate) messages: Vec<u8>,
    /// How the session ended, if it did.
    pub(crate) closed: Option<Closed>,
}

/// How a connection or session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
    /// How long the client is to wait before it connects again, where it should.
    pub(crate) wait_ms: u32,
}

impl Closed {
    fn of(code: CloseCode) -> Self {
        Self { code: code.number(), reason: code.text().to_owned(), wait_ms: 0 }
    }

    /// The entry, if it is that.
    fn read(kind: u8, message: &[u8]) -> Option<Self> {
        if kind != BareLane::CLOSE {
            return None;
        }
        let (code, rest) = message.split_first_chunk::<2>()?;
        let (wait_ms, reason) = rest.split_first_chunk::<4>()?;
        Some(Self {
            code: u16::from_be_bytes(*code),
            reason: String::from_utf8_lossy(reason).into_owned(),
            wait_ms: u32::from_be_bytes(*wait_ms),
        })
    }

    /// As an object, in the words of the native protocol's `disconnect`.
    pub(crate) fn to_json(&self) -> String {
        let reconnect = CloseCode::from_number(self.code).is_some_and(CloseCode::reconnect);
        let mut told =
            serde_json::json!({ "code": self.code, "reason": self.reason, "reconnect": reconnect });
        if self.wait_ms > 0 {
            told["retryAfter"] = (f64::from(self.wait_ms) / 1000.0).into();
        }
        told.to_string()
    }

    /// As the last event of a stream. An EventSource comes back by itself: it is told when.
    fn to_event(&self, id: Option<&str>, out: &mut Vec<u8>) {
        if self.wait_ms > 0 {
            sse::encode_retry(out, self.wait_ms);
        }
        sse::encode_event(out, Some("close"), id, self.to_json().as_bytes());
    }

    fn to_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{{\"closed\":{}}}\n", self.to_json()).as_bytes());
    }
}

/// How the client says how far it has come. Without `Debug`: the prefix is what opens the session.
pub(crate) enum Place {
    /// It counts entries; before the number stands what it needs to find its session again, if its address does not
    /// say so.
    Counted { prefix: String },
    /// It has no session, but a place in each of its channels. `settled` is whether it has become a member of all that it
    /// may hear, so that its first event has the places of all.
    Positions { places: Box<[Listened]>, settled: bool },
}

/// What such a connection has beside its stream.
pub(crate) struct Framed {
    pub(crate) carrier: Carrier,
    pub(crate) place: Place,
    /// Whether its texts are not JSON.
    pub(crate) opaque: bool,
    /// Framed and not written yet. It belongs to the stream: the next one begins anew.
    pub(crate) tail: Vec<u8>,
    /// The newest ping of the peer's that is not answered yet.
    pub(crate) pong: Option<Box<[u8]>>,
    /// What was posted while the session took no commands.
    pub(crate) posted: Posted,
    /// The number of the last batch that was taken.
    pub(crate) batch: u64,
}

impl Framed {
    pub(crate) fn new(carrier: Carrier, place: Place, opaque: bool) -> Self {
        Self { carrier, place, opaque, tail: Vec::new(), pong: None, posted: Posted::none(), batch: 0 }
    }

    /// Appends an entry, the `number`th of its session, as the carrier has it.
    pub(crate) fn frame(&mut self, entry: &Chunk, number: u64, out: &mut Vec<u8>) {
        if let Some(tag) = entry.tag() {
            self.place.reach(tag);
        }
        let Some((kind, message)) = entry.as_slice().split_first() else { return };
        match self.carrier {
            Carrier::Frames => frame(*kind, message, out),
            Carrier::Events => {
                let id = self.place.id(number);
                match Closed::read(*kind, message) {
                    None if *kind == BareLane::PLACE => sse::encode_id(out, &id),
                    Some(closed) => closed.to_event(Some(&id), out),
                    None => sse::encode_event(out, None, Some(&id), &self.quoted(*kind, message)),
                }
            }
            Carrier::Lines if *kind == BareLane::PLACE => {}
            Carrier::Lines => match Closed::read(*kind, message) {
                Some(closed) => closed.to_line(out),
                None => {
                    // Line ends stand only between the parts of a JSON text, where blanks do as well.
                    out.extend(self.quoted(*kind, message).iter().map(|byte| match byte {
                        b'\n' | b'\r' => b' ',
                        byte => *byte,
                    }));
                    out.push(b'\n');
                }
            },
            Carrier::Poll(_) | Carrier::Nothing => {}
        }
    }

    /// Appends an entry to what a poll is answered with.
    pub(crate) fn poll(&self, entry: &Chunk, number: u64, polled: &mut Polled) {
        polled.seen = number;
        let Some((kind, message)) = entry.as_slice().split_first() else { return };
        if *kind == BareLane::CLOSE {
            polled.closed = Closed::read(*kind, message);
            return;
        }
        if !polled.messages.is_empty() {
            polled.messages.push(b',');
        }
        polled.messages.extend_from_slice(&self.quoted(*kind, message));
    }

    /// A message as JSON: as it is, as a string, or for bytes `{"binary":"base64"}`.
    fn quoted<'a>(&self, kind: u8, message: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        if kind == BareLane::BINARY {
            return format!("{{\"binary\":\"{}\"}}", STANDARD.encode(message)).into_bytes().into();
        }
        match self.opaque {
            true => serde_json::Value::from(String::from_utf8_lossy(message)).to_string().into_bytes().into(),
            false => message.into(),
        }
    }

    /// The transport's sign of life.
    pub(crate) fn heartbeat(&self, out: &mut Vec<u8>) {
        match self.carrier {
            Carrier::Frames => encode_frame(out, OpCode::Ping, b""),
            Carrier::Events => out.extend_from_slice(sse::HEARTBEAT),
            Carrier::Lines => out.push(b'\n'),
            Carrier::Poll(_) | Carrier::Nothing => {}
        }
    }

    /// The last words to a connection that another one has taken the session from.
    pub(crate) fn replaced(&self, out: &mut Vec<u8>) {
        let closed = Closed::of(CloseCode::Replaced);
        match self.carrier {
            Carrier::Frames => encode_close(out, closed.code, &closed.reason),
            Carrier::Events => closed.to_event(None, out),
            Carrier::Lines => closed.to_line(out),
            Carrier::Poll(_) | Carrier::Nothing => {}
        }
    }
}

impl Place {
    fn id(&self, number: u64) -> String {
        match self {
            Self::Counted { prefix } => format!("{prefix}{number}"),
            Self::Positions { places, .. } => positions_to_text(places.iter().map(|(_, place)| *place)),
        }
    }

    /// Goes on to a place in one of the channels.
    fn reach(&mut self, tag: &Tag) {
        if let Self::Positions { places, .. } = self
            && let Some((_, place)) = places.iter_mut().find(|(channel, _)| *channel == tag.channel)
        {
            *place = Some(tag.position);
        }
    }

    /// Whether events wait until it is known where in each channel the client begins.
    pub(crate) fn is_unsettled(&self) -> bool {
        matches!(self, Self::Positions { settled: false, .. })
    }

    /// Begins where the first of these is in each channel of which no place is known.
    pub(crate) fn settle<'a>(&mut self, begins: impl Iterator<Item = &'a Tag>) {
        let Self::Positions { places, settled } = self else { return };
        *settled = true;
        for tag in begins {
            let known = places.iter_mut().find(|(channel, _)| *channel == tag.channel);
            if let Some((_, place @ None)) = known {
                *place = Some(tag.position);
            }
        }
    }
}

/// Places in channels, in the order in which the client named them: `EPOCH.OFFSET`, empty where none is known.
pub(crate) fn positions_to_text(places: impl Iterator<Item = Option<Position>>) -> String {
    let mut text = String::new();
    for (index, place) in places.enumerate() {
        if index > 0 {
            text.push(',');
        }
        if let Some(Position { epoch, offset }) = place {
            // Writing to a string cannot fail.
            let _ = write!(text, "{epoch}.{offset}");
        }
    }
    text
}

/// The places in such a text; none if it is not one.
pub(crate) fn positions_from_text(text: &str) -> Option<Vec<Option<Position>>> {
    let place = |place: &str| {
        if place.is_empty() {
            return Some(None);
        }
        let (epoch, offset) = place.split_once('.')?;
        Some(Some(Position { epoch: epoch.parse().ok()?, offset: offset.parse().ok()? }))
    };
    text.split(',').map(place).collect()
}

fn frame(kind: u8, message: &[u8], out: &mut Vec<u8>) {
    match kind {
        BareLane::TEXT => encode_frame(out, OpCode::Text, message),
        BareLane::BINARY => encode_frame(out, OpCode::Binary, message),
        _ => {
            if let Some(closed) = Closed::read(kind, message) {
                encode_close(out, closed.code, &closed.reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::Epoch;

    use super::*;

    fn framed(carrier: Carrier, opaque: bool, entries: &[&[u8]]) -> String {
        let place = Place::Counted { prefix: "s/".to_owned() };
        let mut framed = Framed::new(carrier, place, opaque);
        let mut out = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            framed.frame(&Chunk::whole((*entry).into()), index as u64 + 1, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    const ENTRIES: [&[u8]; 3] = [b"T{\"a\":\n1}", b"B\x00\x01", b"X\x0f\xa1\0\0\0\0bye"];

    #[test]
    fn every_kind_of_entry_has_its_form_in_every_transport() {
        assert_eq!(
            framed(Carrier::Events, false, &ENTRIES),
            "id: s/1\ndata: {\"a\":\ndata: 1}\n\nid: s/2\ndata: {\"binary\":\"AAE=\"}\n\n\
             event: close\nid: s/3\ndata: {\"code\":4001,\"reason\":\"bye\",\"reconnect\":false}\n\n"
        );
        assert_eq!(
            framed(Carrier::Lines, false, &ENTRIES),
            "{\"a\": 1}\n{\"binary\":\"AAE=\"}\n{\"closed\":{\"code\":4001,\"reason\":\"bye\",\"reconnect\":false}}\n"
        );
        assert_eq!(framed(Carrier::Lines, true, &[b"Tno\njson"]), "\"no\\njson\"\n");
        let polling = Framed::new(Carrier::Nothing, Place::Counted { prefix: String::new() }, false);
        let mut polled = Polled::default();
        for (index, entry) in ENTRIES.iter().enumerate() {
            polling.poll(&Chunk::whole((*entry).into()), index as u64 + 1, &mut polled);
        }
        assert_eq!(polled.messages, b"{\"a\":\n1},{\"binary\":\"AAE=\"}");
        let closed = Closed { code: 4001, reason: "bye".to_owned(), wait_ms: 0 };
        assert_eq!((polled.seen, polled.closed), (3, Some(closed)));
    }

    /// A page that closed its EventSource at every `close` had no way back; one that knew the code had none to know when.
    #[test]
    fn who_is_to_come_back_is_told_so_and_when() {
        let restart: &[u8] = b"X\x03\xf4\0\0\x09\xc4bye";
        let told = r#"{"code":1012,"reason":"bye","reconnect":true,"retryAfter":2.5}"#;
        let events = framed(Carrier::Events, false, &[restart]);
        assert_eq!(events, format!("retry: 2500\n\nevent: close\nid: s/1\ndata: {told}\n\n"));
        assert_eq!(framed(Carrier::Lines, false, &[restart]), format!("{{\"closed\":{told}}}\n"));
    }

    /// What was published between the greeting of a dialect and the first message was lost over a reconnect.
    #[test]
    fn a_listener_is_told_its_place_before_any_message() {
        let channel = fanfare_protocol::ChannelName::new("a").unwrap();
        let tag = |offset| Tag {
            channel: channel.clone(),
            position: Position { epoch: Epoch(255), offset },
            key: None,
            policy: fanfare_core::namespace::OutboxPolicy::Disconnect,
        };
        let mut place = Place::Positions { places: [(channel.clone(), None)].into(), settled: false };
        assert!(place.is_unsettled());
        place.settle([tag(5), tag(6)].iter());
        assert!(!place.is_unsettled());
        let mut framed = Framed::new(Carrier::Events, place, false);
        let mut out = Vec::new();
        framed.frame(&Chunk::whole(b"T{}"[..].into()), 1, &mut out);
        framed.frame(&Chunk::whole(b"P"[..].into()).tagged(Some(tag(6).into())), 2, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "id: ff.5\ndata: {}\n\nid: ff.6\n\n");
    }

    #[test]
    fn places_survive_their_text_form() {
        let places = [Some(Position { epoch: Epoch(255), offset: 7 }), None];
        let text = positions_to_text(places.into_iter());
        assert_eq!(text, "ff.7,");
        assert_eq!(positions_from_text(&text).unwrap(), places);
        for odd in ["x", "ff.", ".7", "ff.7,x", "ff.7.8", "1"] {
            assert!(positions_from_text(odd).is_none(), "{odd}");
        }
    }
}
