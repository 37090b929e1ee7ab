//! The server's side: does this request open a WebSocket, over HTTP/1.1 (§4.2.1) or newer (RFC 8441)?

use std::fmt;

use super::{accept_key, list};

/// The head of an HTTP request, parsed by whoever owns the socket.
///
/// `headers` is any walk over names and values, so that every HTTP library fits without a
/// dependency: `head.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()))` for the
/// `http` crate, `head.headers.iter().map(|header| (header.name, header.value))` for `httparse`.
pub struct Request<'a, H>
where
    H: IntoIterator<Item = (&'a str, &'a [u8])>,
{
    /// The method, in upper case as it came.
    pub method: &'a str,
    /// The version is HTTP/1.1 or newer; older ones know no upgrade.
    pub http11_or_newer: bool,
    /// Every header, a repeated one as often as it came.
    pub headers: H,
}

/// The head of a request by which a WebSocket is to become one stream of an HTTP/2 connection: an extended CONNECT
/// (RFC 8441 §4).
pub struct ExtendedConnect<'a, H>
where
    H: IntoIterator<Item = (&'a str, &'a [u8])>,
{
    /// `:method`.
    pub method: &'a str,
    /// `:protocol`.
    pub protocol: Option<&'a str>,
    /// `:authority`, where whoever parsed the head has not made a `Host` of it.
    pub authority: Option<&'a str>,
    /// Every header, a repeated one as often as it came.
    pub headers: H,
}

/// A request that may be answered with 101, or with 200 where it was a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The value of `Sec-WebSocket-Accept` in the answer; none over HTTP/2, where nothing has to be proved.
    pub accept_key: Option<String>,
    /// The subprotocols the client offers, best first; the answer names one of them or none.
    pub subprotocols: Vec<String>,
}

/// A request that is no WebSocket handshake: the client's fault, and the same request fails again.
///
/// The connection should be closed after the answer: a client that took the upgrade for granted has
/// sent frames behind its request, and those must not be read as another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(Fault);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Method,
    NotConnect,
    Protocol,
    HttpVersion,
    Host,
    Body,
    NoUpgrade,
    NoConnection,
    Version,
    VersionRepeated,
    Key,
    Subprotocol,
}

/// Judges a request by its head alone.
pub fn check<'a, H>(request: Request<'a, H>) -> Result<Accepted, Refusal>
where
    H: IntoIterator<Item = (&'a str, &'a [u8])>,
{
    let refuse = |fault| Err(Refusal(fault));
    if request.method != "GET" {
        return refuse(Fault::Method);
    }
    if !request.http11_or_newer {
        return refuse(Fault::HttpVersion);
    }
    let head = Head::collect(request.headers);
    if !head.upgrade {
        return refuse(Fault::NoUpgrade);
    }
    if !head.connection {
        return refuse(Fault::NoConnection);
    }
    if !matches!(head.host, Single::One(_)) {
        return refuse(Fault::Host);
    }
    head.check_body_and_version()?;
    let Single::One(key) = head.key else { return refuse(Fault::Key) };
    if !is_key(key) {
        return refuse(Fault::Key);
    }
    let Some(subprotocols) = head.subprotocols else { return refuse(Fault::Subprotocol) };
    Ok(Accepted { accept_key: Some(accept_key(key)), subprotocols })
}

/// Judges a request within HTTP/2 or newer by its head alone (RFC 8441 §5). `Upgrade` and `Connection` have no place
/// there, and `Sec-WebSocket-Key` is not looked at.
pub fn check_connect<'a, H>(request: ExtendedConnect<'a, H>) -> Result<Accepted, Refusal>
where
    H: IntoIterator<Item = (&'a str, &'a [u8])>,
{
    let refuse = |fault| Err(Refusal(fault));
    if request.method != "CONNECT" {
        return refuse(Fault::NotConnect);
    }
    // Names of protocols are tokens, whose case does not count (RFC 9110 §7.8).
    if !request.protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
        return refuse(Fault::Protocol);
    }
    let head = Head::collect(request.headers);
    match (request.authority, head.host) {
        (Some(_), Single::None) | (None, Single::One(_)) => {}
        (Some(authority), Single::One(host)) if host.eq_ignore_ascii_case(authority.as_bytes()) => {}
        _ => return refuse(Fault::Host),
    }
    head.check_body_and_version()?;
    let Some(subprotocols) = head.subprotocols else { return refuse(Fault::Subprotocol) };
    Ok(Accepted { accept_key: None, subprotocols })
}

/// What a handshake needs of the headers, gathered in one walk.
struct Head<'a> {
    upgrade: bool,
    connection: bool,
    /// Two of them would be two servers to whoever reads the first or the last (RFC 9112 §3.2).
    host: Single<'a>,
    /// A body would be read as frames, or frames as a body.
    body: bool,
    version: Single<'a>,
    key: Single<'a>,
    /// `None` once a name was no token.
    subprotocols: Option<Vec<String>>,
}

