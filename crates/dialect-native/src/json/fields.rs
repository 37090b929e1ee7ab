//! Reads the members that only this dialect has: places, filters, labels, lists of users.
//!
//! For members that may be left out, `null` is the same as leaving them out.

use fanfare_json::failure::{self, Checked, Failure};
use fanfare_json::fields::{given, list, pairs, required, string, text};
use fanfare_json::members::RawValue;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::publication::{Filter, Labels};
use fanfare_protocol::{Epoch, Position, UserId};

use super::decode::Members;

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
    Ok((key.is_some() || !tags.is_empty()).then(|| Box::new(Labels { tags, key, word: None })))
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
