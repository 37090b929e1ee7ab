//! Why a message was refused, and the checks that every dialect and encoding shares.

use std::borrow::Cow;
use std::fmt;

use fanfare_protocol::command::Secret;
use fanfare_protocol::dialect::{DecodeLimits, excerpt};
use fanfare_protocol::names::NameError;
use fanfare_protocol::{ChannelName, ChannelPattern, ErrorCode, Rejection, RequestId, UserId};

/// A refusal to which the request's id is yet to be joined.
#[derive(Debug)]
pub struct Failure {
    code: ErrorCode,
    text: Cow<'static, str>,
}

impl Failure {
    /// With a text of its own.
    pub fn new(code: ErrorCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }

    /// A required member is not there.
    pub fn missing(member: &str) -> Self {
        Self::new(ErrorCode::MissingField, format!("{member} is missing"))
    }

    /// A member has the wrong type or value; `wanted` completes "`member` must be …".
    pub fn invalid(member: impl fmt::Display, wanted: impl fmt::Display) -> Self {
        Self::new(ErrorCode::InvalidField, format!("{member} must be {wanted}"))
    }

    /// Arrays and objects lie too deep in each other.
    pub fn too_deep(limits: &DecodeLimits) -> Self {
        let text = format!("arrays and objects are nested more than {} deep", limits.depth_max);
        Self::new(ErrorCode::NestingTooDeep, text)
    }

    /// Joins the id.
    pub fn reject(self, id: Option<RequestId>) -> Rejection {
        Rejection { id, code: self.code, text: self.text }
    }
}

/// What most reading comes to.
pub type Checked<T> = Result<T, Failure>;

/// A channel's name.
pub fn channel(member: &str, name: &str) -> Checked<ChannelName> {
    ChannelName::new(name).map_err(|error| invalid_channel(member, error))
}

/// A pattern of names.
pub fn pattern(member: &str, pattern: &str) -> Checked<ChannelPattern> {
    ChannelPattern::new(pattern).map_err(|error| invalid_channel(member, error))
}

fn invalid_channel(member: &str, error: NameError) -> Failure {
    Failure::new(ErrorCode::InvalidChannel, format!("{member}: {error}"))
}

/// A user's id in a list of them.
pub fn user(id: &str) -> Checked<UserId> {
    UserId::new(id).map_err(|error| Failure::new(ErrorCode::InvalidField, format!("users: {error}")))
}

/// A type, method, key or tag name: not empty, bounded, and printable.
pub fn name(member: impl fmt::Display, text: &str, limits: &DecodeLimits) -> Checked<Box<str>> {
    if text.is_empty() {
        return Err(Failure::new(ErrorCode::InvalidField, format!("{member} is empty")));
    }
    if text.chars().any(char::is_control) {
        return Err(Failure::invalid(member, "free of control characters"));
    }
    bounded(member, text, limits)
}

/// A token: any text. Whether it is one is for those who verify it, who know better than to repeat it.
pub fn secret(member: impl fmt::Display, text: &str) -> Checked<Secret> {
    if text.is_empty() {
        return Err(Failure::new(ErrorCode::InvalidField, format!("{member} is empty")));
    }
    Ok(Secret::new(text))
}

/// A request id or tag value: any text, bounded.
pub fn bounded(member: impl fmt::Display, text: &str, limits: &DecodeLimits) -> Checked<Box<str>> {
    if text.len() > limits.name_bytes_max {
        return Err(Failure::invalid(member, format_args!("at most {} bytes long", limits.name_bytes_max)));
    }
    Ok(text.into())
}

/// The length of a list or map.
pub fn length(member: impl fmt::Display, length: usize, limits: &DecodeLimits) -> Checked<()> {
    if length > limits.list_max {
        return Err(Failure::invalid(member, format_args!("at most {} entries long", limits.list_max)));
    }
    Ok(())
}

/// The name under which an error text speaks of one tag; the tag's name is the client's.
pub fn tag_member(member: &str, tag: &str) -> String {
    format!("{member}.{}", excerpt(tag))
}
