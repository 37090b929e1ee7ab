//! Origins (RFC 6454): pages of which sites may talk to the server.
//!
//! A browser sends along with every WebSocket handshake, and with every request that could change something, the
//! origin of the page that asks. That is all that keeps a page of one site from using another with its visitor's
//! cookies, or from within its visitor's network: the same-origin policy does not hold for WebSockets.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use fanfare_protocol::ErrorCode;
use fanfare_protocol::dialect::excerpt;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Uri};

use super::Denied;

/// The longest name in the DNS (RFC 1035 §2.3.4).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Whose pages may talk to the server, beside those that it serves itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(pub Vec<OriginPattern>);

/// One origin, or many by a pattern.
///
/// `https://app.example` is one: scheme, host and port, which is the scheme's own if none is named.
/// `https://*.example.com` is every name of one or more labels before `.example.com`, and not `example.com` itself.
/// `*` is any, except `null`, which no pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Any,
    One(Origin),
    /// Every host below this one's.
    Below(Origin),
}

/// Where a page comes from, in the one form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    /// None where the scheme has no port of its own.
    port: Option<u16>,
}

/// What the connection is encrypted with, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Nothing.
    Http,
    /// TLS, ended by this server or by a trusted proxy.
    Https,
}

/// A request's standing by its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It names none: what asks is no page in a browser.
    NoPage,
    /// A page that this server served itself.
    Same,
    /// A page of another site, which is allowed; its origin as it was sent.
    Cross(HeaderValue),
}

impl Origins {
    /// Judges a request by its `Origin` and `Host`. The scheme has to agree where it is known.
    ///
    /// # Errors
    /// `origin_not_allowed`, with what to do about it.
    pub fn judge(&self, headers: &HeaderMap, uri: &Uri, scheme: Option<Scheme>) -> Result<Standing, Denied> {
        let mut sent = headers.get_all(ORIGIN).iter();
        let Some(value) = sent.next() else { return Ok(Standing::NoPage) };
        if sent.next().is_some() {
            return Err(denied("more than one Origin header"));
        }
        if value.as_bytes() == b"null" {
            return Err(denied(
                "the page has the origin \"null\", as one that was opened from a file or is sandboxed: serve it over HTTP",
            ));
        }
        let Some(origin) = value.to_str().ok().and_then(|text| text.parse::<Origin>().ok()) else {
            let text = excerpt(&String::from_utf8_lossy(value.as_bytes()));
            return Err(denied(format!("\"{text}\" is no origin")));
        };
        let host = host_of(headers, uri);
        if host.is_some_and(|host| origin.is_of(host, scheme)) {
            return Ok(Standing::Same);
        }
        if self.0.iter().any(|pattern| pattern.matches(&origin)) {
            return Ok(Standing::Cross(value.clone()));
        }
        let host = excerpt(host.unwrap_or_default());
        Err(denied(format!(
            "pages of \"{origin}\" may not talk to \"{host}\": add \"{origin}\" to network.origins if they should"
        )))
    }
}

impl Origins {
    /// Whether an origin is allowed by more than `*`.
    pub(super) fn single_out(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().ok().and_then(|text| text.parse::<Origin>().ok());
        let named = |origin| self.0.iter().any(|pattern| !pattern.is_any() && pattern.matches(&origin));
        origin.is_some_and(named)
    }

    /// Whether the page's origin is one of those that are named.
    pub(super) fn name(&self, headers: &HeaderMap) -> bool {
        let origin = headers.get(ORIGIN).and_then(|value| value.to_str().ok()?.parse::<Origin>().ok());
        origin.is_some_and(|origin| self.0.iter().any(|pattern| pattern.matches(&origin)))
    }
}

