//! A message's members into a command.

use fanfare_json::failure::{self, Checked, Failure};
use fanfare_json::{fields, members, message};
use fanfare_protocol::command::{HistoryRange, Status, SubscribeOptions, Topic};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{ChannelName, Command, ErrorCode, Incoming, Rejection, RequestId};

use super::fields as own;
use crate::HISTORY_LIMIT_DEFAULT;

members! {
    /// Every member that some command knows.
    pub(super) struct Members {
        kind = "type",
        id = "id",
        channel = "channel",
        pattern = "pattern",
        data = "data",
        binary = "binary",
        token = "token",
        method = "method",
        recover = "recover",
        history = "history",
        filter = "filter",
        info = "info",
        presence = "presence",
        echo = "echo",
        idempotency_key = "idempotency_key",
        tags = "tags",
        key = "key",
        counts_only = "counts_only",
        since = "since",
        limit = "limit",
        reverse = "reverse",
        status = "status",
        users = "users",
    }
}

/// Understands one message.
pub(super) fn decode(message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
    let id = |members: &Members<'_>| fields::request_id("id", members.id, limits);
    message::decode(message, limits, id, |members, id| command(members, id, limits))
}

fn authenticate(members: &Members<'_>, id: &mut Option<RequestId>) -> Checked<Command> {
    let token = fields::secret("token", members.token)?.ok_or_else(|| Failure::missing("token"))?;
    Ok(Command::Authenticate { id: id.take(), token })
}

/// Builds the command.
fn command(members: &Members<'_>, id: &mut Option<RequestId>, limits: &DecodeLimits) -> Checked<Command> {
    if fields::given(members.kind).is_none() && fields::given(members.token).is_some() {
        // Bare: what hand-written clients send first.
        return authenticate(members, id);
    }
    let kind = fields::kind(members.kind)?;
    Ok(match &*kind {
        "message" => self::message(members, id, limits)?,
        "publish" => publish(members, id, fields::flag("echo", members.echo)?, limits)?,
        "subscribe" => {
            let (topic, options) = (topic(members)?, subscribe_options(members, limits)?);
            Command::Subscribe { id: id.take(), topic, options }
        }
        "unsubscribe" => {
            let topic = topic(members)?;
            Command::Unsubscribe { id: id.take(), topic }
        }
        "request" => {
            let method = fields::required("method", members.method)?;
            let method = failure::name("method", &method, limits)?;
            let data = fields::payload(members.data, members.binary)?
                .unwrap_or_else(fanfare_protocol::Payload::null);
            Command::Request { id: id.take(), method, data }
        }
        "ping" => Command::Ping { id: id.take() },
        "pong" => Command::Pong,
        "presence" => {
            let channel = channel(members)?;
            let counts_only = fields::flag("counts_only", members.counts_only)?;
            Command::Presence { id: id.take(), channel, counts_only }
        }
        "history" => {
            let (channel, range) = (channel(members)?, history_range(members)?);
            Command::History { id: id.take(), channel, range }
        }
        "status" => {
            let status = status(members)?;
            Command::SetStatus { id: id.take(), status }
        }
        "users" => {
            let users = own::users(members.users, limits)?;
            Command::Users { id: id.take(), users }
        }
        "auth" => authenticate(members, id)?,
        "connect" => Command::Connect { id: id.take() },
        "disconnect" => Command::Disconnect,
        other => {
            let kind = failure::name("type", other, limits)?;
            let data = fields::payload(members.data, members.binary)?
                .unwrap_or_else(fanfare_protocol::Payload::null);
            Command::Custom { id: id.take(), kind, data }
        }
    })
}

/// A `message` without id asks for no answer; with one it is a `publish` whose sender wants its copy.
fn message(members: &Members<'_>, id: &mut Option<RequestId>, limits: &DecodeLimits) -> Checked<Command> {
    if id.is_some() {
        return publish(members, id, true, limits);
    }
    let channel = channel(members)?;
    let data = fields::payload(members.data, members.binary)?.ok_or_else(|| Failure::missing("data"))?;
    Ok(Command::Message {
        id: None,
        channel: Some(channel),
        data,
        labels: own::labels(members, limits)?,
        echo: true,
    })
}

fn publish(
    members: &Members<'_>,
    id: &mut Option<RequestId>,
    echo: bool,
    limits: &DecodeLimits,
) -> Checked<Command> {
    let channel = channel(members)?;
    let data = fields::payload(members.data, members.binary)?.ok_or_else(|| Failure::missing("data"))?;
    let labels = own::labels(members, limits)?;
    let idempotency_key = fields::text("idempotency_key", members.idempotency_key)?
        .map(|key| failure::name("idempotency_key", &key, limits))
        .transpose()?;
    Ok(Command::Publish { id: id.take(), channel, data, labels, echo, idempotency_key })
}

fn channel(members: &Members<'_>) -> Checked<ChannelName> {
    failure::channel("channel", &fields::required("channel", members.channel)?)
}

fn topic(members: &Members<'_>) -> Checked<Topic> {
    let channel = fields::text("channel", members.channel)?;
    let pattern = fields::text("pattern", members.pattern)?;
    match (channel, pattern) {
        (Some(name), None) => Ok(Topic::Channel(failure::channel("channel", &name)?)),
        (None, Some(pattern)) => Ok(Topic::Pattern(failure::pattern("pattern", &pattern)?)),
        (None, None) => Err(Failure::missing("channel")),
        (Some(_), Some(_)) => Err(Failure::new(ErrorCode::InvalidField, "give channel or pattern, not both")),
    }
}

fn subscribe_options(members: &Members<'_>, limits: &DecodeLimits) -> Checked<SubscribeOptions> {
    Ok(SubscribeOptions {
        token: fields::secret("token", members.token)?,
        recover: own::position("recover", members.recover)?,
        history: fields::count("history", members.history)?.unwrap_or(0),
        filter: own::filter(members.filter, limits)?,
        info: fields::given(members.info).map(fields::json),
        presence: fields::flag("presence", members.presence)?,
    })
}

fn history_range(members: &Members<'_>) -> Checked<HistoryRange> {
    Ok(HistoryRange {
        since: own::position("since", members.since)?,
        limit: fields::count("limit", members.limit)?.unwrap_or(HISTORY_LIMIT_DEFAULT),
        reverse: fields::flag("reverse", members.reverse)?,
    })
}

fn status(members: &Members<'_>) -> Checked<Status> {
    match &*fields::required("status", members.status)? {
        "online" => Ok(Status::Online),
        "away" => Ok(Status::Away),
        _ => Err(Failure::invalid("status", "\"online\" or \"away\"")),
    }
}