/// A header that must not be repeated.
#[derive(Clone, Copy)]
enum Single<'a> {
    None,
    One(&'a [u8]),
    Many,
}

impl<'a> Head<'a> {
    fn collect(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut head = Head {
            upgrade: false,
            connection: false,
            host: Single::None,
            body: false,
            version: Single::None,
            key: Single::None,
            subprotocols: Some(Vec::new()),
        };
        for (name, value) in headers {
            head.add(name, value.trim_ascii());
        }
        head
    }

    /// What is asked of every handshake, whichever version of HTTP brings it.
    fn check_body_and_version(&self) -> Result<(), Refusal> {
        match self.version {
            _ if self.body => Err(Refusal(Fault::Body)),
            Single::One(b"13") => Ok(()),
            Single::Many => Err(Refusal(Fault::VersionRepeated)),
            Single::One(_) | Single::None => Err(Refusal(Fault::Version)),
        }
    }

    fn add(&mut self, name: &str, value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("upgrade") {
            self.upgrade |= list::contains(value, "websocket");
        } else if is("connection") {
            self.connection |= list::contains(value, "upgrade");
        } else if is("host") {
            self.host.add(value);
        } else if is("sec-websocket-version") {
            self.version.add(value);
        } else if is("sec-websocket-key") {
            self.key.add(value);
        } else if is("sec-websocket-protocol") {
            self.offer(value);
        } else if is("transfer-encoding") {
            self.body = true;
        } else if is("content-length") {
            self.body |= value != b"0";
        }
    }

    fn offer(&mut self, value: &[u8]) {
        let Some(offered) = &mut self.subprotocols else { return };
        for element in list::elements(value) {
            match list::token(element) {
                Some(name) => offered.push(name.to_owned()),
                None => {
                    self.subprotocols = None;
                    return;
                }
            }
        }
    }
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if matches!(self, Single::None) { Single::One(value) } else { Single::Many };
    }
}

/// A key is 16 bytes in base64 (§4.2.1): 22 characters and two of padding. The four spare bits of the
/// last character are not looked at, for clients that fill them in exist and nothing depends on it.
fn is_key(key: &[u8]) -> bool {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(legal)
}

impl Refusal {
    /// The HTTP status of the answer: 400, 405, 426 or 501.
    pub fn status(&self) -> u16 {
        match self.0 {
            Fault::Method | Fault::NotConnect => 405,
            // As RFC 9220 §3 has it, which says the same for HTTP/3.
            Fault::Protocol => 501,
            Fault::NoUpgrade | Fault::Version => 426,
            _ => 400,
        }
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self.0 {
            Fault::Method | Fault::NotConnect => "method_not_allowed",
            Fault::Protocol => "unsupported_protocol",
            Fault::NoUpgrade => "upgrade_required",
            Fault::Version => "unsupported_version",
            _ => "bad_handshake",
        }
    }

    /// A sentence for people.
    pub fn text(&self) -> &'static str {
        match self.0 {
            Fault::Method => "a websocket handshake is a GET request",
            Fault::NotConnect => {
                "over HTTP/2 a websocket handshake is a CONNECT request with ':protocol: websocket' (RFC 8441)"
            }
            Fault::Protocol => "only ':protocol: websocket' is connected to",
            Fault::HttpVersion => "a websocket handshake needs HTTP/1.1",
            Fault::Host => "Host must be there once",
            Fault::Body => "a websocket handshake has no body",
            Fault::NoUpgrade => "this endpoint speaks websocket: the request lacks 'Upgrade: websocket'",
            Fault::NoConnection => "the request lacks 'Connection: Upgrade'",
            Fault::Version => "only websocket version 13 is spoken here",
            Fault::VersionRepeated => "Sec-WebSocket-Version is repeated",
            Fault::Key => "Sec-WebSocket-Key must be there once, as 16 bytes in base64",
            Fault::Subprotocol => "Sec-WebSocket-Protocol must be a list of tokens",
        }
    }

    /// The header the answer must carry besides: which version is spoken (§4.4), what to upgrade to
    /// (RFC 9110 §15.5.22), or which method is allowed (RFC 9110 §15.5.6).
    pub fn header(&self) -> Option<(&'static str, &'static str)> {
        match self.0 {
            Fault::Method => Some(("allow", "GET")),
            Fault::NotConnect => Some(("allow", "CONNECT")),
            Fault::NoUpgrade => Some(("upgrade", "websocket")),
            Fault::Version => Some(("sec-websocket-version", "13")),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Refusal {}
