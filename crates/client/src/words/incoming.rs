//! Text into what was said.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, ChannelPattern, Epoch, ErrorCode, Payload, Position};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Ending, Error};
use crate::event::{History, Member, Members, Message, Subscribed};

/// What a server can say, as far as this client listens.
#[derive(Debug)]
pub(crate) enum Said {
    Message(Message),
    Joined {
        channel: String,
        member: Member,
    },
    Left {
        channel: String,
        member: Member,
    },
    Lagged {
        channel: String,
        dropped: u64,
    },
    /// An answer, or a refusal, to the call of that id.
    Answer {
        id: u64,
        answer: Result<Answer, Error>,
    },
    /// The server ended a subscription, and perhaps said why.
    Ended(Topic, Option<Error>),
    /// The connection's token expires soon.
    Expiring {
        in_ms: u64,
    },
    /// Something that was not asked for could not be done.
    Complaint(Error),
    Disconnect(Ending),
    /// Nothing that this client acts on; newer servers may say more than it knows.
    Other,
}

/// What an answer brings.
#[derive(Debug)]
pub(crate) enum Answer {
    Subscribed(Subscribed),
    Unsubscribed,
    Authenticated { user: Option<String>, expires_in_ms: Option<u64> },
    Data(Payload),
    Members(Members),
    History(History),
}

/// Every member that any message has. Those that mean different things in different messages stay raw.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    channel: Option<String>,
    pattern: Option<String>,
    from: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    binary: Option<String>,
    offset: Option<u64>,
    epoch: Option<String>,
    timestamp: Option<f64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    key: Option<String>,
    entry: Option<String>,
    recovered: Option<bool>,
    replayed: Option<u32>,
    #[serde(borrow)]
    members: Option<&'a RawValue>,
    #[serde(borrow)]
    users: Option<&'a RawValue>,
    connections: Option<u32>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(default)]
    more: bool,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    error: Option<String>,
    #[serde(rename = "retryAfter")]
    retry_after: Option<f64>,
    dropped: Option<u64>,
    reason: Option<String>,
    reconnect: Option<bool>,
    user_id: Option<String>,
    expires_in: Option<f64>,
}

#[derive(Deserialize)]
struct RawMember<'a> {
    user: String,
    #[serde(default)]
    connections: u32,
    #[serde(borrow)]
    info: Option<&'a RawValue>,
    #[serde(default)]
    joined: f64,
    #[serde(default)]
    last_seen: f64,
}

#[derive(Deserialize)]
struct RawPastMessage<'a> {
    offset: Option<u64>,
    entry: Option<String>,
    from: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    binary: Option<String>,
    timestamp: Option<f64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    key: Option<String>,
}

/// Reads one message. None when it is not one of this protocol.
pub(crate) fn understand(text: &str) -> Option<Said> {
    let raw: Raw<'_> = serde_json::from_str(text).ok()?;
    let answered = raw.id.and_then(|id| id.get().parse().ok());
    let answer = |answer| answered.map(|id| Said::Answer { id, answer: Ok(answer) });
    match raw.kind.as_str() {
        "message" => raw.message().map(Said::Message),
        "join" => Some(Said::Joined { channel: raw.channel?, member: member(text)? }),
        "leave" => Some(Said::Left { channel: raw.channel?, member: member(text)? }),
        "lagged" => Some(Said::Lagged { channel: raw.channel?, dropped: raw.dropped? }),
        "subscribed" => answer(Answer::Subscribed(Subscribed {
            position: raw.position(),
            recovered: raw.recovered,
            replayed: raw.replayed.unwrap_or(0),
            members: raw.members(),
        })),
        "unsubscribed" if answered.is_some() => answer(Answer::Unsubscribed),
        "unsubscribed" => Some(Said::Ended(raw.topic()?, raw.ended_for())),
        // The token that came with the handshake was accepted, as the handshake has said already.
        "authenticated" if answered.is_none() => Some(Said::Other),
        "authenticated" => {
            let expires_in_ms = raw.expires_in.map(|seconds| time(Some(seconds)));
            answer(Answer::Authenticated { user: raw.user_id, expires_in_ms })
        }
        "expiring" => Some(Said::Expiring { in_ms: time(raw.expires_in) }),
        "response" => answer(Answer::Data(payload(raw.data, raw.binary.as_deref())?)),
        // What members are told unasked is not passed on yet.
        "presence" if answered.is_none() => Some(Said::Other),
        "presence" => answer(Answer::Members(raw.members()?)),
        "history" => answer(Answer::History(raw.history()?)),
        "error" => {
            let code: String = serde_json::from_str(raw.code?.get()).ok()?;
            let text = raw.error.as_deref().unwrap_or_default();
            let error = Error::refused(&code, text, raw.retry_after.map(milliseconds));
            Some(match answered {
                Some(id) => Said::Answer { id, answer: Err(error) },
                None => Said::Complaint(error),
            })
        }
        "disconnect" => Some(Said::Disconnect(Ending {
            code: raw.code?.get().parse().ok()?,
            reason: raw.reason?,
            reconnect: raw.reconnect?,
            retry_after_ms: raw.retry_after.map(milliseconds),
        })),
        _ => Some(Said::Other),
    }
}

