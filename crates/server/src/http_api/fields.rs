//! Members that several operations share, checked in one way.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fanfare_core::ports::broker::Target;
use fanfare_protocol::command::Topic;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::publication::Labels;
use fanfare_protocol::{ChannelName, ChannelPattern, ConnectionId, ErrorCode, Payload, Position, UserId};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::ApiError;
use super::schemas::{Epoch, Offset};

/// Users or roles that one operation names at most.
pub(super) const LIST_MAX: usize = 1000;

/// A string of the request.
pub(super) type Text<'a> = Option<Cow<'a, str>>;

/// What a request is understood against.
pub(super) struct Scope<'a> {
    /// The bytes that the request borrows from.
    pub(super) body: &'a Bytes,
    /// The largest payload.
    pub(super) message_bytes_max: usize,
    /// The header `Idempotency-Key`. Only operations whose route says that they honour it see one.
    pub(super) idempotency_key: Option<&'a str>,
}

impl Scope<'_> {
    /// The idempotency key, out of the body or the header. Both may name the same.
    pub(super) fn idempotency_key(&self, in_body: &Text<'_>) -> Result<Option<Box<str>>, ApiError> {
        let in_body = short(in_body, "idempotency_key")?;
        match (in_body, self.idempotency_key) {
            (Some(body), Some(header)) if *body != *header => {
                let text = "the header Idempotency-Key and the member \"idempotency_key\" differ";
                Err(ApiError::new(ErrorCode::InvalidRequest, text).at("idempotency_key"))
            }
            (Some(key), _) => Ok(Some(key)),
            (None, header) => Ok(header.map(Into::into)),
        }
    }
}

/// A place in a channel's history.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Since<'a> {
    /// The epoch, as answers give it.
    #[serde(borrow)]
    #[schema(value_type = Epoch, required = true)]
    pub(super) epoch: Text<'a>,
    /// The offset, as answers give it.
    #[schema(value_type = Offset, required = true)]
    pub(super) offset: Option<u64>,
}

/// Makes `null` a value like any other, and not the same as nothing.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Refuses `null` where it would mean something else than the caller thinks.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'de>, D::Error> {
    Cow::deserialize(deserializer).map(Some)
}

/// A member that has to be there.
pub(super) fn required<T>(value: Option<T>, field: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::missing(field))
}

/// A number within its bounds, or the default.
pub(super) fn bounded(value: Option<u32>, field: &str, default: u32, max: u32) -> Result<u32, ApiError> {
    match value.unwrap_or(default) {
        value if value <= max => Ok(value),
        _ => Err(ApiError::invalid(field, &format!("at most {max}"))),
    }
}

pub(super) fn channel(name: &str, field: &str) -> Result<ChannelName, ApiError> {
    ChannelName::new(name).map_err(|error| ApiError::new(ErrorCode::InvalidChannel, error.text()).at(field))
}

pub(super) fn user(id: &str, field: &str) -> Result<UserId, ApiError> {
    UserId::new(id).map_err(|error| ApiError::new(ErrorCode::InvalidField, error.text()).at(field))
}

pub(super) fn users(ids: &[Cow<'_, str>], field: &str) -> Result<Vec<UserId>, ApiError> {
    not_too_many(ids.len(), field)?;
    ids.iter().enumerate().map(|(index, id)| user(id, &format!("{field}[{index}]"))).collect()
}

pub(super) fn connection(id: &str, field: &str) -> Result<ConnectionId, ApiError> {
    id.parse().map_err(|_| ApiError::invalid(field, "the id of a connection"))
}

pub(super) fn since(since: Option<&Since<'_>>) -> Result<Option<Position>, ApiError> {
    let Some(since) = since else { return Ok(None) };
    let epoch = since.epoch.as_deref().ok_or_else(|| ApiError::missing("since.epoch"))?;
    let epoch =
        epoch.parse().map_err(|_| ApiError::invalid("since.epoch", "an epoch that an answer gave"))?;
    let offset = required(since.offset, "since.offset")?;
    Ok(Some(Position { epoch, offset }))
}

/// Either a channel or a pattern.
pub(super) fn topic(channel: &Text<'_>, pattern: &Text<'_>) -> Result<Topic, ApiError> {
    match (channel, pattern) {
        (Some(name), None) => Ok(Topic::Channel(self::channel(name, "channel")?)),
        (None, Some(pattern)) => match ChannelPattern::new(pattern) {
            Ok(pattern) => Ok(Topic::Pattern(pattern)),
            Err(error) => Err(ApiError::new(ErrorCode::InvalidChannel, error.text()).at("pattern")),
        },
        (None, None) => Err(ApiError::missing("channel")),
        (Some(_), Some(_)) => Err(only_one("channel", &["channel", "pattern"])),
    }
}

/// Who is meant: exactly one way of saying it.
pub(super) struct Addressed<'r, 'a> {
    pub(super) user: &'r Text<'a>,
    pub(super) users: &'r Option<Vec<Cow<'a, str>>>,
    pub(super) roles: &'r Option<Vec<Cow<'a, str>>>,
    pub(super) connection: &'r Text<'a>,
}

impl Addressed<'_, '_> {
    /// Whom it says; `ways` are those that the operation takes.
    pub(super) fn target(&self, ways: &[&str]) -> Result<Target, ApiError> {
        let given =
            [self.user.is_some(), self.users.is_some(), self.roles.is_some(), self.connection.is_some()];
        exactly_one(given.iter().filter(|given| **given).count(), ways)?;
        if self.user.is_some() || self.users.is_some() {
            return Ok(Target::Users(self.users()?));
        }
        if let Some(id) = self.connection {
            return Ok(Target::Connection(connection(id, "connection")?));
        }
        let roles = self.roles.as_deref().unwrap_or_default();
        not_too_many(roles.len(), "roles")?;
        Ok(Target::Roles(roles.iter().map(|role| role.as_ref().into()).collect()))
    }

    /// The user or users.
    pub(super) fn users(&self) -> Result<Vec<UserId>, ApiError> {
        match self.user {
            Some(id) => Ok(vec![user(id, "user")?]),
            None => users(self.users.as_deref().unwrap_or_default(), "users"),
        }
    }
}

impl Scope<'_> {
    /// The payload: JSON as the very bytes it came as, or bytes in base64.
    pub(super) fn payload(
        &self,
        data: Option<&RawValue>,
        binary: &Text<'_>,
        field: &str,
    ) -> Result<Payload, ApiError> {
        let payload = match (data, binary) {
            (Some(data), None) => Payload::Json(Bytes::copy_from_slice(data.get().as_bytes())),
            (None, Some(text)) => match STANDARD.decode(text.as_bytes()) {
                Ok(bytes) => Payload::Binary(bytes.into()),
                Err(_) => return Err(ApiError::invalid("binary", "bytes in base64")),
            },
            (None, None) => return Err(ApiError::missing(field)),
            (Some(_), Some(_)) => return Err(only_one(field, &[field, "binary"])),
        };
        let size = payload.bytes().len();
        if size > self.message_bytes_max {
            let message = format!("the payload has {size} bytes, {} are allowed", self.message_bytes_max);
            return Err(ApiError::new(ErrorCode::MessageTooLarge, message).at(field));
        }
        Ok(payload)
    }
}

