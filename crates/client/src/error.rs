//! Why something could not be done, and whether trying again is of use.

use std::fmt;
use std::io;

use fanfare_protocol::{CloseCode, ErrorCode};
use fanfare_wire::handshake::HandshakeError;
use serde::Deserialize;

/// A failed call.
#[derive(Debug, Clone)]
pub struct Error(Box<Failure>);

#[derive(Debug, Clone)]
struct Failure {
    kind: Kind,
    text: String,
}

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The server understood and refused; the code is none where it is newer than this client.
    Refused { code: Option<ErrorCode>, retry_after_ms: Option<u32> },
    /// The connection was lost before the answer came: what was asked may or may not have happened.
    Disconnected,
    /// No answer in time: what was asked may or may not have happened.
    Timeout,
    /// The client is closed for good.
    Closed,
    /// No connection could be made; the code is the server's, where it gave one for its refusal.
    Connect { code: Option<ErrorCode>, retry: bool },
    /// The program's own provider gave no token.
    NoToken,
    /// The call itself makes no sense; nothing was sent.
    Invalid,
    /// A bound of the client is reached; nothing was sent.
    Busy,
}

/// What a refused handshake has for a body.
#[derive(Deserialize)]
struct RefusalBody {
    error: Refusal,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

fn known(code: &str) -> Option<ErrorCode> {
    ErrorCode::ALL.iter().copied().find(|known| known.as_str() == code)
}

impl Error {
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self(Box::new(Failure { kind, text: text.into() }))
    }

    pub(crate) fn refused(code: &str, text: &str, retry_after_ms: Option<u32>) -> Self {
        Self::new(Kind::Refused { code: known(code), retry_after_ms }, format!("{code}: {text}"))
    }

    pub(crate) fn disconnected() -> Self {
        Self::new(Kind::Disconnected, "the connection was lost before the answer came")
    }

    pub(crate) fn timeout() -> Self {
        Self::new(Kind::Timeout, "no answer in time")
    }

    pub(crate) fn closed() -> Self {
        Self::new(Kind::Closed, "the client is closed")
    }

    pub(crate) fn connect(text: impl Into<String>, retry: bool) -> Self {
        Self::new(Kind::Connect { code: None, retry }, text)
    }

    /// The server answered the handshake with a status of its own. Busy or restarting servers are worth
    /// another attempt, and those that say no are not.
    pub(crate) fn handshake(error: &HandshakeError) -> Self {
        let retry = error.status().is_some_and(|status| status == 429 || status >= 500);
        let refusal = serde_json::from_str::<RefusalBody>(error.extract()).ok();
        let Some(RefusalBody { error: refusal }) = refusal else {
            // A page of HTML would tell nobody more than that.
            let kind = match error.content_type() {
                "" => String::new(),
                kind => format!(" and {kind}"),
            };
            let text = format!("{error}{kind}; what answers there is no Fanfare server");
            return Self::new(Kind::Connect { code: None, retry }, text);
        };
        let text = format!("{error}: {}: {}", refusal.code, refusal.message);
        Self::new(Kind::Connect { code: known(&refusal.code), retry }, text)
    }

    pub(crate) fn no_token(error: &impl fmt::Display) -> Self {
        Self::new(Kind::NoToken, format!("there is no token: {error}"))
    }

    pub(crate) fn io(error: &io::Error) -> Self {
        Self::connect(format!("cannot connect: {error}"), true)
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, text)
    }

    pub(crate) fn busy(text: impl Into<String>) -> Self {
        Self::new(Kind::Busy, text)
    }

    /// The server's code, where the server refused and the code is one this client knows.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self.0.kind {
            Kind::Refused { code, .. } | Kind::Connect { code, .. } => code,
            _ => None,
        }
    }

    /// Whether a token is what stands in the way: it was not accepted, has expired, was revoked, is missing, or
    /// could not be had.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        self.0.kind == Kind::NoToken
            || matches!(
                self.code(),
                Some(
                    ErrorCode::AuthenticationRequired
                        | ErrorCode::AuthenticationFailed
                        | ErrorCode::TokenExpired
                        | ErrorCode::TokenRevoked
                )
            )
    }

    /// After how many milliseconds the server wants to be asked again.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u32> {
        match self.0.kind {
            Kind::Refused { retry_after_ms, .. } => retry_after_ms,
            _ => None,
        }
    }

    /// Whether the client is closed for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.kind == Kind::Closed
    }

    /// Whether what was asked may have happened all the same: the answer is missing, not negative.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self.0.kind, Kind::Disconnected | Kind::Timeout)
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self.0.kind {
            Kind::Refused { code, .. } => code.is_some_and(ErrorCode::retry),
            Kind::Connect { retry, .. } => retry,
            Kind::Disconnected | Kind::Timeout | Kind::Busy | Kind::NoToken => true,
            Kind::Closed | Kind::Invalid => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl std::error::Error for Error {}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The close code; 1006 when the connection broke without one.
    pub code: u16,
    /// The server's words.
    pub reason: String,
    /// Whether connecting again is of use.
    pub reconnect: bool,
    /// How long the server wants the client to wait before that.
    pub retry_after_ms: Option<u32>,
}

impl Ending {
    /// Without a word from the server.
    pub(crate) fn broken(reason: impl Into<String>) -> Self {
        Self { code: 1006, reason: reason.into(), reconnect: true, retry_after_ms: None }
    }

    /// By a Close frame. A code this client doesn't know is one it may try again after: the server ends
    /// what must not come back with codes that every client has known from the start.
    pub(crate) fn closed(code: u16, reason: &str) -> Self {
        let reconnect = CloseCode::from_number(code).is_none_or(CloseCode::reconnect);
        Self { code, reason: reason.to_owned(), reconnect, retry_after_ms: None }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.code)
    }
}
