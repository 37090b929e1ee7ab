//! What tokens are checked against: secrets, algorithms, names of claims and cookies, addresses of key sets.

use fanfare_auth::Algorithm;

use super::super::problem::did_you_mean;
use super::words::{items, text_of};
use super::{Given, Kind, Refusal, quoted};
use crate::secrets::Secret;

/// A secret that two sides share; it may be left out.
pub(in crate::config) struct SharedSecret;

/// Algorithms of signatures: one, or a list.
pub(in crate::config) struct Algorithms;

/// A short text that may be left out.
pub(in crate::config) struct Words;

/// Short texts: one, or a list.
pub(in crate::config) struct WordList;

/// The address of a key set; it may be left out.
pub(in crate::config) struct KeySetAddress;

/// A cookie's name.
pub(in crate::config) struct CookieName {
    /// Whether there may be none.
    pub(in crate::config) optional: bool,
}

/// RFC 7518, section 3.2: a key for HMAC is at least as long as its hash, which is 256 bits for HS256.
const SECRET_BYTES_MIN: usize = 32;
const WORDS_BYTES_MAX: usize = 1024;
const LIST_MAX: usize = 64;
const COOKIE_BYTES_MAX: usize = 128;

/// The algorithm of a name, or what is wrong with the name.
fn algorithm(name: &str) -> Result<Algorithm, (String, Option<String>)> {
    if let Some(algorithm) = Algorithm::from_name(name) {
        return Ok(algorithm);
    }
    let known = Algorithm::ALL.map(Algorithm::as_str);
    let help = match did_you_mean(&name.to_ascii_uppercase(), known.into_iter()) {
        _ if name.eq_ignore_ascii_case("none") => Some("a token has to be signed".to_owned()),
        _ if name.eq_ignore_ascii_case("eddsa") => Some("did you mean \"EdDSA\"?".to_owned()),
        Some(meant) => Some(format!("did you mean \"{meant}\"?")),
        None => Some(format!("known are {}", known.join(", "))),
    };
    Err(("no algorithm has this name".to_owned(), help))
}

impl Kind for SharedSecret {
    type Value = Option<Secret>;

    fn read(&self, given: &Given) -> Result<Option<Secret>, Refusal> {
        let text = text_of(given, "a secret")?;
        if text.len() < SECRET_BYTES_MIN {
            return Err(Refusal::new(format!(
                "a secret for signatures has at least {SECRET_BYTES_MIN} bytes"
            ))
            .help("make one with: openssl rand -base64 48"));
        }
        Ok(Some(Secret::new(text)))
    }

    fn show(&self, value: &Option<Secret>) -> String {
        quoted(if value.is_some() { "<withheld>" } else { "" })
    }

    fn describe(&self) -> String {
        format!("at least {SECRET_BYTES_MIN} bytes of text")
    }
}

impl Kind for Algorithms {
    type Value = Vec<Algorithm>;

    fn read(&self, given: &Given) -> Result<Vec<Algorithm>, Refusal> {
        let mut algorithms = Vec::new();
        for item in items(given, "an algorithm or a list of algorithms")? {
            match algorithm(item.text) {
                Ok(known) if !algorithms.contains(&known) => algorithms.push(known),
                Ok(_) => return Err(Refusal { part: item.part, ..Refusal::new("the same algorithm twice") }),
                Err((text, help)) => return Err(Refusal { text, help, part: item.part }),
            }
        }
        if algorithms.is_empty() {
            return Err(Refusal::new("expected at least one algorithm"));
        }
        Ok(algorithms)
    }

    fn show(&self, value: &Vec<Algorithm>) -> String {
        let names: Vec<String> = value.iter().map(|algorithm| quoted(algorithm.as_str())).collect();
        format!("[{}]", names.join(", "))
    }

    fn describe(&self) -> String {
        format!("one or more of {}", Algorithm::ALL.map(Algorithm::as_str).join(", "))
    }
}

fn short(text: &str) -> bool {
    !text.is_empty() && text.len() <= WORDS_BYTES_MAX && !text.chars().any(char::is_control)
}

impl Kind for Words {
    type Value = Option<String>;

    fn read(&self, given: &Given) -> Result<Option<String>, Refusal> {
        let text = text_of(given, &self.describe())?;
        if !short(text) {
            return Err(Refusal::new(format!("expected {}", self.describe())));
        }
        Ok(Some(text.to_owned()))
    }

    fn show(&self, value: &Option<String>) -> String {
        quoted(value.as_deref().unwrap_or_default())
    }

    fn describe(&self) -> String {
        format!("a text of 1 to {WORDS_BYTES_MAX} bytes without control characters")
    }
}

impl Kind for WordList {
    type Value = Vec<String>;

    fn read(&self, given: &Given) -> Result<Vec<String>, Refusal> {
        let mut texts = Vec::new();
        for item in items(given, "a text or a list of texts")? {
            if !short(item.text) {
                let text = format!("expected {}", Words.describe());
                return Err(Refusal { part: item.part, ..Refusal::new(text) });
            }
            texts.push(item.text.to_owned());
        }
        if texts.is_empty() || texts.len() > LIST_MAX {
            return Err(Refusal::new(format!("expected from 1 to {LIST_MAX} texts")));
        }
        Ok(texts)
    }