/// Whether a request was sent to a name or address that means this host to everybody, so that nobody else can have
/// pointed it here: a loopback address, or `localhost` and what is below it (RFC 6761 §6.3).
pub(super) fn is_sent_to_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some((host, _)) = host_of(headers, uri).and_then(authority) else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether a request was sent to this host by a name that only this host has, or by one of those that are given. A program
/// that names no host, as HTTP/1.0 allows, is no browser.
pub(crate) fn is_sent_to(headers: &HeaderMap, uri: &Uri, names: &[String]) -> bool {
    let Some(host) = host_of(headers, uri) else { return !headers.contains_key(HOST) };
    let named = |(host, _): (String, _)| names.iter().any(|name| name.eq_ignore_ascii_case(&host));
    is_sent_to_loopback(headers, uri) || authority(host).is_some_and(named)
}

fn denied(text: impl Into<String>) -> Denied {
    Denied::new(ErrorCode::OriginNotAllowed, text)
}

/// What the request was sent to: the one `Host`, else what HTTP/2 has in its place.
fn host_of<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => uri.authority().map(http::uri::Authority::as_str),
        (Some(_), Some(_)) => None,
    }
}

impl OriginPattern {
    /// Whether it is every origin.
    pub fn is_any(&self) -> bool {
        self.0 == Pattern::Any
    }

    fn matches(&self, origin: &Origin) -> bool {
        match &self.0 {
            Pattern::Any => true,
            Pattern::One(one) => one == origin,
            Pattern::Below(base) => {
                let below = origin.host.strip_suffix(&base.host).and_then(|rest| rest.strip_suffix('.'));
                below.is_some_and(|labels| !labels.is_empty())
                    && (&base.scheme, base.port) == (&origin.scheme, origin.port)
            }
        }
    }
}

/// Text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoOrigin;

impl FromStr for OriginPattern {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        if text == "*" {
            return Ok(Self(Pattern::Any));
        }
        let Some((scheme, rest)) = text.split_once("://*.") else {
            return text.parse().map(|origin| Self(Pattern::One(origin)));
        };
        let base: Origin = format!("{scheme}://{rest}").parse()?;
        // There is nothing below an address.
        if base.host.starts_with('[') || base.host.parse::<IpAddr>().is_ok() {
            return Err(NoOrigin);
        }
        Ok(Self(Pattern::Below(base)))
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Any => f.write_str("*"),
            Pattern::One(origin) => origin.fmt(f),
            Pattern::Below(base) => {
                let text = base.to_string();
                let (scheme, rest) = text.split_once("://").unwrap_or_default();
                write!(f, "{scheme}://*.{rest}")
            }
        }
    }
}

impl Origin {
    /// Whether pages of this origin are served under that `Host`.
    fn is_of(&self, host: &str, scheme: Option<Scheme>) -> bool {
        let agrees = match scheme {
            Some(Scheme::Http) => self.scheme == "http",
            Some(Scheme::Https) => self.scheme == "https",
            None => true,
        };
        let Some(own) = port_of(&self.scheme) else { return false };
        let Some((host, port)) = authority(host) else { return false };
        agrees && self.host == host && self.port == Some(port.unwrap_or(own))
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    /// RFC 6454 §7: a scheme, a host and perhaps a port, and nothing else: no user, no path. Names of other scripts
    /// come in the form that the DNS has for them (RFC 3490).
    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let (scheme, rest) = text.split_once("://").ok_or(NoOrigin)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(plain) {
            return Err(NoOrigin);
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = authority(rest).ok_or(NoOrigin)?;
        let port = port.or(port_of(&scheme));
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) if Some(port) != port_of(&self.scheme) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// The port that a scheme stands for.
fn port_of(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A host, in the form in which it is compared, and a port. A dot at a name's end says only that it is complete.
fn authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (format!("[{address}]"), port)
        }
        None => {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            };
            let host = host.strip_suffix('.').unwrap_or(host);
            (is_name(host).then(|| host.to_ascii_lowercase())?, port)
        }
    };
    let port = match port {
        None => None,
        Some(digits) => Some(port_number(digits)?),
    };
    Some((host, port))
}

fn is_name(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let label = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.chars().all(plain);
    host.len() <= NAME_BYTES_MAX && host.split('.').all(label)
}

fn port_number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    plain.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests;
