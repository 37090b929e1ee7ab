//! Requests that another site's page makes with its visitor's cookies (CSRF).
//!
//! A cookie comes along whoever asks. Where one authenticates, the page has to show as well that it can read what only
//! pages of the site can read: a token, which it sends by a road that no other site's page can use.

use std::sync::Arc;

use fanfare_protocol::ErrorCode;
use http::header::{HeaderName, ORIGIN};
use http::request;
use subtle::ConstantTimeEq as _;

use super::Denied;
use super::cookies::{CookieFault, cookie};

/// The header that may carry the CSRF token; a WebSocket in a browser cannot send it.
pub const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// Where a browser says that a request comes from (W3C Fetch Metadata, section 2.4).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The query parameter that may carry it.
pub const CSRF_PARAMETER: &str = "csrf";

/// What a subprotocol begins with that carries it. Such a one is never the one agreed on.
pub const CSRF_SUBPROTOCOL: &str = "csrf.";

/// The fewest bytes of a CSRF token.
const TOKEN_BYTES_MIN: usize = 16;

/// Makes the CSRF token that belongs to a token in a cookie.
pub type Sign = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// What a CSRF token is compared with.
#[derive(Clone)]
pub enum CsrfRule {
    /// The value of the cookie of this name.
    DoubleSubmit(String),
    /// What this makes of the token that authenticates.
    Signed(Sign),
}

/// Lets a request pass that a cookie authenticates; `token` is what the cookie holds, `subprotocols` are those offered.
///
/// # Errors
/// `origin_not_allowed` without any `Origin`: only browsers send cookies by themselves, and they say where they are; in
/// what a page gets from its own site by `Sec-Fetch-Site`.
/// `csrf_failed` without the CSRF token that belongs to the cookie.
pub fn check_csrf(
    rule: &CsrfRule,
    head: &request::Parts,
    subprotocols: &[String],
    token: &str,
) -> Result<(), Denied> {
    // A browser names no origin in what a page gets from its own site; no page can set this header by itself.
    let from_same = head.headers.get(FETCH_SITE).is_some_and(|site| site == "same-origin");
    if !head.headers.contains_key(ORIGIN) && !from_same {
        let text = "a cookie authenticates only a page, and a page's request has an Origin header";
        return Err(Denied::new(ErrorCode::OriginNotAllowed, text));
    }
    let given = given(head, subprotocols)?;
    let expected = match rule {
        CsrfRule::Signed(sign) => sign(token),
        CsrfRule::DoubleSubmit(name) => match cookie(&head.headers, name) {
            Ok(Some(value)) => value.to_owned(),
            Ok(None) => return Err(failed(format!("the cookie \"{name}\" is missing"))),
            Err(fault) => return Err(fault.denied(name)),
        },
    };
    if expected.len() < TOKEN_BYTES_MIN {
        return Err(failed(format!("a CSRF token has at least {TOKEN_BYTES_MIN} bytes")));
    }
    match bool::from(given.as_bytes().ct_eq(expected.as_bytes())) {
        true => Ok(()),
        false => Err(failed("the CSRF token does not belong to the cookie")),
    }
}

impl Default for CsrfRule {
    fn default() -> Self {
        Self::DoubleSubmit("fanfare_csrf".to_owned())
    }
}

impl CookieFault {
    /// What a client is told whose cookie of that name cannot be relied on.
    pub fn denied(self, name: &str) -> Denied {
        failed(match self {
            CookieFault::Malformed => format!("the cookie \"{name}\" has characters that no cookie may have"),
            CookieFault::Ambiguous => format!("the cookie \"{name}\" is there twice, with different values"),
        })
    }
}

