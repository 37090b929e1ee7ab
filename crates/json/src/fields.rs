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
use fanfare_protocol::{ErrorCode, Payload, RequestId};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::failure::{self, Checked, Failure};
use crate::members::Text;

/// Takes base64 with or without its padding, as the libraries of different languages write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A member that is there and is not `null`.
pub fn given(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| value.get() != "null")
}

/// A string; none when absent.
pub fn text<'a>(member: impl fmt::Display, value: Option<&'a RawValue>) -> Checked<Option<Cow<'a, str>>> {
    given(value).map(|value| string(member, value)).transpose()
}

/// A message's type.
///
/// # Errors
/// When there is none, or it is no string.
pub fn kind(value: Option<&RawValue>) -> Checked<Cow<'_, str>> {
    let Some(value) = given(value) else {
        return Err(Failure::new(ErrorCode::InvalidMessage, "the message has no type"));
    };
    string("type", value).map_err(|_| Failure::new(ErrorCode::InvalidMessage, "type must be a string"))
}

/// A string that has to be there.
pub fn required<'a>(member: &str, value: Option<&'a RawValue>) -> Checked<Cow<'a, str>> {
    text(member, value)?.ok_or_else(|| Failure::missing(member))
}

/// A string.
pub fn string<'a>(member: impl fmt::Display, value: &'a RawValue) -> Checked<Cow<'a, str>> {
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

/// The characters of a string's JSON; none when it is no string, or holds half a surrogate pair.
pub fn unquoted(json: &[u8]) -> Option<Cow<'_, str>> {
    serde_json::from_slice(json).ok().map(|Text(text)| text)
}

/// A token; none when absent. It may be as long as the message, and no error repeats any of it.
pub fn secret(member: &str, value: Option<&RawValue>) -> Checked<Option<Secret>> {
    text(member, value)?.map(|token| failure::secret(member, &token)).transpose()
}

/// True or false; false when absent.
pub fn flag(member: &str, value: Option<&RawValue>) -> Checked<bool> {
    match given(value).map(RawValue::get) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Failure::invalid(member, "true or false")),
    }
}

/// A count; none when absent.
pub fn count(member: &str, value: Option<&RawValue>) -> Checked<Option<u32>> {
    let wrong = || Failure::invalid(member, format_args!("a whole number from 0 to {}", u32::MAX));
    given(value).map(|value| value.get().parse().map_err(|_| wrong())).transpose()
}

/// The request's id, kept in the client's own spelling.
pub fn request_id(
    member: &str,
    value: Option<&RawValue>,
    limits: &DecodeLimits,
) -> Checked<Option<RequestId>> {
    let Some(value) = given(value) else { return Ok(None) };
    match value.get().as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => {
            Ok(Some(RequestId::Number(failure::bounded(member, value.get(), limits)?)))
        }
        Some(b'"') => Ok(Some(RequestId::Text(failure::bounded(member, &string(member, value)?, limits)?))),
        _ => Err(Failure::invalid(member, "a number or a string")),
    }
}

/// What the application sends: the bytes of `data` as they came, or those that `binary` stands for.
pub fn payload(data: Option<&RawValue>, binary: Option<&RawValue>) -> Checked<Option<Payload>> {
    match (data, given(binary)) {
        (data, None) => Ok(data.map(json)),
        (None, Some(binary)) => {
            let text = string("binary", binary)?;
            let bytes = BASE64.decode(text.as_bytes()).map_err(|_| Failure::invalid("binary", "base64"))?;
            Ok(Some(Payload::Binary(Bytes::from(bytes))))
        }
        (Some(_), Some(_)) => Err(Failure::new(ErrorCode::InvalidField, "give data or binary, not both")),
    }
}

/// A JSON value as payload.
pub fn json(value: &RawValue) -> Payload {
    Payload::Json(Bytes::copy_from_slice(value.get().as_bytes()))
}

/// The values of a list.
pub fn list<'a>(member: &str, value: &'a RawValue) -> Checked<Vec<&'a RawValue>> {
    serde_json::from_str(value.get()).map_err(|_| Failure::invalid(member, "a list"))
}

/// An object's members in their order, values unparsed.
pub fn pairs<'a>(member: &str, value: &'a RawValue) -> Checked<Vec<(Cow<'a, str>, &'a RawValue)>> {
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
