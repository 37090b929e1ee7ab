//! Calls into text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_protocol::command::{Secret, Topic};
use fanfare_protocol::{Payload, Position};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::options::{HistoryRange, SubscribeOptions};
use crate::publication::Publication;

/// What a client can say.
#[derive(Debug, Clone)]
pub(crate) enum Call<'a> {
    Authenticate {
        token: &'a Secret,
    },
    Subscribe {
        topic: &'a Topic,
        options: &'a SubscribeOptions,
        recover: Option<Position>,
        token: Option<&'a Secret>,
    },
    Unsubscribe {
        topic: &'a Topic,
    },
    Publish {
        channel: &'a str,
        publication: &'a Publication,
    },
    Message {
        channel: &'a str,
        publication: &'a Publication,
    },
    Request {
        method: &'a str,
        data: &'a Payload,
    },
    Presence {
        channel: &'a str,
        counts_only: bool,
    },
    History {
        channel: &'a str,
        range: HistoryRange,
    },
}

/// Every member that any call has; absent ones are left out.
#[derive(Default, Serialize)]
struct Members<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    echo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recover: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    filter: BTreeMap<&'a str, Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "is_false")]
    presence: bool,
    #[serde(skip_serializing_if = "is_false")]
    counts_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(skip_serializing_if = "is_false")]
    reverse: bool,
}

#[derive(Serialize)]
struct Place {
    epoch: String,
    offset: u64,
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        Self { epoch: position.epoch.to_string(), offset: position.offset }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Writes a call; with an id it is answered.
pub(crate) fn write(id: Option<u64>, call: &Call<'_>) -> Result<String, Error> {
    let mut members = Members { id, ..Members::default() };
    match call {
        Call::Authenticate { token } => {
            members.kind = "auth";
            members.token = Some(token.expose());
        }
        Call::Subscribe { topic, options, recover, token } => {
            members.kind = "subscribe";
            members.token = token.map(Secret::expose);
            members.topic(topic);
            members.recover = recover.map(Place::from);
            members.history = (options.history > 0 && recover.is_none()).then_some(options.history);
            let any_of = options.filter.iter().flat_map(|filter| &filter.any_of);
            members.filter =
                any_of.map(|(tag, values)| (&**tag, values.iter().map(AsRef::as_ref).collect())).collect();
            members.info = options.info.as_ref().map(json).transpose()?;
            members.presence = options.presence;
        }
        Call::Unsubscribe { topic } => {
            members.kind = "unsubscribe";
            members.topic(topic);
        }
        Call::Publish { channel, publication } => {
            members.kind = "publish";
            members.channel = Some(channel);
            members.publication(publication)?;
            members.echo = publication.echo;
            members.idempotency_key = publication.idempotency_key.as_deref();
        }
        Call::Message { channel, publication } => {
            members.kind = "message";
            members.channel = Some(channel);
            members.publication(publication)?;
        }
        Call::Request { method, data } => {
            members.kind = "request";
            members.method = Some(method);
            members.payload(data)?;
        }
        Call::Presence { channel, counts_only } => {
            members.kind = "presence";
            members.channel = Some(channel);
            members.counts_only = *counts_only;
        }
        Call::History { channel, range } => {
            members.kind = "history";
            members.channel = Some(channel);
            members.since = range.since.map(Place::from);
            members.limit = Some(range.limit);
            members.reverse = range.reverse;
        }
    }
    serde_json::to_string(&members).map_err(|error| Error::invalid(error.to_string()))
}

impl<'a> Members<'a> {
    fn topic(&mut self, topic: &'a Topic) {
        match topic {
            Topic::Channel(name) => self.channel = Some(name.as_str()),
            Topic::Pattern(pattern) => self.pattern = Some(pattern.as_str()),
        }
    }

    fn publication(&mut self, publication: &'a Publication) -> Result<(), Error> {
        self.tags = Some(&publication.tags).filter(|tags| !tags.is_empty());
        self.key = publication.key.as_deref();
        self.payload(&publication.data)
    }

