//! A message into a command.
//!
//! The rules are those of JSON: the same bounds, the same codes, and a JSON payload is checked as if it
//! stood in a JSON message, because members of the channel who speak JSON get it as it is.

use std::borrow::Cow;

use bytes::Bytes;
use fanfare_json::failure::{self, Checked, Failure};
use fanfare_json::members::too_deep;
use fanfare_protocol::command::{HistoryRange, Secret, Status, SubscribeOptions, Topic};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::publication::{Filter, Labels};
use fanfare_protocol::{Command, Epoch, ErrorCode, Payload, Position, Rejection, RequestId, UserId};
use prost::Message as _;
use serde::de::IgnoredAny;

use super::messages as proto;
use super::messages::client_message::{Command as Said, Id};
use crate::HISTORY_LIMIT_DEFAULT;

/// Understands one message.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Command, Rejection> {
    let message = proto::ClientMessage::decode(bytes).map_err(|error| {
        let text = format!("the message is not a valid ClientMessage: {error}");
        Failure::new(ErrorCode::InvalidProtobuf, text).reject(None)
    })?;
    let mut id = request_id(message.id, limits).map_err(|failure| failure.reject(None))?;
    command(message.command, &mut id, limits).map_err(|failure| failure.reject(id))
}

fn request_id(id: Option<Id>, limits: &DecodeLimits) -> Checked<Option<RequestId>> {
    Ok(match id {
        None => None,
        Some(Id::Number(number)) => Some(RequestId::Number(number.to_string().into())),
        Some(Id::Text(text)) => Some(RequestId::Text(failure::bounded("id", &text, limits)?)),
    })
}

