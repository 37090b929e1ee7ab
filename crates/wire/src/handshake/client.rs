//! The client's side: a request, and whether the answer agrees to it (§4.1).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{accept_key, list};

/// The longest response head a client reads.
pub const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// The most headers a response may have.
const HEADERS_MAX: usize = 64;

const EXTENSIONS: &str = "sec-websocket-extensions";

/// How much of a refusal's body is kept.
const EXTRACT_BYTES_MAX: usize = 1024;
/// The longest media type that is kept of one.
const CONTENT_TYPE_BYTES_MAX: usize = 64;

/// A handshake under way: the bytes to send and what the answer is held against.
pub struct ClientRequest {
    head: Vec<u8>,
    accept: String,
    subprotocols: Vec<String>,
    offers_extensions: bool,
}

/// The server agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Length of the head; what was received behind it are frames already.
    pub consumed: usize,
    /// The subprotocol the server chose, one of those offered.
    pub subprotocol: Option<String>,
}

/// The server did not agree, or did not speak WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeError {
    fault: Fault,
    status: Option<u16>,
    content_type: String,
    extract: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NotHttp,
    TooLong,
    Refused,
    Upgrade,
    Connection,
    Accept,
    Subprotocol,
    Extension,
}

impl ClientRequest {
    /// Prepares a request for `path` (with its query) on `host` (with its port where that is not the
    /// default). `nonce` must be fresh random bytes (§4.1).
    ///
    /// What cannot stand in a request head is left out of `path`, `host` and the headers — control
    /// characters, and blanks in the first two — so that no value can smuggle in a line of its own.
    /// Subprotocols that are no tokens are not offered, and headers whose names are no tokens not sent.
    ///
    /// Whoever offers extensions among the headers judges what the server makes of them.
    pub fn new(
        host: &str,
        path: &str,
        subprotocols: &[&str],
        extra_headers: &[(&str, &str)],
        nonce: [u8; 16],
    ) -> Self {
        let key = STANDARD.encode(nonce);
        let is_token = |name: &str| list::token(name.as_bytes()).is_some();
        let subprotocols: Vec<String> =
            subprotocols.iter().filter(|name| is_token(name)).map(|name| (*name).to_owned()).collect();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut head = format!(
            "GET {slash}{} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
            without_blanks(path),
            without_blanks(host),
        );
        if !subprotocols.is_empty() {
            push_header(&mut head, "Sec-WebSocket-Protocol", &subprotocols.join(", "));
        }
        for (name, value) in extra_headers.iter().filter(|(name, _)| is_token(name)) {
            push_header(&mut head, name, value);
        }
        head.push_str("\r\n");
        let is_offer = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case(EXTENSIONS);
        let offers_extensions = extra_headers.iter().any(is_offer);
        let accept = accept_key(key.as_bytes());
        ClientRequest { head: head.into_bytes(), accept, subprotocols, offers_extensions }
    }

    /// The bytes to send.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Judges everything received so far; `None` means that the head is not complete.
    ///
    /// A refusal is reported as soon as its head is there, with as much of its body as came along.
    pub fn response(&self, received: &[u8]) -> Result<Option<Response>, HandshakeError> {
        let window = &received[..received.len().min(RESPONSE_BYTES_MAX)];
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let consumed = match head.parse(window) {
            Ok(httparse::Status::Complete(consumed)) => consumed,
            Ok(httparse::Status::Partial) if window.len() < RESPONSE_BYTES_MAX => return Ok(None),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(HandshakeError::new(Fault::TooLong, head.code));
            }
            Err(_) => return Err(HandshakeError::new(Fault::NotHttp, None)),
        };
        if head.code != Some(101) {
            let body = received.get(consumed..).unwrap_or_default();
            let extract = String::from_utf8_lossy(&body[..body.len().min(EXTRACT_BYTES_MAX)]).into_owned();
            let content_type =
                head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-type"));
            let content_type = content_type.map(|header| essence(header.value)).unwrap_or_default();
            let refused = HandshakeError::new(Fault::Refused, head.code);
            return Err(HandshakeError { content_type, extract, ..refused });
        }
        let subprotocol = self.agreed(head.headers).map_err(|fault| HandshakeError::new(fault, head.code))?;
        Ok(Some(Response { consumed, subprotocol }))
    }

    /// The six checks of §4.1 on a 101, and the subprotocol it chose.
    fn agreed(&self, headers: &[httparse::Header<'_>]) -> Result<Option<String>, Fault> {
        let values = |name: &'static str| {
            headers
                .iter()
                .filter(move |header| header.name.eq_ignore_ascii_case(name))
                .map(|header| header.value)
        };
        if !values("upgrade").any(|value| list::contains(value, "websocket")) {
            return Err(Fault::Upgrade);
        }
        if !values("connection").any(|value| list::contains(value, "upgrade")) {
            return Err(Fault::Connection);
        }
        let mut accepts = values("sec-websocket-accept");
        if accepts.next().map(<[u8]>::trim_ascii) != Some(self.accept.as_bytes()) || accepts.next().is_some()
        {
            return Err(Fault::Accept);
        }
        // Where none was offered, any would be one we cannot speak.
        let are_chosen = values(EXTENSIONS).any(|value| !value.trim_ascii().is_empty());
        if are_chosen && !self.offers_extensions {
            return Err(Fault::Extension);
        }
        let mut chosen = values("sec-websocket-protocol");
        let Some(first) = chosen.next() else { return Ok(None) };
        let offered = self.subprotocols.iter().find(|offered| offered.as_bytes() == first.trim_ascii());
        match (offered, chosen.next()) {
            (Some(offered), None) => Ok(Some(offered.clone())),
            _ => Err(Fault::Subprotocol),
        }
    }
}

fn push_header(head: &mut String, name: &str, value: &str) {
    head.push_str(name);
    head.push_str(": ");
    head.extend(value.chars().filter(|character| *character == '\t' || !character.is_control()));
    head.push_str("\r\n");
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|character| !character.is_control() && *character != ' ').collect()
}

/// A media type without its parameters, as far as it can be one.
fn essence(value: &[u8]) -> String {
    let is_known = |byte: &u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(byte);
    let bytes = value.trim_ascii().iter().copied().take_while(is_known).take(CONTENT_TYPE_BYTES_MAX);
    bytes.map(char::from).collect()
}

impl HandshakeError {
    fn new(fault: Fault, status: Option<u16>) -> Self {
        HandshakeError { fault, status, content_type: String::new(), extract: String::new() }
    }

    /// The HTTP status, where the answer was HTTP at all. Other than 101 it is the server's refusal:
    /// worth a retry for 429 and 5xx, and not for the rest.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The media type of a refusal's body; empty where none is named.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The beginning of a refusal's body as far as it came with the head, at most 1 KiB.
    pub fn extract(&self) -> &str {
        &self.extract
    }

    /// What was wrong, in a few words.
    pub fn text(&self) -> &'static str {
        match self.fault {
            Fault::NotHttp => "the answer is not http",
            Fault::TooLong => "the answer's head is too long",
            Fault::Refused => "the server refused the upgrade",
            Fault::Upgrade => "the answer lacks 'upgrade: websocket'",
            Fault::Connection => "the answer lacks 'connection: upgrade'",
            Fault::Accept => "the answer's accept key is wrong",
            Fault::Subprotocol => "the server chose a subprotocol that was not offered",
            Fault::Extension => "the server chose an extension that was not offered",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fault, self.status) {
            (Fault::Refused, Some(status)) => write!(f, "{} with status {status}", self.text()),
            _ => f.write_str(self.text()),
        }
    }
}

impl std::error::Error for HandshakeError {}
