//! From an HTTP request to a connection in a worker: the WebSocket handshake (RFC 6455, section 4), or an extended
//! CONNECT in its place (RFC 8441).
//!
//! - [`credentials`]: the token in a request
//! - [`identity`]: who it comes from

mod credentials;
mod identity;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use fanfare_core::ports::authority::Authority as _;
use fanfare_core::ports::lane::Lane;
use fanfare_core::session::Opening;
use fanfare_protocol::ErrorCode;
use fanfare_protocol::dialect::excerpt;
use fanfare_wire::handshake as wire;
use http::header::{
    CONNECTION, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    WWW_AUTHENTICATE,
};
use http::{HeaderValue, Request, Response, StatusCode, Version, request};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;

use crate::admission::{Admission, Seat};
use crate::authority::ServerAuthority;
use crate::config::AuthMode;
use crate::connection::Arrival;
use crate::dialects::{Dialects, Framing, Spoken};
use crate::drain::Drain;
use crate::handlers::Running;
use crate::inbox::AllInboxes;
use crate::listen::streams::Streams;
use crate::logging::loggable_target;
use crate::network::csrf::{CsrfRule, check_csrf};
use crate::network::origin::Standing as Page;
use crate::network::{Denied, Network};
use crate::upgraded;
use credentials::{Credential, Roads};
use identity::{Claimed, Identified};

/// What a handshake needs of its node.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) dialects: Dialects,
    pub(crate) default_dialect: Spoken,
    pub(crate) admission: Arc<Admission>,
    pub(crate) network: Arc<Network>,
    pub(crate) inboxes: AllInboxes,
    pub(crate) application: Arc<Running>,
    pub(crate) authority: ServerAuthority,
    pub(crate) auth: AuthRules,
    pub(crate) drain: Arc<Drain>,
    /// How long a peer may take to hang up once we have.
    pub(crate) close: Duration,
}

/// How connections say who they are.
#[derive(Clone)]
pub(crate) struct AuthRules {
    pub(crate) mode: AuthMode,
    /// The cookie that may hold a token.
    pub(crate) cookie: Option<Arc<str>>,
    /// What has to come along with it.
    pub(crate) csrf: CsrfRule,
}

/// A handshake that was refused.
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) text: String,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, text: code.text().to_owned() }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self { code: denied.code(), text: denied.text().to_owned() }
    }
}

/// What was agreed on.
struct Agreed {
    accept_key: Option<String>,
    lane: Lane,
    subprotocol: Option<String>,
    identified: Identified,
    seat: Seat,
}

impl Door {
    /// Answers a request for a WebSocket; `dialect` is the one named by the path.
    pub(crate) async fn open(&self, mut request: Request<Body>, dialect: Option<&str>) -> Response<Body> {
        let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let streams = request.extensions_mut().remove::<Streams>();
        let (head, _) = request.into_parts();
        let address = self.network.client(&head);
        if let Err((wait, denied)) = self.network.handshake(address, &head.headers) {
            let mut response = self.refuse(&denied.into(), &head, address);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            return response;
        }
        let agreed = match self.agree(&head, dialect, address).await {
            Ok(agreed) => agreed,
            Err(refusal) => return self.refuse(&refusal, &head, address),
        };
        let Some(on_upgrade) = on_upgrade else {
            return self.refuse(&ErrorCode::BadHandshake.into(), &head, address);
        };
        let Agreed { accept_key, lane, subprotocol, identified, seat } = agreed;
        let Identified { identity, must_authenticate } = identified;
        let opening = Opening {
            lane,
            identity,
            must_authenticate,
            special: None,
            address,
            opened_unix_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64),
        };
        let (inboxes, close) = (self.inboxes.clone(), self.close);
        let stay = streams.as_ref().map(Streams::stay);
        tokio::spawn(async move {
            match upgraded::take(on_upgrade, close, stay).await {
                Ok((stream, early)) => inboxes.place(Arrival { stream, early, opening, seat }),
                Err(error) => tracing::debug!(%error, "a connection ended within its handshake"),
            }
        });
        agreed_on(accept_key.as_deref(), subprotocol.as_deref())
    }

    /// Refuses, counts it and says so.
    fn refuse(&self, refusal: &Refusal, head: &request::Parts, address: Option<IpAddr>) -> Response<Body> {
        self.admission.refused(refusal.code);
        tracing::debug!(
            code = refusal.code.as_str(),
            address = address.map(tracing::field::display),
            request = loggable_target(&head.uri.to_string()),
            "a handshake was refused"
        );
        refusal.answer(head.version)
    }

    async fn agree(
        &self,
        head: &request::Parts,
        dialect: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Agreed, Refusal> {
        let accepted = check(head).map_err(refusal_of)?;
        if self.drain.has_begun() {
            return Err(ErrorCode::Draining.into());
        }
        let page = self.network.judge_origin(head)?;
        if self.auth.mode == AuthMode::Open && page == Page::Same {
            self.network.judge_own_page(head)?;
        }
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let named = dialect.or(query.dialect.as_deref());
        let (spoken, subprotocol) = self.dialect(&accepted.subprotocols, named)?;
        let lane = self.dialects.lane(spoken, Framing::Frames);
        // Before anything is verified: a full node has no work with those for whom there is no seat.
        let seat = self.admission.seat(address)?;
        let claimed = Claimed {
            token: self.credential(head, &query.tokens, &accepted.subprotocols)?.map(|found| found.token),
            user: query.user,
            from_elsewhere: self.network.may_come_from_elsewhere(head),
        };
        let identified = self.identify(head, claimed, address).await?;
        Ok(Agreed { accept_key: accepted.accept_key, lane, subprotocol, identified, seat })
    }

    /// The subprotocol decides, then the path or query, then the default.
    fn dialect(&self, offered: &[String], named: Option<&str>) -> Result<(Spoken, Option<String>), Refusal> {
        if let Some((spoken, subprotocol)) = self.dialects.by_subprotocol(offered) {
            return Ok((spoken, Some(subprotocol)));
        }
        let unknown = |name: &str| Refusal {
            code: ErrorCode::UnknownDialect,
            text: format!("no such dialect: \"{}\"", excerpt(name)),
        };
        if let Some(offer) = offered.iter().find(|offer| offer.starts_with("fanfare.")) {
            return Err(unknown(offer));
        }
        match named {
            Some(name) => Ok((self.dialects.by_name(name).ok_or_else(|| unknown(name))?, None)),
            None => Ok((self.default_dialect, None)),
        }
    }

    fn credential(
        &self,
        head: &request::Parts,
        query: &[String],
        offered: &[String],
    ) -> Result<Option<Credential>, Refusal> {
        // Without a verifier, what looks like a token may be the connect handler's affair.
        if !self.authority.takes_tokens() && self.application.decides_connections() {
            return Ok(None);
        }
        let roads = Roads { query, headers: &head.headers, offered, cookie: self.auth.cookie.as_deref() };
        let found = roads.credential()?;
        if let Some(credential) = found.as_ref().filter(|credential| credential.by_cookie_alone) {
            check_csrf(&self.auth.csrf, head, offered, credential.token.expose())?;
        }
        Ok(found)
    }
}

