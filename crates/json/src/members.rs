//! Finds the members of a message's object in one pass, and leaves their values unparsed.
//!
//! Values stay slices of the message until the command that wants them reads them. So a member that the
//! command does not know may hold anything, and one that it does know is refused by its own name. Of a
//! member given twice the last one counts, as it does for `JSON.parse`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use fanfare_protocol::ErrorCode;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
pub use serde_json::value::RawValue;

use crate::failure::{Checked, Failure};

/// The members that a kind of message has, as the texts of their values. [`members!`](crate::members!) makes them.
pub trait Members<'a>: Default {
    /// Where the value of the member of this name goes; none for a name that is not known.
    fn slot(&mut self, name: &str) -> Option<&mut Option<&'a RawValue>>;
}

/// Makes a struct of members: each field stands for the member of the name given, none where it is absent.
#[macro_export]
macro_rules! members {
    ($(#[$meta:meta])* $visibility:vis struct $struct:ident { $($field:ident = $name:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $visibility struct $struct<'a> {
            $($visibility $field: Option<&'a $crate::members::RawValue>,)*
        }

        impl<'a> $crate::members::Members<'a> for $struct<'a> {
            fn slot(&mut self, name: &str) -> Option<&mut Option<&'a $crate::members::RawValue>> {
                match name {
                    $($name => Some(&mut self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

/// The members that an object's text has.
struct Object<M>(M);

impl<'de, M: Members<'de>> Deserialize<'de> for Object<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk<M>(PhantomData<M>);
        impl<'de, M: Members<'de>> Visitor<'de> for Walk<M> {
            type Value = Object<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<M>, A::Error> {
                let mut members = M::default();
                while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
                    match members.slot(&name) {
                        Some(slot) => *slot = Some(map.next_value()?),
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Walk(PhantomData))
    }
}

/// A string that is borrowed wherever it has no escapes.
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Characters;
        impl<'de> Visitor<'de> for Characters {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Characters)
    }
}

/// Finds the members of a message.
///
/// # Errors
/// When it is not JSON, or no object.
pub fn parse<'a, M: Members<'a>>(text: &'a str) -> Checked<M> {
    let first = text.bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    if first == Some(b'{') {
        return match serde_json::from_str(text) {
            Ok(Object(members)) => Ok(members),
            Err(error) => Err(not_json(&error)),
        };
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Err(Failure::new(ErrorCode::InvalidMessage, "the message must be an object with a type")),
        Err(error) => Err(not_json(&error)),
    }
}

/// Finds the members of an object within a message; `member` is its name.
///
/// # Errors
/// When it is no object.
pub fn inner<'a, M: Members<'a>>(member: &str, value: &'a RawValue) -> Checked<M> {
    match serde_json::from_str(value.get()) {
        Ok(Object(members)) => Ok(members),
        Err(_) => Err(Failure::invalid(member, "an object")),
    }
}

/// The parser's own words are about grammar and places; they never repeat what the client sent.
fn not_json(error: &serde_json::Error) -> Failure {
    Failure::new(ErrorCode::InvalidJson, format!("the message is not valid JSON: {error}"))
}

/// Whether arrays and objects lie deeper in each other than `depth_max`.
///
/// Most messages have fewer brackets than they may have levels, and counting bytes is nearly free; only the
/// others are walked through. Neither recurses.
pub fn too_deep(text: &[u8], depth_max: u32) -> bool {
    let depth_max = depth_max as usize;
    if text.len() <= depth_max {
        return false;
    }
    let opening = text.iter().filter(|&&byte| byte == b'[' || byte == b'{').count();
    opening > depth_max && is_deeper(text, depth_max)
}

/// Ends where it is found out: who nests without end is told so after a few bytes of it.
fn is_deeper(text: &[u8], depth_max: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    false
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert!(!too_deep(br#"{"a":[[1]]}"#, 3));
        assert!(too_deep(br#"{"a":[[1]]}"#, 2));
        assert!(!too_deep(br#"{"a":"[[[[[[","b":"\"[[[["}"#, 1));
        assert!(!too_deep(b"[][][][][][][]", 1));
        assert!(too_deep("[".repeat(10_000).as_bytes(), 64));
    }

    members! {
        struct Known { id = "id", }
    }

    #[test]
    fn the_last_of_two_members_counts_and_escaped_names_are_names() {
        let members: Known<'_> = parse(r#"{"id":1,"\u0069d":2,"other":[{}]}"#).unwrap();
        assert_eq!(members.id.map(RawValue::get), Some("2"));
    }
}