    fn show(&self, value: &Vec<String>) -> String {
        let texts: Vec<String> = value.iter().map(|text| quoted(text)).collect();
        format!("[{}]", texts.join(", "))
    }

    fn describe(&self) -> String {
        format!("from 1 to {LIST_MAX} texts")
    }
}

impl Kind for KeySetAddress {
    type Value = Option<String>;

    fn read(&self, given: &Given) -> Result<Option<String>, Refusal> {
        let text = text_of(given, &self.describe())?;
        let refused = |text: &str| Refusal::new(text).help(self.describe());
        let uri: http::Uri = text.parse().map_err(|_| refused("not an address"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refused("not a full address"));
        };
        if authority.as_str().contains('@') {
            return Err(refused("an address with a password in it would be shown to others"));
        }
        match scheme {
            "https" => Ok(Some(text.to_owned())),
            "http" if is_loopback(authority.host()) => Ok(Some(text.to_owned())),
            "http" => Err(refused("keys that come without TLS may be anybody's")),
            _ => Err(refused("expected https")),
        }
    }

    /// Without its query, which may hold a key.
    fn show(&self, value: &Option<String>) -> String {
        let shown = value.as_deref().map(|address| match address.split_once('?') {
            Some((path, _)) => format!("{path}?<withheld>"),
            None => address.to_owned(),
        });
        Words.show(&shown)
    }

    fn describe(&self) -> String {
        "https://HOST/PATH, or http:// to a loopback address".to_owned()
    }
}

/// Addresses only: what "localhost" is depends on who is asked.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Kind for CookieName {
    type Value = String;

    fn read(&self, given: &Given) -> Result<String, Refusal> {
        let text = text_of(given, &self.describe())?;
        // RFC 6265, section 4.1.1: a token of RFC 9110, section 5.6.2.
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let empty_is_fine = self.optional || !text.is_empty();
        if !empty_is_fine || text.len() > COOKIE_BYTES_MAX || !text.bytes().all(token) {
            return Err(Refusal::new(format!("expected {}", self.describe())));
        }
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }

    fn describe(&self) -> String {
        let or_none = if self.optional { "; empty for none" } else { "" };
        format!("a cookie's name: letters, digits and !#$%&'*+-.^_`|~{or_none}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose(text: &str) -> Given {
        Given::Loose(text.to_owned())
    }

    #[test]
    fn algorithms_survive_their_text_form_and_odd_ones_get_a_guess() {
        for algorithm in Algorithm::ALL {
            let name = algorithm.as_str();
            assert_eq!(Algorithms.read(&loose(name)), Ok(vec![algorithm]));
            assert_eq!(Algorithms.show(&vec![algorithm]), format!("[\"{name}\"]"));
        }
        for (odd, help) in [
            ("HS265", "did you mean"),
            ("es256", "did you mean \"ES256\"?"),
            ("eddsa", "did you mean \"EdDSA\"?"),
            ("None", "has to be signed"),
            ("x", "known are HS256"),
        ] {
            let refusal = Algorithms.read(&loose(odd)).unwrap_err();
            assert!(refusal.help.as_deref().is_some_and(|text| text.contains(help)), "{odd}: {refusal:?}");
        }
        assert!(Algorithms.read(&loose("")).is_err() && Algorithms.read(&loose("ES256,ES256")).is_err());
    }

    #[test]
    fn key_sets_come_by_tls_or_from_this_host() {
        for good in ["https://a.example/jwks", "http://127.0.0.1:9/jwks.json", "http://[::1]:9/"] {
            assert_eq!(KeySetAddress.read(&loose(good)), Ok(Some(good.to_owned())), "{good}");
            assert!(!KeySetAddress.show(&Some(format!("{good}?key=canary"))).contains("canary"), "{good}");
        }
        for bad in [
            "http://a.example/jwks",
            "http://localhost/jwks",
            "http://127.0.0.1.a.example/",
            "https://ann:canary@a.example/",
            "file:///etc/passwd",
            "/jwks",
            "a.example",
            "",
        ] {
            let refusal = KeySetAddress.read(&loose(bad)).unwrap_err();
            assert!(!format!("{refusal:?}").contains("canary"), "{refusal:?}");
        }
    }

    #[test]
    fn cookies_have_names_that_browsers_take() {
        let (any, one) = (CookieName { optional: true }, CookieName { optional: false });
        for good in ["session", "__Host-token", "a.b|c"] {
            assert!(any.read(&loose(good)).is_ok() && one.read(&loose(good)).is_ok(), "{good}");
        }
        assert!(any.read(&loose("")).is_ok() && one.read(&loose("")).is_err());
        for bad in ["a b", "a=b", "a;b", "\"a\"", "é", "a,b"] {
            assert!(any.read(&loose(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_short_secret_is_refused_and_no_secret_is_shown() {
        let refusal = SharedSecret.read(&loose("canary-canary-canary-canary-cana")).err();
        assert!(refusal.is_none());
        let refusal = SharedSecret.read(&loose("canary-canary-canary-canary-can")).err().unwrap();
        assert!(!format!("{refusal:?}").contains("canary"));
        assert_eq!(SharedSecret.show(&Some(Secret::new("canary"))), "\"<withheld>\"");
    }
}