/// What is to be the whole message in every dialect: an object, without the blanks between its tokens, so that it is one
/// line wherever a transport carries lines.
pub(super) fn verbatim(data: Payload, field: &str) -> Result<Payload, ApiError> {
    match data {
        Payload::Json(json) if json.trim_ascii_start().starts_with(b"{") => {
            Ok(Payload::Json(compacted(&json).into()))
        }
        _ => Err(ApiError::invalid(field, "a JSON object, where \"verbatim\" is true")),
    }
}

/// Well-formed JSON without the blanks between its tokens; strings and numbers stay as they are written.
fn compacted(json: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let keeps = |byte: &u8| {
        let is_blank = !in_string && byte.is_ascii_whitespace();
        if *byte == b'"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && *byte == b'\\' && !escaped;
        !is_blank
    };
    json.iter().copied().filter(keeps).collect()
}

/// Tags and key; none if there are neither.
pub(super) fn labels(
    tags: Option<BTreeMap<Cow<'_, str>, Cow<'_, str>>>,
    key: &Text<'_>,
) -> Result<Option<Box<Labels>>, ApiError> {
    let limits = DecodeLimits::default();
    let tags = tags.unwrap_or_default();
    if tags.is_empty() && key.is_none() {
        return Ok(None);
    }
    if tags.len() > limits.list_max {
        return Err(ApiError::invalid("tags", &format!("at most {} tags", limits.list_max)));
    }
    if tags.iter().any(|(name, value)| !is_name(name) || value.len() > limits.name_bytes_max) {
        let bytes_max = limits.name_bytes_max;
        let must = format!(
            "names of 1 to {bytes_max} bytes without control characters, values of at most {bytes_max}"
        );
        return Err(ApiError::invalid("tags", &must));
    }
    let tags = tags.iter().map(|(name, value)| (name.as_ref().into(), value.as_ref().into())).collect();
    Ok(Some(Box::new(Labels { tags, key: short(key, "key")?, word: None })))
}

/// A name as clients may give it too.
pub(super) fn short(text: &Text<'_>, field: &str) -> Result<Option<Box<str>>, ApiError> {
    match text {
        Some(text) if !is_name(text) => {
            let bytes_max = DecodeLimits::default().name_bytes_max;
            let must = format!("a string of 1 to {bytes_max} bytes without control characters");
            Err(ApiError::invalid(field, &must))
        }
        text => Ok(text.as_deref().map(Into::into)),
    }
}

/// Whether a text is neither empty nor long, and printable.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= DecodeLimits::default().name_bytes_max
        && !text.chars().any(char::is_control)
}

pub(super) fn not_too_many(count: usize, field: &str) -> Result<(), ApiError> {
    match count {
        1..=LIST_MAX => Ok(()),
        _ => Err(ApiError::invalid(field, &format!("a list of 1 to {LIST_MAX}"))),
    }
}

/// That one way of saying it was taken.
pub(super) fn exactly_one(given: usize, ways: &[&str]) -> Result<(), ApiError> {
    match given {
        0 => {
            let message = format!("one of {} is missing", quoted(ways));
            Err(ApiError::new(ErrorCode::MissingField, message).at(ways[0]))
        }
        1 => Ok(()),
        _ => Err(only_one(ways[0], ways)),
    }
}

fn only_one(field: &str, names: &[&str]) -> ApiError {
    ApiError::new(ErrorCode::InvalidField, format!("only one of {} may be given", quoted(names))).at(field)
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}
