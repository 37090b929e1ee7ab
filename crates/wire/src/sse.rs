//! Server-sent events (WHATWG HTML, section 9.2): what a server writes.
//!
//! ```
//! let mut out = Vec::new();
//! fanfare_wire::sse::encode_event(&mut out, None, Some("7"), b"two\nlines");
//! assert_eq!(out, b"id: 7\ndata: two\ndata: lines\n\n");
//! ```

/// A comment that no client shows: a sign of life on the way through proxies.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// Appends an event. `kind` and `id` are ours and have no line ends; `data` is UTF-8 and may have some: a client that
/// follows the specification puts the lines together again with line feeds, whatever they were.
pub fn encode_event(out: &mut Vec<u8>, kind: Option<&str>, id: Option<&str>, data: &[u8]) {
    for (field, value) in [("event", kind), ("id", id)] {
        if let Some(value) = value {
            debug_assert!(!value.contains(['\n', '\r', '\0']), "a field of ours with a line end");
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        }
    }
    for line in lines(data) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// Appends an id alone: a client keeps it, and shows no event.
pub fn encode_id(out: &mut Vec<u8>, id: &str) {
    debug_assert!(!id.contains(['\n', '\r', '\0']), "an id of ours with a line end");
    out.extend_from_slice(format!("id: {id}\n\n").as_bytes());
}

/// Appends how long a client waits before it connects again, in milliseconds.
pub fn encode_retry(out: &mut Vec<u8>, ms: u32) {
    out.extend_from_slice(format!("retry: {ms}\n\n").as_bytes());
}

/// Appends a comment of so many bytes, for proxies that hold back the beginning of a response.
pub fn encode_padding(out: &mut Vec<u8>, bytes: usize) {
    out.push(b':');
    out.resize(out.len() + bytes, b' ');
    out.extend_from_slice(b"\n\n");
}

/// The lines of a text, each ended by CR LF, LF or CR. There is at least one.
fn lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let line = &rest[..end.unwrap_or(rest.len())];
        match end {
            None => ended = true,
            Some(end) if rest[end..].starts_with(b"\r\n") => rest = &rest[end + 2..],
            Some(end) => rest = &rest[end + 1..],
        }
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_begins_another_data_line() {
        for (data, expected) in [
            ("", "data: \n\n"),
            ("a", "data: a\n\n"),
            ("a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
            ("a\n", "data: a\ndata: \n\n"),
            ("\r\r\n", "data: \ndata: \ndata: \n\n"),
            (" a", "data:  a\n\n"),
        ] {
            let mut out = Vec::new();
            encode_event(&mut out, None, None, data.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{data:?}");
        }
    }

    #[test]
    fn fields_come_before_the_data() {
        let mut out = Vec::new();
        encode_event(&mut out, Some("session"), Some("1"), b"{}");
        encode_retry(&mut out, 500);
        encode_padding(&mut out, 3);
        encode_id(&mut out, "2");
        assert_eq!(out, b"event: session\nid: 1\ndata: {}\n\nretry: 500\n\n:   \n\nid: 2\n\n");
    }
}