/// Builds the command, and takes the id only when nothing can fail any more: a refusal needs it too.
fn command(said: Option<Said>, id: &mut Option<RequestId>, limits: &DecodeLimits) -> Checked<Command> {
    let Some(said) = said else {
        return Err(Failure::new(ErrorCode::InvalidMessage, "the message has no command that is known here"));
    };
    Ok(match said {
        Said::Message(message) => self::message(message, id, limits)?,
        Said::Publish(message) => {
            let echo = message.echo;
            publish(message, id, echo, limits)?
        }
        Said::Subscribe(mut subscribe) => {
            let topic = topic(subscribe.topic.take())?;
            let options = subscribe_options(subscribe, limits)?;
            Command::Subscribe { id: id.take(), topic, options }
        }
        Said::Unsubscribe(topic) => {
            let topic = self::topic(Some(topic))?;
            Command::Unsubscribe { id: id.take(), topic }
        }
        Said::Request(request) => {
            let method = failure::name("method", &given("method", request.method)?, limits)?;
            let data = payload("data", request.data, limits)?.unwrap_or_else(Payload::null);
            Command::Request { id: id.take(), method, data }
        }
        Said::Ping(_) => Command::Ping { id: id.take() },
        Said::Pong(_) => Command::Pong,
        Said::Presence(query) => {
            let channel = failure::channel("channel", &given("channel", query.channel)?)?;
            Command::Presence { id: id.take(), channel, counts_only: query.counts_only }
        }
        Said::History(query) => {
            let channel = failure::channel("channel", &given("channel", query.channel)?)?;
            let limit = query.limit.unwrap_or(HISTORY_LIMIT_DEFAULT);
            let range = HistoryRange { since: query.since.map(position), limit, reverse: query.reverse };
            Command::History { id: id.take(), channel, range }
        }
        Said::Status(status) => {
            let status = self::status(status.status())?;
            Command::SetStatus { id: id.take(), status }
        }
        Said::Users(query) => {
            let users = users(&query.users, limits)?;
            Command::Users { id: id.take(), users }
        }
        Said::Auth(auth) => {
            let token = failure::secret("token", &given("token", auth.token)?)?;
            Command::Authenticate { id: id.take(), token }
        }
        Said::Connect(_) => Command::Connect { id: id.take() },
        Said::Disconnect(_) => Command::Disconnect,
        Said::Custom(custom) => {
            let kind = failure::name("type", &given("type", custom.r#type)?, limits)?;
            let data = payload("data", custom.data, limits)?.unwrap_or_else(Payload::null);
            Command::Custom { id: id.take(), kind, data }
        }
    })
}

/// A string that has to be there: Protocol Buffers do not tell an empty one from none.
fn given(member: &str, text: String) -> Checked<String> {
    if text.is_empty() { Err(Failure::missing(member)) } else { Ok(text) }
}

/// A `message` without id asks for no answer; with one it is a `publish` whose sender wants its copy.
fn message(message: proto::Publish, id: &mut Option<RequestId>, limits: &DecodeLimits) -> Checked<Command> {
    if id.is_some() {
        return publish(message, id, true, limits);
    }
    let channel = failure::channel("channel", &given("channel", message.channel)?)?;
    let data = payload("data", message.data, limits)?.ok_or_else(|| Failure::missing("data"))?;
    Ok(Command::Message {
        id: None,
        channel: Some(channel),
        data,
        labels: labels(message.tags, &message.key, limits)?,
        echo: true,
    })
}

fn publish(
    message: proto::Publish,
    id: &mut Option<RequestId>,
    echo: bool,
    limits: &DecodeLimits,
) -> Checked<Command> {
    let channel = failure::channel("channel", &given("channel", message.channel)?)?;
    let data = payload("data", message.data, limits)?.ok_or_else(|| Failure::missing("data"))?;
    let labels = labels(message.tags, &message.key, limits)?;
    let idempotency_key = optional_name("idempotency_key", &message.idempotency_key, limits)?;
    Ok(Command::Publish { id: id.take(), channel, data, labels, echo, idempotency_key })
}

fn optional_name(member: &str, text: &str, limits: &DecodeLimits) -> Checked<Option<Box<str>>> {
    (!text.is_empty()).then(|| failure::name(member, text, limits)).transpose()
}

fn labels(
    tags: std::collections::BTreeMap<String, String>,
    key: &str,
    limits: &DecodeLimits,
) -> Checked<Option<Box<Labels>>> {
    failure::length("tags", tags.len(), limits)?;
    let key = optional_name("key", key, limits)?;
    let tags = tags.into_iter().map(|(tag, value)| {
        let member = failure::tag_member("tags", &tag);
        Ok((failure::name(&member, &tag, limits)?, failure::bounded(&member, &value, limits)?))
    });
    let tags = tags.collect::<Checked<Vec<_>>>()?;
    Ok((key.is_some() || !tags.is_empty()).then(|| Box::new(Labels { tags, key, word: None })))
}

fn topic(topic: Option<proto::Topic>) -> Checked<Topic> {
    match topic.and_then(|topic| topic.topic) {
        None => Err(Failure::missing("channel")),
        Some(proto::topic::Topic::Channel(name)) => Ok(Topic::Channel(failure::channel("channel", &name)?)),
        Some(proto::topic::Topic::Pattern(pattern)) => {
            Ok(Topic::Pattern(failure::pattern("pattern", &pattern)?))
        }
    }
}

fn subscribe_options(subscribe: proto::Subscribe, limits: &DecodeLimits) -> Checked<SubscribeOptions> {
    Ok(SubscribeOptions {
        token: (!subscribe.token.is_empty()).then(|| Secret::new(&subscribe.token)),
        recover: subscribe.recover.map(position),
        history: subscribe.history,
        filter: filter(&subscribe.filter, limits)?,
        info: payload("info", subscribe.info, limits)?,
        presence: subscribe.presence,
    })
}

fn position(position: proto::Position) -> Position {
    Position { epoch: Epoch(position.epoch), offset: position.offset }
}

fn filter(tags: &[proto::TagFilter], limits: &DecodeLimits) -> Checked<Option<Box<Filter>>> {
    failure::length("filter", tags.len(), limits)?;
    let mut filter = Filter::default();
    for proto::TagFilter { tag, any_of } in tags {
        let member = failure::tag_member("filter", tag);
        let name = failure::name(&member, tag, limits)?;
        if any_of.is_empty() {
            return Err(Failure::invalid(&member, "a list with at least one"));
        }
        failure::length(&member, any_of.len(), limits)?;
        let values = any_of.iter().map(|value| failure::bounded(&member, value, limits));
        let values = values.collect::<Checked<Vec<_>>>()?;
        filter.any_of.retain(|(known, _)| *known != name);
        filter.any_of.push((name, values));
    }
    Ok((!filter.any_of.is_empty()).then(|| Box::new(filter)))
}

fn status(status: proto::Status) -> Checked<Status> {
    match status {
        proto::Status::Online => Ok(Status::Online),
        proto::Status::Away => Ok(Status::Away),
        proto::Status::Unspecified | proto::Status::Offline => {
            Err(Failure::invalid("status", "\"online\" or \"away\""))
        }
    }
}

fn users(users: &[String], limits: &DecodeLimits) -> Checked<Vec<UserId>> {
    failure::length("users", users.len(), limits)?;
    users.iter().map(|user| failure::user(user)).collect()
}

fn payload(member: &str, payload: Option<proto::Payload>, limits: &DecodeLimits) -> Checked<Option<Payload>> {
    Ok(match payload.and_then(|payload| payload.kind) {
        None => None,
        Some(proto::payload::Kind::Json(json)) => Some(Payload::Json(checked_json(member, json, limits)?)),
        Some(proto::payload::Kind::Text(text)) => Some(Payload::Text(text.into())),
        Some(proto::payload::Kind::Binary(bytes)) => Some(Payload::Binary(bytes)),
    })
}

fn checked_json(member: &str, json: String, limits: &DecodeLimits) -> Checked<Bytes> {
    // In a JSON message the object around it would be one level.
    if too_deep(json.as_bytes(), limits.depth_max.saturating_sub(1)) {
        return Err(Failure::too_deep(limits));
    }
    serde_json::from_str::<IgnoredAny>(&json).map_err(|error| {
        let text: Cow<'static, str> = format!("{member} is not valid JSON: {error}").into();
        Failure::new(ErrorCode::InvalidJson, text)
    })?;
    // White space around the value is no part of it, and must not be kept alive by it: a value of one byte
    // would hold as much as a message may have.
    let value = json.as_bytes().trim_ascii();
    Ok(if value.len() == json.len() { Bytes::from(json) } else { Bytes::copy_from_slice(value) })
}