impl Raw<'_> {
    fn message(&self) -> Option<Message> {
        Some(Message {
            channel: self.channel.clone(),
            from: self.from.clone(),
            data: payload(self.data, self.binary.as_deref())?,
            offset: self.offset,
            entry: self.entry.clone(),
            timestamp_ms: time(self.timestamp),
            tags: self.tags.clone(),
            key: self.key.clone(),
        })
    }

    fn position(&self) -> Option<Position> {
        Some(Position { epoch: self.epoch.as_deref()?.parse::<Epoch>().ok()?, offset: self.offset? })
    }

    /// The reason for which the server ended a subscription; it is a code without a text.
    fn ended_for(&self) -> Option<Error> {
        let code: String = serde_json::from_str(self.code?.get()).ok()?;
        let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
        Some(Error::refused(
            &code,
            known.map_or("the server ended the subscription", |code| code.text()),
            None,
        ))
    }

    fn topic(&self) -> Option<Topic> {
        if let Some(channel) = &self.channel {
            return ChannelName::new(channel).ok().map(Topic::Channel);
        }
        ChannelPattern::new(self.pattern.as_deref()?).ok().map(Topic::Pattern)
    }

    fn members(&self) -> Option<Members> {
        let raw: Vec<RawMember<'_>> = match self.members {
            Some(list) => serde_json::from_str(list.get()).ok()?,
            None => return None,
        };
        Some(Members {
            members: raw.into_iter().map(Member::from).collect(),
            users: self.users.and_then(|users| users.get().parse().ok()).unwrap_or(0),
            connections: self.connections.unwrap_or(0),
        })
    }

    fn history(&self) -> Option<History> {
        let raw: Vec<RawPastMessage<'_>> = serde_json::from_str(self.messages?.get()).ok()?;
        let message = |raw: RawPastMessage<'_>| {
            Some(Message {
                channel: self.channel.clone(),
                from: raw.from,
                data: payload(raw.data, raw.binary.as_deref())?,
                offset: raw.offset,
                entry: raw.entry,
                timestamp_ms: time(raw.timestamp),
                tags: raw.tags,
                key: raw.key,
            })
        };
        let messages = raw.into_iter().map(message).collect::<Option<Vec<_>>>()?;
        Some(History { messages, position: self.position()?, more: self.more })
    }
}

impl From<RawMember<'_>> for Member {
    fn from(raw: RawMember<'_>) -> Self {
        Self {
            user: raw.user,
            connections: raw.connections,
            info: raw.info.map(json),
            joined_ms: time(Some(raw.joined)),
            last_seen_ms: time(Some(raw.last_seen)),
        }
    }
}

fn member(text: &str) -> Option<Member> {
    serde_json::from_str::<RawMember<'_>>(text).ok().map(Member::from)
}

fn json(value: &RawValue) -> Payload {
    Payload::Json(Bytes::copy_from_slice(value.get().as_bytes()))
}

fn payload(data: Option<&RawValue>, binary: Option<&str>) -> Option<Payload> {
    match (data, binary) {
        (Some(data), _) => Some(json(data)),
        (None, Some(binary)) => STANDARD.decode(binary).ok().map(|bytes| Payload::Binary(bytes.into())),
        // An Option holds nothing for the JSON value null.
        (None, None) => Some(Payload::null()),
    }
}

/// Seconds to milliseconds; the cast cuts what is out of range.
fn time(seconds: Option<f64>) -> u64 {
    (seconds.unwrap_or(0.0) * 1000.0).round() as u64
}

