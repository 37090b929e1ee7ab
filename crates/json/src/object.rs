//! An event's members, one after the other. Names of members and types are the dialects' own words: nothing in them
//! needs an escape.

use fanfare_protocol::CloseCode;

use crate::write;

/// Begins an object with its type.
pub fn open(out: &mut Vec<u8>, kind: &str) {
    write::raw(out, "{\"type\":\"");
    write::raw(out, kind);
    out.push(b'"');
}

/// Appends the name of the next member of the innermost object; its value is to follow.
pub fn key(out: &mut Vec<u8>, name: &str) {
    // No value ends like this, so only a member that is the first one follows it.
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    write::raw(out, name);
    write::raw(out, "\":");
}

/// Appends a string.
pub fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    write::string(out, value);
}

/// Appends true or false.
pub fn flag(out: &mut Vec<u8>, name: &str, value: bool) {
    key(out, name);
    write::raw(out, if value { "true" } else { "false" });
}

/// Appends a point in time.
pub fn time(out: &mut Vec<u8>, name: &str, ms: u64) {
    key(out, name);
    write::time(out, ms);
}

/// Appends a span of time.
pub fn span(out: &mut Vec<u8>, name: &str, ms: impl Into<u64>) {
    key(out, name);
    write::span(out, ms);
}

/// Appends a whole number.
pub fn number(out: &mut Vec<u8>, name: &str, value: impl itoa::Integer) {
    key(out, name);
    write::number(out, value);
}

/// Appends a list, each item of which `item` writes.
pub fn list<T>(out: &mut Vec<u8>, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, value) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        item(out, value);
    }
    out.push(b']');
}

/// Appends how long to wait before trying again, where that is known.
pub fn retry_after(out: &mut Vec<u8>, ms: Option<u32>) {
    if let Some(ms) = ms {
        span(out, "retryAfter", ms);
    }
}

/// Appends why the connection is about to be closed, and whether to come back.
pub fn farewell(out: &mut Vec<u8>, code: CloseCode, reconnect_after_ms: Option<u32>) {
    number(out, "code", code.number());
    text(out, "reason", code.text());
    flag(out, "reconnect", reconnect_after_ms.is_some());
    retry_after(out, reconnect_after_ms);
}
