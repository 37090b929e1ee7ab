//! Reads one member's value as what its command wants it to be, or says which member is wrong and how.
//!
//! For members that may be left out, `null` is the same as leaving them out.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use fanfare_protocol::command::Secret;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::publication::{Filter, Labels};
use fanfare_protocol::{Epoch, Payload, Position, RequestId, UserId};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::members::{Members, Text};
use crate::failure::{self, Checked, Failure};

/// Takes base64 with or without its padding, as the libraries of different languages write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A member that is there and is not `null`.
pub(super) fn given(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| value.get() != "null")
}

/// A string; none when absent.
pub(super) fn text<'a>(
    member: impl fmt::Display,
    value: Option<&'a RawValue>,
) -> Checked<Option<Cow<'a, str>>> {
    given(value).map(|value| string(member, value)).transpose()
}

/// A string that has to be there.
pub(super) fn required<'a>(member: &str, value: Option<&'a RawValue>) -> Checked<Cow<'a, str>> {
    text(member, value)?.ok_or_else(|| Failure::missing(member))
}

fn string<'a>(member: impl fmt::Display, value: &'a RawValue) -> Checked<Cow<'a, str>> {
    let raw = value.get();
    let Some(inner) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(Failure::invalid(member, "a string"));
    };
    if !inner.as_bytes().contains(&b'\\') {
        return Ok(Cow::Borrowed(inner));
    }
    // The grammar was checked; only half a surrogate pair can still be wrong.
    match serde_json::from_str(raw) {
        Ok(Text(text)) => Ok(text),
        Err(_) => Err(Failure::invalid(member, "a string of Unicode characters")),
    }
}

/// A token; none when absent. It may be as long as the message, and no error repeats any of it.
pub(super) fn secret(member: &str, value: Option<&RawValue>) -> Checked<Option<Secret>> {
    text(member, value)?.map(|token| failure::secret(member, &token)).transpose()
}

/// True or false; false when absent.
pub(super) fn flag(member: &str, value: Option<&RawValue>) -> Checked<bool> {
    match given(value).map(RawValue::get) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Failure::invalid(member, "true or false")),
    }
}

/// A count; none when absent.
pub(super) fn count(member: &str, value: Option<&RawValue>) -> Checked<Option<u32>> {
    let wrong = || Failure::invalid(member, format_args!("a whole number from 0 to {}", u32::MAX));
    given(value).map(|value| value.get().parse().map_err(|_| wrong())).transpose()
}

/// The request's id, kept in the client's own spelling.
pub(super) fn request_id(value: Option<&RawValue>, limits: &DecodeLimits) -> Checked<Option<RequestId>> {
    let Some(value) = given(value) else { return Ok(None) };
    match value.get().as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Ok(Some(RequestId::Number(failure::bounded("id", value.get(), limits)?))),
        Some(b'"') => Ok(Some(RequestId::Text(failure::bounded("id", &string("id", value)?, limits)?))),
        _ => Err(Failure::invalid("id", "a number or a string")),
    }
}

/// A place in a channel; none when absent.
pub(super) fn position(member: &str, value: Option<&RawValue>) -> Checked<Option<Position>> {
    let Some(value) = given(value) else { return Ok(None) };
    let pairs = pairs(member, value)?;
    let inner = |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value);
    let epoch_member = format_args!("{member}.epoch").to_string();
    let epoch = required(&epoch_member, inner("epoch"))?;
    let epoch: Epoch =
        epoch.parse().map_err(|_| Failure::invalid(&epoch_member, "the text that the server gave"))?;
    let offset_member = format_args!("{member}.offset").to_string();
    let offset = given(inner("offset")).ok_or_else(|| Failure::missing(&offset_member))?;
    let wrong = || Failure::invalid(&offset_member, "a whole number from 0 to 18446744073709551615");
    let offset = offset.get().parse().map_err(|_| wrong())?;
    Ok(Some(Position { epoch, offset }))
}