    fn payload(&mut self, payload: &'a Payload) -> Result<(), Error> {
        match payload {
            Payload::Binary(bytes) => self.binary = Some(STANDARD.encode(bytes)),
            Payload::Json(_) | Payload::Text(_) => self.data = Some(json(payload)?),
        }
        Ok(())
    }
}

/// A payload as a JSON value: text becomes a string, and what claims to be JSON has to be.
fn json(payload: &Payload) -> Result<Cow<'_, RawValue>, Error> {
    match payload {
        Payload::Json(bytes) => serde_json::from_slice::<&RawValue>(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| Error::invalid(format!("the data is not JSON: {error}"))),
        Payload::Text(text) => serde_json::value::to_raw_value(&String::from_utf8_lossy(text))
            .map(Cow::Owned)
            .map_err(|error| Error::invalid(error.to_string())),
        Payload::Binary(_) => Err(Error::invalid("bytes cannot stand here, only JSON or text")),
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::publication::Filter;
    use fanfare_protocol::{ChannelName, ChannelPattern, Epoch};

    use super::*;

    fn channel(name: &str) -> Topic {
        Topic::Channel(ChannelName::new(name).unwrap())
    }

    #[test]
    fn subscriptions_say_only_what_was_chosen() {
        let plain = SubscribeOptions::default();
        let topic = channel("chat:a");
        let call = Call::Subscribe { topic: &topic, options: &plain, recover: None, token: None };
        assert_eq!(write(Some(1), &call).unwrap(), r#"{"type":"subscribe","id":1,"channel":"chat:a"}"#);

        let filter = Filter { any_of: vec![("region".into(), vec!["eu".into(), "us".into()])] };
        let options = SubscribeOptions {
            history: 5,
            filter: Some(filter),
            info: Some(Payload::Json(r#"{"name":"Ada"}"#.into())),
            presence: true,
            ..SubscribeOptions::default()
        };
        let pattern = Topic::Pattern(ChannelPattern::new("orders.*").unwrap());
        let call = Call::Subscribe { topic: &pattern, options: &options, recover: None, token: None };
        assert_eq!(
            write(Some(2), &call).unwrap(),
            r#"{"type":"subscribe","id":2,"pattern":"orders.*","history":5,"filter":{"region":["eu","us"]},"info":{"name":"Ada"},"presence":true}"#
        );

        let recover = Some(Position { epoch: Epoch(255), offset: 7 });
        let token = Secret::new("a.b.c");
        let call = Call::Subscribe { topic: &topic, options: &options, recover, token: Some(&token) };
        let text = write(Some(3), &call).unwrap();
        assert!(text.contains(r#""recover":{"epoch":"ff","offset":7}"#) && !text.contains("history"));
        assert!(text.contains(r#""token":"a.b.c""#));
        let text = write(Some(4), &Call::Authenticate { token: &token }).unwrap();
        assert_eq!(text, r#"{"type":"auth","id":4,"token":"a.b.c"}"#);
    }

    #[test]
    fn payloads_travel_as_they_are() {
        let written = |publication: Publication| {
            write(None, &Call::Message { channel: "a", publication: &publication }).unwrap()
        };
        let number = Publication::from(serde_json::json!({"a": 1}));
        assert_eq!(written(number.clone()), r#"{"type":"message","channel":"a","data":{"a":1}}"#);
        assert_eq!(written("x\"y".into()), r#"{"type":"message","channel":"a","data":"x\"y"}"#);
        let bytes = Publication::binary(&[0_u8, 255][..]).tag("t", "v").key("k");
        assert_eq!(
            written(bytes),
            r#"{"type":"message","channel":"a","binary":"AP8=","tags":{"t":"v"},"key":"k"}"#
        );
        let publication = number.echo().idempotency_key("once");
        let call = Call::Publish { channel: "a", publication: &publication };
        assert_eq!(
            write(Some(9), &call).unwrap(),
            r#"{"type":"publish","id":9,"channel":"a","data":{"a":1},"echo":true,"idempotency_key":"once"}"#
        );
    }

    #[test]
    fn what_claims_to_be_json_has_to_be() {
        let data = Payload::Json("{".into());
        assert!(write(Some(1), &Call::Request { method: "m", data: &data }).is_err());
    }
}
