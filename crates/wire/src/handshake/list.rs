//! Header values that are comma-separated lists (RFC 9110 §5.6.1).

/// The elements of a list, blanks trimmed and empty ones skipped.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(|element| element.trim_ascii())
        .filter(|element| !element.is_empty())
}

/// Whether a list contains a word, in any case.
pub(super) fn contains(value: &[u8], word: &str) -> bool {
    elements(value).any(|element| element.eq_ignore_ascii_case(word.as_bytes()))
}

/// The element as a token (RFC 9110 §5.6.2), which is what subprotocol names must be (§4.1).
pub(super) fn token(element: &[u8]) -> Option<&str> {
    if element.is_empty() || !element.iter().all(is_token_byte) {
        return None;
    }
    std::str::from_utf8(element).ok()
}

pub(super) fn is_token_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}
