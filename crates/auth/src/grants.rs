//! What a token allows: the claims `channels` of a connection's token, `channel` or `pattern` of a subscription's.

use fanfare_core::auth::{Grant, Operation, Operations, Scope};
use fanfare_protocol::names::NameError;
use fanfare_protocol::{ChannelName, ChannelPattern};
use serde_json::{Map, Value};

/// What is wrong with a grant.
type Problem = &'static str;

/// The grants of the claim `channels`.
pub(crate) fn list(claim: &Value, grants_max: usize) -> Result<Vec<Grant>, Problem> {
    let Value::Array(entries) = claim else { return Err("is not a list") };
    if entries.len() > grants_max {
        return Err("has more entries than one token may have");
    }
    entries.iter().map(entry).collect()
}

fn entry(entry: &Value) -> Result<Grant, Problem> {
    match entry {
        Value::String(name) => Ok(Grant::new(Scope::Channel(channel(name)?), Operations::READ)),
        Value::Object(members) => {
            // What is not understood might be meant to narrow the grant.
            if members.keys().any(|name| !["channel", "pattern", "allow"].contains(&name.as_str())) {
                return Err("has an entry with members beside \"channel\", \"pattern\" and \"allow\"");
            }
            one(members)
        }
        _ => Err("has an entry that is neither a string nor an object"),
    }
}

/// A grant in the members `channel` or `pattern`, and `allow`.
pub(crate) fn one(members: &Map<String, Value>) -> Result<Grant, Problem> {
    let scope = match (members.get("channel"), members.get("pattern")) {
        (Some(Value::String(name)), None) => Scope::Channel(channel(name)?),
        (None, Some(Value::String(pattern))) => Scope::Pattern(
            ChannelPattern::new(pattern).map_err(|why| told(why, "names a pattern that is not valid"))?,
        ),
        (Some(_), Some(_)) => return Err("names both a \"channel\" and a \"pattern\""),
        (None, None) => return Err("names neither a \"channel\" nor a \"pattern\""),
        _ => return Err("names a \"channel\" or \"pattern\" that is not a string"),
    };
    Ok(Grant::new(scope, members.get("allow").map_or(Ok(Operations::READ), operations)?))
}

fn channel(name: &str) -> Result<ChannelName, Problem> {
    ChannelName::new(name).map_err(|why| told(why, "names a channel that is not valid"))
}

/// The names of channels have few rules, so the rule can be told.
fn told(why: NameError, otherwise: Problem) -> Problem {
    match why {
        NameError::Empty => "names a channel or pattern that is empty",
        NameError::TooLong => "names a channel or pattern of more than 255 bytes",
        NameError::TooManyTokens => "names a pattern of more than 12 tokens or more than 3 \"*\"",
        NameError::ControlCharacter | NameError::BadWildcard => otherwise,
    }
}

fn operations(allow: &Value) -> Result<Operations, Problem> {
    const WORDS: Problem =
        "has an \"allow\" that is not a list of \"subscribe\", \"publish\", \"history\" and \"presence\"";
    match allow {
        Value::Array(words) if !words.is_empty() => {
            let operation = |word: &Value| Operation::from_name(word.as_str()?);
            words.iter().map(operation).collect::<Option<_>>().ok_or(WORDS)
        }
        _ => Err(WORDS),
    }
}