/// The CSRF token, by whichever road it came. Two that differ are none.
fn given(head: &request::Parts, subprotocols: &[String]) -> Result<String, Denied> {
    let query = head.uri.query().unwrap_or_default();
    let parameters = form_urlencoded::parse(query.as_bytes())
        .filter_map(|(name, value)| (name == CSRF_PARAMETER).then(|| value.into_owned()));
    let headers = head.headers.get_all(CSRF_HEADER).iter();
    let headers = headers.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let offered =
        subprotocols.iter().filter_map(|name| Some(name.strip_prefix(CSRF_SUBPROTOCOL)?.to_owned()));
    let mut all = parameters.chain(headers).chain(offered);
    let Some(first) = all.next() else {
        return Err(failed(format!(
            "the CSRF token is missing: send it as the parameter \"{CSRF_PARAMETER}\", the header \"X-CSRF-Token\" \
             or the subprotocol \"{CSRF_SUBPROTOCOL}TOKEN\""
        )));
    };
    if all.any(|other| other != first) {
        return Err(failed("two CSRF tokens that differ"));
    }
    Ok(first)
}

fn failed(text: impl Into<String>) -> Denied {
    Denied::new(ErrorCode::CsrfFailed, text)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";
    const PAGE: (&str, &str) = ("origin", "https://app.example");
    const COOKIE: (&str, &str) = ("cookie", "session=jwt; guard=0123456789abcdef");

    fn check(rule: &CsrfRule, uri: &str, headers: &[(&str, &str)], offered: &[&str]) -> Result<(), Denied> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let offered: Vec<String> = offered.iter().map(|name| (*name).to_owned()).collect();
        check_csrf(rule, &head, &offered, "jwt")
    }

    fn code(result: Result<(), Denied>) -> &'static str {
        match result {
            Ok(()) => "passes",
            Err(denied) => {
                assert!(!denied.text().contains("0123456"), "{}", denied.text());
                denied.code().as_str()
            }
        }
    }

    #[test]
    fn a_token_comes_by_any_of_three_roads_and_equals_the_cookie() {
        let rule = CsrfRule::DoubleSubmit("guard".to_owned());
        let good = format!("/ws?csrf={TOKEN}");
        let sent =
            |uri: &str, headers: &[(&str, &str)], offered: &[&str]| code(check(&rule, uri, headers, offered));
        assert_eq!(sent(&good, &[PAGE, COOKIE], &[]), "passes");
        assert_eq!(sent("/ws", &[PAGE, COOKIE, ("x-csrf-token", TOKEN)], &[]), "passes");
        assert_eq!(sent("/ws", &[PAGE, COOKIE], &["native", "csrf.0123456789abcdef"]), "passes");
        assert_eq!(sent(&good, &[PAGE, COOKIE, ("x-csrf-token", TOKEN)], &[]), "passes");
        assert_eq!(sent(&good, &[PAGE, COOKIE, ("x-csrf-token", "x")], &[]), "csrf_failed");
        assert_eq!(sent(&good, &[COOKIE], &[]), "origin_not_allowed");
        assert_eq!(sent("/ws", &[PAGE, COOKIE], &[]), "csrf_failed");
        assert_eq!(sent("/ws?csrf=", &[PAGE, COOKIE], &[]), "csrf_failed");
        assert_eq!(sent("/ws?csrf=0123456789abcdeF", &[PAGE, COOKIE], &[]), "csrf_failed");
        assert_eq!(sent("/ws?csrf=0123456789abcde", &[PAGE, COOKIE], &[]), "csrf_failed");
        assert_eq!(sent(&good, &[PAGE, ("cookie", "session=jwt")], &[]), "csrf_failed");
        let twice = ("cookie", "guard=0123456789abcdef; guard=fedcba9876543210");
        assert_eq!(sent(&good, &[PAGE, twice], &[]), "csrf_failed");
        for short in ["", "0123456789abcde"] {
            let cookie = format!("guard={short}");
            let uri = format!("/ws?csrf={short}");
            assert_eq!(sent(&uri, &[PAGE, ("cookie", &cookie)], &[]), "csrf_failed", "{short:?}");
        }
    }

    #[test]
    fn a_signed_token_is_that_of_the_cookies_own() {
        let rule = CsrfRule::Signed(Arc::new(|token| format!("signature-of-{token}")));
        let sent = |uri: &str| code(check(&rule, uri, &[PAGE], &[]));
        assert_eq!(sent("/ws?csrf=signature-of-jwt"), "passes");
        assert_eq!(sent("/ws?csrf=signature-of-jwx"), "csrf_failed");
        assert_eq!(sent("/ws"), "csrf_failed");
    }
}
