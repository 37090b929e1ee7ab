//! Cookies as a request carries them (RFC 6265 §4.2).

use http::HeaderMap;
use http::header::COOKIE;

/// Why a cookie is not to be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieFault {
    /// Its value has characters that no cookie may have.
    Malformed,
    /// It is there twice with two values. A page of a neighbouring domain can set one beside the site's own, and
    /// which of them comes first is up to the browser.
    Ambiguous,
}

/// The value of a cookie, whatever number of `Cookie` headers there are; none if no header has it.
///
/// What is no `name=value` is passed over, as other programs on the host may have set it. Names are compared byte by
/// byte. Quotes around a value are not part of it.
///
/// # Errors
/// When the cookie is there and cannot be relied on.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, CookieFault> {
    let mut found: Option<&[u8]> = None;
    let pairs =
        headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    for pair in pairs {
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let (key, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        if key != name.as_bytes() {
            continue;
        }
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        if !value.iter().copied().all(is_cookie_octet) {
            return Err(CookieFault::Malformed);
        }
        if found.is_some_and(|found| found != value) {
            return Err(CookieFault::Ambiguous);
        }
        found = Some(value);
    }
    found.map(|value| std::str::from_utf8(value).map_err(|_| CookieFault::Malformed)).transpose()
}

/// RFC 6265 §4.1.1: visible ASCII without quotes, comma, semicolon and backslash.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The headers, and what comes of them.
    type Case = (&'static [&'static str], Result<Option<&'static str>, CookieFault>);

    #[test]
    fn a_cookie_is_found_or_refused_and_never_guessed() {
        let cases: &[Case] = &[
            (&[], Ok(None)),
            (&["session=abc"], Ok(Some("abc"))),
            (&["a=1; session=abc; b=2"], Ok(Some("abc"))),
            (&["a=1;session=abc"], Ok(Some("abc"))),
            (&["a=1", "session=abc"], Ok(Some("abc"))),
            (&["session=\"abc\""], Ok(Some("abc"))),
            (&["session="], Ok(Some(""))),
            (&["session=a=b="], Ok(Some("a=b="))),
            (&["Session=abc"], Ok(None)),
            (&["xsession=abc; session2=abc; session"], Ok(None)),
            (&["session=abc; session=abc"], Ok(Some("abc"))),
            (&["session=abc; session=abd"], Err(CookieFault::Ambiguous)),
            (&["session=abc", "session=abd"], Err(CookieFault::Ambiguous)),
            (&["session=abc; session="], Err(CookieFault::Ambiguous)),
            (&["session=a b"], Err(CookieFault::Malformed)),
            (&["session=a,b"], Err(CookieFault::Malformed)),
            (&["session=\"abc"], Err(CookieFault::Malformed)),
            (&["session=é"], Err(CookieFault::Malformed)),
            (&["other=é; session=abc"], Ok(Some("abc"))),
        ];
        for (sent, wanted) in cases {
            let mut headers = HeaderMap::new();
            for header in *sent {
                headers.append(COOKIE, HeaderValue::from_bytes(header.as_bytes()).unwrap());
            }
            assert_eq!(cookie(&headers, "session"), *wanted, "{sent:?}");
        }
    }
}