fn milliseconds(seconds: f64) -> u32 {
    (seconds * 1000.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_data_as_it_came() {
        let text = r#"{"type":"message","channel":"a","from":"u","data":{"x" : 1e3},"offset":4,"timestamp":1700000000.007,"tags":{"t":"v"},"key":"k"}"#;
        let Some(Said::Message(message)) = understand(text) else { panic!("no message") };
        assert_eq!(message.data, Payload::Json(r#"{"x" : 1e3}"#.into()));
        assert_eq!((message.offset, message.timestamp_ms), (Some(4), 1_700_000_000_007));
        assert_eq!((message.tags["t"].as_str(), message.key.as_deref()), ("v", Some("k")));

        let Some(Said::Message(message)) = understand(r#"{"type":"message","binary":"AP8="}"#) else {
            panic!("no message")
        };
        assert_eq!(message.data, Payload::Binary(vec![0, 255].into()));
        assert_eq!(message.channel, None);

        let Some(Said::Message(message)) = understand(r#"{"type":"message","channel":"a","data":null}"#)
        else {
            panic!("no message")
        };
        assert_eq!(message.data, Payload::null());
    }

    #[test]
    fn answers_find_their_calls() {
        let text = r#"{"type":"subscribed","id":3,"channel":"a","epoch":"1f","offset":9,"recovered":true,"replayed":2,"members":[{"user":"u","connections":1,"info":{"n":1},"joined":1.5,"last_seen":2}],"users":1,"connections":1}"#;
        let Some(Said::Answer { id: 3, answer: Ok(Answer::Subscribed(reply)) }) = understand(text) else {
            panic!("no answer")
        };
        assert_eq!(reply.position, Some(Position { epoch: Epoch(31), offset: 9 }));
        let members = reply.members.unwrap();
        assert_eq!((members.users, members.members[0].joined_ms), (1, 1500));

        let text = r#"{"type":"error","id":4,"code":"rate_limited","error":"slower","retryAfter":0.25}"#;
        let Some(Said::Answer { id: 4, answer: Err(error) }) = understand(text) else { panic!("no answer") };
        assert_eq!(error.code(), Some(fanfare_protocol::ErrorCode::RateLimited));
        assert_eq!((error.retry(), error.retry_after_ms()), (true, Some(250)));
    }

    #[test]
    fn what_is_said_of_tokens_is_understood() {
        let text = r#"{"type":"authenticated","id":5,"user_id":"ann","expires_in":59.25}"#;
        let Some(Said::Answer { id: 5, answer: Ok(Answer::Authenticated { user, expires_in_ms }) }) =
            understand(text)
        else {
            panic!("no answer")
        };
        assert_eq!((user.as_deref(), expires_in_ms), (Some("ann"), Some(59_250)));
        // Nobody asked: the token came with the handshake.
        let unasked = understand(r#"{"type":"authenticated","user_id":"ann","expires_in":59.25}"#);
        assert!(matches!(unasked, Some(Said::Other)));
        let expiring = understand(r#"{"type":"expiring","expires_in":60}"#);
        assert!(matches!(expiring, Some(Said::Expiring { in_ms: 60_000 })));
        let text = r#"{"type":"unsubscribed","channel":"a","code":"token_expired"}"#;
        let Some(Said::Ended(_, Some(error))) = understand(text) else { panic!("no end") };
        assert_eq!(error.to_string(), "token_expired: the token has expired");
        assert!(error.is_unauthenticated());
        let ended = understand(r#"{"type":"unsubscribed","channel":"a"}"#);
        assert!(matches!(ended, Some(Said::Ended(_, None))));
    }

    #[test]
    fn a_disconnect_says_whether_to_come_back() {
        let text = r#"{"type":"disconnect","code":1012,"reason":"the node is shutting down, connect again","reconnect":true,"retryAfter":3.5}"#;
        let Some(Said::Disconnect(ending)) = understand(text) else { panic!("no disconnect") };
        assert_eq!((ending.code, ending.reconnect, ending.retry_after_ms), (1012, true, Some(3500)));
    }

    #[test]
    fn what_is_not_understood_is_no_reason_to_fail() {
        assert!(matches!(understand(r#"{"type":"newer","x":[1]}"#), Some(Said::Other)));
        for text in ["", "[]", "null", r#"{"kind":"x"}"#, r#"{"type":"error"}"#, r#"{"type":"join"}"#] {
            assert!(understand(text).is_none(), "{text}");
        }
    }
}
