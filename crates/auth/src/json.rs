//! JSON in which no object has two members of one name (RFC 8725, section 2.6, tells what comes of it otherwise).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What is wrong with a text that was to be an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is not JSON, or nested too deeply.
    Syntax,
    /// It is JSON, but not an object.
    Kind,
    /// A name stands twice in one object.
    Duplicate,
}

impl Problem {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Problem::Syntax => "is not JSON",
            Problem::Kind => "is not a JSON object",
            Problem::Duplicate => "has a member twice",
        }
    }
}

/// The object that the whole text is.
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, Problem> {
    let mut json = serde_json::Deserializer::from_slice(text);
    // Only the visitor below makes errors of data, and only for a name that stands twice.
    let problem =
        |error: serde_json::Error| if error.is_data() { Problem::Duplicate } else { Problem::Syntax };
    let value = Unique.deserialize(&mut json).map_err(problem)?;
    json.end().map_err(problem)?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Problem::Kind),
    }
}

struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without duplicate members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(Unique)? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom("duplicate member"));
            }
            let value = members.next_value_seed(Unique)?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_each_name_once_at_every_depth() {
        assert_eq!(object(br#" {"a":[1,-1,1.5,"x",null,true,{"b":{}}]} "#).unwrap().len(), 1);
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"c":0,"b":2}]}"#,
        ] {
            assert_eq!(object(twice.as_bytes()), Err(Problem::Duplicate), "{twice}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for broken in
            ["", "{", "{} {}", "{}x", "\u{feff}{}", r#"{"a":1,}"#, r#"{"a":"\ud800"}"#, "nul", &deep]
        {
            assert_eq!(object(broken.as_bytes()), Err(Problem::Syntax), "{broken}");
        }
        for other in ["null", "[]", "1", "\"{}\""] {
            assert_eq!(object(other.as_bytes()), Err(Problem::Kind), "{other}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(Problem::Syntax));
    }
}