/// What a subscription wants to see: `{"tag": "value"}` or `{"tag": ["this", "or that"]}`.
pub(super) fn filter(value: Option<&RawValue>, limits: &DecodeLimits) -> Checked<Option<Box<Filter>>> {
    let Some(value) = given(value) else { return Ok(None) };
    let pairs = pairs("filter", value)?;
    failure::length("filter", pairs.len(), limits)?;
    let mut filter = Filter::default();
    for (tag, wanted) in pairs {
        let member = failure::tag_member("filter", &tag);
        let name = failure::name(&member, &tag, limits)?;
        let values = if wanted.get().starts_with('[') { list(&member, wanted)? } else { vec![wanted] };
        if values.is_empty() {
            return Err(Failure::invalid(&member, "a string or a list with at least one"));
        }
        failure::length(&member, values.len(), limits)?;
        let values =
            values.into_iter().map(|value| failure::bounded(&member, &string(&member, value)?, limits));
        let values = values.collect::<Checked<Vec<_>>>()?;
        filter.any_of.retain(|(known, _)| *known != name);
        filter.any_of.push((name, values));
    }
    Ok((!filter.any_of.is_empty()).then(|| Box::new(filter)))
}

/// A publication's tags and key.
pub(super) fn labels(members: &Members<'_>, limits: &DecodeLimits) -> Checked<Option<Box<Labels>>> {
    let key = text("key", members.key)?.map(|key| failure::name("key", &key, limits)).transpose()?;
    let mut tags: Vec<(Box<str>, Box<str>)> = Vec::new();
    if let Some(value) = given(members.tags) {
        let pairs = pairs("tags", value)?;
        failure::length("tags", pairs.len(), limits)?;
        for (tag, value) in pairs {
            let member = failure::tag_member("tags", &tag);
            let name = failure::name(&member, &tag, limits)?;
            let value = failure::bounded(&member, &string(&member, value)?, limits)?;
            tags.retain(|(known, _)| *known != name);
            tags.push((name, value));
        }
    }
    Ok((key.is_some() || !tags.is_empty()).then(|| Box::new(Labels { tags, key })))
}

/// The users asked about.
pub(super) fn users(value: Option<&RawValue>, limits: &DecodeLimits) -> Checked<Vec<UserId>> {
    let value = given(value).ok_or_else(|| Failure::missing("users"))?;
    if !value.get().starts_with('[') {
        return Err(Failure::invalid("users", "a list of strings"));
    }
    let users = list("users", value)?;
    failure::length("users", users.len(), limits)?;
    users.into_iter().map(|value| failure::user(&string("each of users", value)?)).collect()
}

/// What the application sends: the bytes of `data` as they came, or those that `binary` stands for.
pub(super) fn payload(members: &Members<'_>) -> Checked<Option<Payload>> {
    match (members.data, given(members.binary)) {
        (data, None) => Ok(data.map(json)),
        (None, Some(binary)) => {
            let text = string("binary", binary)?;
            let bytes = BASE64.decode(text.as_bytes()).map_err(|_| Failure::invalid("binary", "base64"))?;
            Ok(Some(Payload::Binary(Bytes::from(bytes))))
        }
        (Some(_), Some(_)) => {
            Err(Failure::new(fanfare_protocol::ErrorCode::InvalidField, "give data or binary, not both"))
        }
    }
}

/// A JSON value as payload.
pub(super) fn json(value: &RawValue) -> Payload {
    Payload::Json(Bytes::copy_from_slice(value.get().as_bytes()))
}

fn list<'a>(member: &str, value: &'a RawValue) -> Checked<Vec<&'a RawValue>> {
    serde_json::from_str(value.get()).map_err(|_| Failure::invalid(member, "a list"))
}

fn pairs<'a>(member: &str, value: &'a RawValue) -> Checked<Vec<(Cow<'a, str>, &'a RawValue)>> {
    let pairs: Pairs<'a> =
        serde_json::from_str(value.get()).map_err(|_| Failure::invalid(member, "an object"))?;
    Ok(pairs.0)
}

/// An object's members in their order, values unparsed.
struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
