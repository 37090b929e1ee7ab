//! From a query to the same JSON that a body would be: a question may be a simple link.

use bytes::Bytes;
use fanfare_protocol::ErrorCode;
use fanfare_protocol::dialect::excerpt;
use serde_json::{Map, Value};

use super::error::ApiError;

/// A parameter of an operation that may be asked by GET.
#[derive(Debug)]
pub(super) struct Parameter {
    /// As in the body; a dot stands for a member of a member.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: ParameterKind,
    /// A line for people.
    pub(super) about: &'static str,
    /// Whether the operation cannot do without it.
    pub(super) required: bool,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterKind {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// Strings: the parameter is repeated.
    List,
}

impl Parameter {
    pub(super) const fn required(name: &'static str, kind: ParameterKind, about: &'static str) -> Self {
        Self { name, kind, about, required: true }
    }

    pub(super) const fn optional(name: &'static str, kind: ParameterKind, about: &'static str) -> Self {
        Self { name, kind, about, required: false }
    }
}

/// The body that says what the query says. What a parameter must be is left to the operation to judge.
pub(super) fn to_json(query: &str, parameters: &[Parameter]) -> Result<Bytes, ApiError> {
    let mut object = Map::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else {
            return Err(unknown(&name, parameters));
        };
        let (holder, member) = match parameter.name.split_once('.') {
            None => (&mut object, parameter.name),
            Some((outer, inner)) => match object.entry(outer).or_insert_with(|| Value::Object(Map::new())) {
                Value::Object(nested) => (nested, inner),
                _ => continue,
            },
        };
        match (parameter.kind, holder.get_mut(member)) {
            (ParameterKind::List, Some(Value::Array(items))) => items.push(Value::String(text.into_owned())),
            (ParameterKind::List, _) => {
                holder.insert(member.to_owned(), Value::Array(vec![Value::String(text.into_owned())]));
            }
            (_, Some(_)) => {
                let message = format!("the parameter \"{name}\" is given twice");
                return Err(ApiError::new(ErrorCode::InvalidRequest, message).at(parameter.name));
            }
            (kind, None) => {
                holder.insert(member.to_owned(), value(kind, &text));
            }
        }
    }
    Ok(Value::Object(object).to_string().into())
}

fn value(kind: ParameterKind, text: &str) -> Value {
    let other = || Value::String(text.to_owned());
    match kind {
        ParameterKind::Text | ParameterKind::List => other(),
        ParameterKind::Number => text.parse::<u64>().map_or_else(|_| other(), Value::from),
        ParameterKind::Flag => match text {
            "" | "1" | "true" => Value::Bool(true),
            "0" | "false" => Value::Bool(false),
            _ => other(),
        },
    }
}

fn unknown(name: &str, parameters: &[Parameter]) -> ApiError {
    let known: Vec<String> = parameters.iter().map(|parameter| format!("\"{}\"", parameter.name)).collect();
    let name = excerpt(name);
    let message = match known.is_empty() {
        true => format!("no parameter \"{name}\" is known here; there are none"),
        false => format!("no parameter \"{name}\" is known here; known are {}", known.join(", ")),
    };
    ApiError::new(ErrorCode::InvalidRequest, message).at(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: &[Parameter] = &[
        Parameter::required("channel", ParameterKind::Text, ""),
        Parameter::optional("since.offset", ParameterKind::Number, ""),
        Parameter::optional("since.epoch", ParameterKind::Text, ""),
        Parameter::optional("reverse", ParameterKind::Flag, ""),
        Parameter::optional("users", ParameterKind::List, ""),
    ];

    #[test]
    fn a_query_says_what_a_body_would() {
        let cases = [
            ("", r#"{}"#),
            ("channel=a%20b%26&reverse", r#"{"channel":"a b&","reverse":true}"#),
            ("since.offset=5&since.epoch=12", r#"{"since":{"epoch":"12","offset":5}}"#),
            ("users=a&users=b,c&reverse=0", r#"{"reverse":false,"users":["a","b,c"]}"#),
            ("since.offset=-5&reverse=maybe", r#"{"reverse":"maybe","since":{"offset":"-5"}}"#),
        ];
        for (query, wanted) in cases {
            let json = to_json(query, PARAMETERS).map_err(|error| format!("{error:?}")).unwrap();
            assert_eq!(std::str::from_utf8(&json), Ok(wanted), "{query}");
        }
        for odd in ["chanel=a", "channel=a&channel=b", "since=5", "=x"] {
            assert!(to_json(odd, PARAMETERS).is_err(), "{odd}");
        }
    }
}
