//! The token in the head of a request. It may come by four roads, of which a client takes one; the fifth, the first message,
//! is the session's.

use fanfare_protocol::ErrorCode;
use fanfare_protocol::command::Secret;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::Refusal;
use crate::network::cookies::{CookieFault, cookie};
use crate::network::csrf::CSRF_SUBPROTOCOL;

/// What the subprotocol begins with that is none, but a token: `auth.TOKEN`. It is never answered with.
pub(super) const SUBPROTOCOL: &str = "auth.";

/// The longest subprotocol of others that is agreed to, in bytes. Tokens are longer.
const FOREIGN_BYTES_MAX: usize = 32;

/// The first of the offered subprotocols that carries no secret, for a connection whose dialect is chosen otherwise.
pub(super) fn foreign_subprotocol(offered: &[String]) -> Option<&str> {
    let begins = |offer: &str, with: &str| {
        offer.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let is_secret = |offer: &str| {
        offer.len() > FOREIGN_BYTES_MAX || begins(offer, SUBPROTOCOL) || begins(offer, CSRF_SUBPROTOCOL)
    };
    offered.iter().map(String::as_str).find(|offer| !is_secret(offer))
}

/// The scheme of the `Authorization` header (RFC 6750, section 2.1). Others are somebody else's.
const SCHEME: &str = "bearer";

/// A token, as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) token: Secret,
    /// Whether only a cookie brought it, which browsers add by themselves, whoever made the page.
    pub(super) by_cookie_alone: bool,
}

/// Where tokens may stand in a request.
pub(super) struct Roads<'a> {
    /// The values of the query's parameters `token`.
    pub(super) query: &'a [String],
    pub(super) headers: &'a HeaderMap,
    /// The offered subprotocols.
    pub(super) offered: &'a [String],
    /// The name of the cookie that may hold one.
    pub(super) cookie: Option<&'a str>,
    /// The largest that the verifier takes; nothing larger is copied.
    pub(super) token_bytes_max: usize,
}

impl Roads<'_> {
    /// The token, if there is one.
    ///
    /// # Errors
    /// `bad_handshake` when there are two that differ, `authentication_failed` when it is too large to be one.
    pub(super) fn credential(&self) -> Result<Option<Credential>, Refusal> {
        let mut deliberate = None;
        for token in self.query {
            self.take(&mut deliberate, token)?;
        }
        for value in self.headers.get_all(AUTHORIZATION) {
            let Ok(value) = value.to_str() else {
                return Err(bad("the Authorization header has characters that no token has"));
            };
            if let Some(token) = bearer(value) {
                self.take(&mut deliberate, token)?;
            }
        }
        for token in self.offered.iter().filter_map(|offer| offer.strip_prefix(SUBPROTOCOL)) {
            self.take(&mut deliberate, token)?;
        }
        let mut token = deliberate;
        if let Some(name) = self.cookie {
            // One without a value was deleted.
            if let Some(value) = cookie(self.headers, name)?.filter(|value| !value.is_empty()) {
                self.take(&mut token, value)?;
            }
        }
        let by_cookie_alone = deliberate.is_none();
        Ok(token.map(|token| Credential { token: Secret::new(token), by_cookie_alone }))
    }

    /// Takes a token that was found, unless another one was.
    fn take<'t>(&self, found: &mut Option<&'t str>, token: &'t str) -> Result<(), Refusal> {
        if token.len() > self.token_bytes_max {
            let text = format!("the token is larger than {} bytes", self.token_bytes_max);
            return Err(Refusal { code: ErrorCode::AuthenticationFailed, text });
        }
        match *found {
            Some(other) if other != token => Err(bad("two different tokens came with the request: send one")),
            _ => {
                *found = Some(token);
                Ok(())
            }
        }
    }
}

impl From<CookieFault> for Refusal {
    fn from(fault: CookieFault) -> Self {
        bad(match fault {
            CookieFault::Malformed => "the cookie that may hold a token has characters that no cookie has",
            CookieFault::Ambiguous => {
                "the cookie that may hold a token is there twice, with different values"
            }
        })
    }
}

