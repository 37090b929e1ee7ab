//! Strings, numbers and payloads as JSON, appended by hand.
//!
//! Values whose form is fixed need no serializer, and most strings have nothing to escape: copying them in
//! runs is what makes an event cheap to write.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_protocol::{Payload, RequestId};

/// For each byte: 0 when a string holds it as it is, else the letter of its escape; `u` is the long form.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends bytes that are JSON already.
pub fn raw(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}

/// Appends a string with its quotes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| ESCAPES[byte as usize] != 0) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let byte = special[0];
        match ESCAPES[byte as usize] {
            b'u' => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = &special[1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends a string that has nothing to escape: digits, dashes, our own words.
pub fn plain(out: &mut Vec<u8>, text: impl std::fmt::Display) {
    // Writing into a vector cannot fail.
    let _ = write!(out, "\"{text}\"");
}

/// Appends a whole number.
pub fn number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends milliseconds as seconds with three places: the form of every point in time.
pub fn time(out: &mut Vec<u8>, ms: u64) {
    number(out, ms / 1000);
    out.push(b'.');
    let fraction = ms % 1000;
    // A remainder by 10 fits a digit.
    out.extend([fraction / 100, fraction / 10 % 10, fraction % 10].map(|digit| b'0' + digit as u8));
}

/// Appends milliseconds as seconds with as many places as they need: the form of every span of time.
pub fn span(out: &mut Vec<u8>, ms: impl Into<u64>) {
    let ms = ms.into();
    if ms.is_multiple_of(1000) {
        return number(out, ms / 1000);
    }
    time(out, ms);
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

/// Appends a request's id in the client's own spelling.
pub fn request_id(out: &mut Vec<u8>, id: &RequestId) {
    match id {
        RequestId::Number(spelling) => raw(out, spelling),
        RequestId::Text(text) => string(out, text),
    }
}

/// Appends `,"data":…`, or `,"binary":"…"` where the payload is neither JSON nor text.
pub fn payload(out: &mut Vec<u8>, payload: &Payload) {
    match payload {
        Payload::Json(json) => {
            raw(out, ",\"data\":");
            out.extend_from_slice(json);
        }
        Payload::Text(text) => {
            raw(out, ",\"data\":");
            string(out, &String::from_utf8_lossy(text));
        }
        Payload::Binary(bytes) => {
            raw(out, ",\"binary\":");
            base64(out, bytes);
        }
    }
}

/// Appends a payload where only a value fits: binary ones become `{"binary":"…"}`.
pub fn value(out: &mut Vec<u8>, payload: &Payload) {
    match payload {
        Payload::Json(json) => out.extend_from_slice(json),
        Payload::Text(text) => string(out, &String::from_utf8_lossy(text)),
        Payload::Binary(bytes) => {
            raw(out, "{\"binary\":");
            base64(out, bytes);
            out.push(b'}');
        }
    }
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exact, so encoding cannot fail; were it otherwise, the string would be empty.
    let length = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + length);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_keep_three_places_and_spans_as_many_as_they_need() {
        assert_eq!(written(|out| time(out, 1_700_000_000_007)), "1700000000.007");
        assert_eq!(written(|out| time(out, 0)), "0.000");
        assert_eq!(written(|out| span(out, 25_000_u32)), "25");
        assert_eq!(written(|out| span(out, 250_u32)), "0.25");
        assert_eq!(written(|out| span(out, 1_u64)), "0.001");
    }

    #[test]
    fn strings_escape_what_json_demands_and_nothing_else() {
        assert_eq!(
            written(|out| string(out, "a\"b\\c\n\u{1}\u{7f}/é\u{2028}")),
            "\"a\\\"b\\\\c\\n\\u0001\u{7f}/é\u{2028}\""
        );
    }
}