/// The parts of the query that the handshake knows.
#[derive(Default)]
struct Query {
    user: Option<String>,
    dialect: Option<String>,
    tokens: Vec<String>,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "user" => parsed.user = Some(value.into_owned()),
                "dialect" => parsed.dialect = Some(value.into_owned()),
                "token" => parsed.tokens.push(value.into_owned()),
                _ => {}
            }
        }
        parsed
    }
}

fn check(head: &request::Parts) -> Result<wire::Accepted, wire::Refusal> {
    let method = head.method.as_str();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    if head.version < Version::HTTP_2 {
        let http11_or_newer = head.version >= Version::HTTP_11;
        return wire::check(wire::Request { method, http11_or_newer, headers });
    }
    wire::check_connect(wire::ExtendedConnect {
        method,
        protocol: head.extensions.get::<Protocol>().map(Protocol::as_str),
        authority: head.uri.authority().map(http::uri::Authority::as_str),
        headers,
    })
}

fn refusal_of(refusal: wire::Refusal) -> Refusal {
    let code = match refusal.status() {
        405 => ErrorCode::MethodNotAllowed,
        426 if refusal.code() == "unsupported_version" => ErrorCode::UnsupportedVersion,
        426 => ErrorCode::UpgradeRequired,
        501 => ErrorCode::UnsupportedProtocol,
        _ => ErrorCode::BadHandshake,
    };
    Refusal { code, text: refusal.text().to_owned() }
}

/// With a key, the connection becomes a WebSocket; without one, the stream that the CONNECT came by.
fn agreed_on(accept_key: Option<&str>, subprotocol: Option<&str>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let switching = accept_key.and_then(|key| HeaderValue::from_str(key).ok());
    if let Some(key) = switching {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Some(Ok(subprotocol)) = subprotocol.map(HeaderValue::from_str) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

impl Refusal {
    /// Says why. Over HTTP/1.1 it ends the connection: frames sent in the belief that the handshake succeeded must not be
    /// read as another request. HTTP/2 has a stream for each, and no such headers (RFC 9113 §8.2.2).
    pub(crate) fn answer(&self, version: Version) -> Response<Body> {
        let body = serde_json::json!({
            "error": { "code": self.code.as_str(), "message": self.text },
        });
        let mut response = Response::new(Body::from(body.to_string()));
        let status = StatusCode::from_u16(self.code.http_status());
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let over_http1 = version < Version::HTTP_2;
        if over_http1 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        match self.code {
            ErrorCode::UnsupportedVersion => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            ErrorCode::UpgradeRequired => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade, close"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            ErrorCode::MethodNotAllowed => {
                let allowed = if over_http1 { "GET" } else { "CONNECT" };
                headers.insert(http::header::ALLOW, HeaderValue::from_static(allowed));
            }
            // RFC 6750, section 3.
            ErrorCode::AuthenticationRequired => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ if self.code.http_status() == 401 => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
            }
            _ if self.code.retry() => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}
