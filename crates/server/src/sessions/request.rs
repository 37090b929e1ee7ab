//! What a request for a session says, in its query and its head.

use std::time::Duration;

use fanfare_protocol::{ChannelName, ErrorCode, Position};
use http::HeaderMap;

use super::Passes;
use crate::config::wait_ms;
use crate::connection::framed::positions_from_text;
use crate::handshake::Refusal;

/// The header that may name the session, where the query does not.
pub(crate) const SESSION: &str = "fanfare-session";

/// What a browser's EventSource says when it comes back (WHATWG HTML, section 9.2).
const LAST_EVENT_ID: &str = "last-event-id";

/// A session, and how far in it the client has come.
pub(crate) struct Resumption {
    pub(crate) id: fanfare_protocol::ConnectionId,
    pub(crate) seen: u64,
    /// What stands before the number in the ids of events.
    pub(crate) prefix: String,
}

/// A channel that is listened to without a session, and where in it the client was.
pub(crate) type Listened = (ChannelName, Option<Position>);

/// The parts of the query that are about sessions.
#[derive(Default)]
pub(crate) struct Query {
    session: Option<String>,
    seen: Option<String>,
    batch: Option<String>,
    wait: Option<String>,
    channels: Vec<String>,
    history: Option<String>,
    /// What stands in for the header where a client cannot set it: libraries that replace EventSource do so.
    last_event_id: Option<String>,
}

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match &*name {
                // Names with commas in them have a parameter each.
                "channel" => {
                    parsed.channels.push(value.into_owned());
                    continue;
                }
                "channels" => {
                    parsed.channels.extend(value.split(',').map(str::to_owned));
                    continue;
                }
                "session" => &mut parsed.session,
                "seen" => &mut parsed.seen,
                "batch" => &mut parsed.batch,
                "wait" => &mut parsed.wait,
                "history" => &mut parsed.history,
                "lastEventId" | "last_event_id" => &mut parsed.last_event_id,
                _ => continue,
            };
            *field = Some(value.into_owned());
        }
        parsed
    }

    /// The session that is to be gone on with, if one is named.
    ///
    /// # Errors
    /// `invalid_field`; `session_lost` for one that is none of this node's.
    pub(crate) fn resumption(
        &self,
        headers: &HeaderMap,
        passes: &Passes,
    ) -> Result<Option<Resumption>, Refusal> {
        let last = self.last_event_id(headers);
        let named = self.session.as_deref().or_else(|| text(headers, SESSION));
        let (pass, seen, prefix) = match (named, last) {
            // An EventSource repeats its address as it was; what it has had since stands in its head.
            (Some(pass), last) => (pass, last.or(self.seen.as_deref()), String::new()),
            // The session was begun by the request that is repeated now.
            (None, Some(last)) if self.channels.is_empty() => {
                let (pass, seen) = last.split_once('/').ok_or(ErrorCode::SessionLost)?;
                (pass, Some(seen), format!("{pass}/"))
            }
            (None, _) => return Ok(None),
        };
        let id = passes.check(pass).ok_or(ErrorCode::SessionLost)?;
        // An EventSource whose session came with its address repeats the number alone, or with the session.
        let seen = seen.map(|seen| seen.rsplit_once('/').map_or(seen, |(_, seen)| seen));
        let seen = number("seen", seen)?.unwrap_or(0);
        Ok(Some(Resumption { id, seen, prefix }))
    }

    /// The id of the last event that the client has had, by the header or by what stands in for it. Empty, it says that
    /// there was none.
    fn last_event_id<'a>(&'a self, headers: &'a HeaderMap) -> Option<&'a str> {
        let last = text(headers, LAST_EVENT_ID).or(self.last_event_id.as_deref());
        last.filter(|last| !last.is_empty())
    }

    /// Whether the request itself says which session it is for, and not only what a browser repeats.
    pub(crate) fn names_session(&self, headers: &HeaderMap) -> bool {
        self.session.is_some() || headers.contains_key(SESSION)
    }

    /// The number of a batch.
    ///
    /// # Errors
    /// `invalid_field`; for 0 too, or a client that counts from there would lose its first batch as a repeated one.
    pub(crate) fn batch(&self) -> Result<Option<u64>, Refusal> {
        match number("batch", self.batch.as_deref())? {
            Some(0) => {
                let text = "\"batch\" counts from 1".to_owned();
                Err(Refusal { code: ErrorCode::InvalidField, text })
            }
            batch => Ok(batch),
        }
    }

    /// How many entries the client says it has had.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(crate) fn seen(&self) -> Result<Option<u64>, Refusal> {
        number("seen", self.seen.as_deref())
    }

    /// Whether the client says how many entries it has had.
    pub(crate) fn counts(&self, headers: &HeaderMap) -> bool {
        self.seen.is_some() || self.last_event_id(headers).is_some()
    }

    /// For how long a poll waits when there is nothing, if it says so; no longer than `most`.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(crate) fn wait(&self, most: Duration) -> Result<Option<Duration>, Refusal> {
        let Some(text) = &self.wait else { return Ok(None) };
        match wait_ms(text) {
            Ok(wait_ms) => Ok(Some(Duration::from_millis(wait_ms).min(most))),
            Err(text) => Err(Refusal { code: ErrorCode::InvalidField, text: format!("\"wait\": {text}") }),
        }
    }

    /// How many messages of the past come first.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(crate) fn history(&self) -> Result<u32, Refusal> {
        Ok(number("history", self.history.as_deref())?.unwrap_or(0).min(u64::from(u32::MAX)) as u32)
    }

    /// The channels that are to be listened to without a session, and where in them the client was.
    ///
    /// # Errors
    /// `invalid_channel` for a name that is none, `invalid_field` for more than so many, and for an event id that was not
    /// given for these channels.
    pub(crate) fn channels(
        &self,
        headers: &HeaderMap,
        most: usize,
    ) -> Result<Option<Vec<Listened>>, Refusal> {
        if self.channels.is_empty() {
            return Ok(None);
        }
        if self.channels.len() > most {
            let text = format!("\"channels\" names more than {most}: take more connections, or a session");
            return Err(Refusal { code: ErrorCode::InvalidField, text });
        }
        let name = |name: &str| {
            ChannelName::new(name).map_err(|error| Refusal {
                code: ErrorCode::InvalidChannel,
                text: format!("\"channels\": {error}"),
            })
        };
        let mut names: Vec<ChannelName> = Vec::new();
        for channel in &self.channels {
            let channel = name(channel)?;
            if names.contains(&channel) {
                let text = format!("\"channels\" names \"{channel}\" twice");
                return Err(Refusal { code: ErrorCode::InvalidField, text });
            }
            names.push(channel);
        }
        let places = match self.last_event_id(headers) {
            None => vec![None; names.len()],
            Some(last) => {
                positions_from_text(last).filter(|places| places.len() == names.len()).ok_or_else(|| {
                    let text = "the last event id was not given for these channels";
                    Refusal { code: ErrorCode::InvalidField, text: text.to_owned() }
                })?
            }
        };
        Ok(Some(names.into_iter().zip(places).collect()))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Refusal> {
    let wrong = |_| Refusal { code: ErrorCode::InvalidField, text: format!("\"{name}\" is not a number") };
    text.map(|text| text.parse().map_err(wrong)).transpose()
}