fn bad(text: &str) -> Refusal {
    Refusal { code: ErrorCode::BadHandshake, text: text.to_owned() }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use fanfare_auth::settings::TOKEN_BYTES_MAX;
    use http::HeaderValue;

    use super::*;

    /// What comes of a head: the token and whether only a cookie brought it, or the code of the refusal.
    fn find(
        query: &[&str],
        headers: &[(&'static str, &str)],
        offered: &[&str],
    ) -> Result<Option<(String, bool)>, ErrorCode> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (query, offered) = (owned(query), owned(offered));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let roads = Roads {
            query: &query,
            headers: &map,
            offered: &offered,
            cookie: Some("session"),
            token_bytes_max: TOKEN_BYTES_MAX,
        };
        let found = roads.credential().map_err(|refusal| refusal.code)?;
        Ok(found.map(|found| (found.token.expose().to_owned(), found.by_cookie_alone)))
    }

    fn deliberate(token: &str) -> Result<Option<(String, bool)>, ErrorCode> {
        Ok(Some((token.to_owned(), false)))
    }

    #[test]
    fn each_road_brings_a_token() {
        assert_eq!(find(&[], &[], &["fanfare.native"]), Ok(None));
        assert_eq!(find(&["T"], &[], &[]), deliberate("T"));
        assert_eq!(find(&[], &[], &["fanfare.native", "auth.T.U"]), deliberate("T.U"));
        for value in ["Bearer T", "bearer  T ", "BEARER T"] {
            assert_eq!(find(&[], &[("authorization", value)], &[]), deliberate("T"), "{value}");
        }
        for value in ["session=T", "a=b; session=T; c=d", "session=\"T\"", "a=b;session=T"] {
            assert_eq!(find(&[], &[("cookie", value)], &[]), Ok(Some(("T".to_owned(), true))), "{value}");
        }
    }

    #[test]
    fn what_is_somebody_elses_is_left_alone() {
        for (name, value) in [
            ("authorization", "Basic QTpC"),
            ("authorization", "Bearer"),
            ("authorization", "BearerT"),
            ("cookie", "sessions=T"),
            ("cookie", "Session=T"),
            ("cookie", "session="),
            ("cookie", "session"),
            ("cookie", "other=session=T"),
        ] {
            assert_eq!(find(&[], &[(name, value)], &["Auth.T", "xauth.T"]), Ok(None), "{name}: {value}");
        }
    }

    #[test]
    fn several_roads_must_lead_to_one_token() {
        let header = ("authorization", "Bearer T");
        let cookie = ("cookie", "session=T");
        assert_eq!(find(&["T", "T"], &[header, cookie], &["auth.T"]), deliberate("T"));
        let bad = Err(ErrorCode::BadHandshake);
        assert_eq!(find(&["T", "U"], &[], &[]), bad);
        assert_eq!(find(&["U"], &[header], &[]), bad);
        assert_eq!(find(&[], &[header], &["auth.U"]), bad);
        assert_eq!(find(&[], &[cookie], &["auth.U"]), bad);
        assert_eq!(find(&[], &[("cookie", "session=T; session=U")], &[]), bad);
        assert_eq!(find(&[], &[header, ("authorization", "Bearer U")], &[]), bad);
        assert_eq!(find(&[""], &[header], &[]), bad);
    }

    #[test]
    fn what_is_no_token_is_refused_and_no_text_repeats_it() {
        assert_eq!(find(&[""], &[], &[]), deliberate(""), "the verifier says what is wrong with it");
        assert_eq!(find(&[], &[("authorization", "Bearer \u{e9}")], &[]), Err(ErrorCode::BadHandshake));
        let large = "x".repeat(TOKEN_BYTES_MAX + 1);
        assert_eq!(find(&[&large], &[], &[]), Err(ErrorCode::AuthenticationFailed));
        let query = ["canary-1".to_owned(), "canary-2".to_owned()];
        let headers = HeaderMap::new();
        let roads =
            Roads { query: &query, headers: &headers, offered: &[], cookie: None, token_bytes_max: 99 };
        assert!(roads.credential().is_err_and(|refusal| !refusal.text.contains("canary")));
    }
}
