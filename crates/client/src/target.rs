//! Where a server is.

use fanfare_protocol::command::Secret;
use fanfare_wire::handshake::ClientRequest;

use crate::error::Error;

/// Where WebSockets are served unless the URL says otherwise.
const PATH_DEFAULT: &str = "/ws";

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// As it goes into the request: with the port where that is not the scheme's own.
    authority: String,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether the URL asks for TLS.
    pub(crate) tls: bool,
    path: String,
}

impl Target {
    /// Reads `ws://host[:port][/path][?query]`, or `wss://`; `http://` and `https://` mean the same.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::invalid(format!("the URL {url:?} {why}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("has no scheme, such as ws://"))?;
        let tls = match scheme {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(wrong("must begin with ws:// or wss://")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let path_start = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_start);
        if authority.contains('@') {
            return Err(wrong("must not hold credentials"));
        }
        let after_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[after_address..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(after_address + colon);
                (host, port[1..].parse().map_err(|_| wrong("has no valid port"))?)
            }
            None => (authority, if tls { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        let path = match path {
            "" | "/" => PATH_DEFAULT.to_owned(),
            query if query.starts_with('?') => format!("{PATH_DEFAULT}{query}"),
            path => path.to_owned(),
        };
        Ok(Self { authority: authority.to_owned(), host: host.to_owned(), port, tls, path })
    }

    /// The handshake's request.
    pub(crate) fn request(
        &self,
        user: Option<&str>,
        token: Option<&Secret>,
        nonce: [u8; 16],
    ) -> ClientRequest {
        let mut path = self.path.clone();
        if let Some(user) = user {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str("user=");
            push_encoded(&mut path, user);
        }
        let bearer = token.map(|token| format!("Bearer {}", token.expose()));
        let headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
        ClientRequest::new(&self.authority, &path, &[], &headers, nonce)
    }
}

/// Percent-encodes everything that has a meaning of its own in a query.
fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase();
            out.extend([digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String) {
        let target = Target::parse(url).unwrap();
        (target.host, target.port, target.path)
    }

    #[test]
    fn urls_are_taken_apart() {
        assert_eq!(parts("ws://a"), ("a".into(), 80, "/ws".into()));
        assert_eq!(parts("http://a:8000/"), ("a".into(), 8000, "/ws".into()));
        assert_eq!(parts("ws://a:1/b?c=d#e"), ("a".into(), 1, "/b?c=d".into()));
        assert_eq!(parts("ws://[::1]:9?x=y"), ("::1".into(), 9, "/ws?x=y".into()));
        assert_eq!(parts("ws://[::1]"), ("::1".into(), 80, "/ws".into()));
        assert_eq!(parts("wss://a"), ("a".into(), 443, "/ws".into()));
        assert!(Target::parse("https://a").unwrap().tls && !Target::parse("http://a").unwrap().tls);
        for url in ["", "a:80", "ftp://a", "ws://", "ws://a:b", "ws://u:p@a", "ws://:80"] {
            assert!(Target::parse(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn users_and_tokens_go_into_the_request() {
        let target = Target::parse("ws://a:9/ws?x=y").unwrap();
        let request = target.request(Some("Ada L&é"), Some(&Secret::new("t.o.k")), [0; 16]);
        let head = String::from_utf8(request.head().to_vec()).unwrap();
        assert!(head.starts_with("GET /ws?x=y&user=Ada%20L%26%C3%A9 HTTP/1.1\r\nHost: a:9\r\n"), "{head}");
        assert!(head.contains("\r\nAuthorization: Bearer t.o.k\r\n"));
    }
}
