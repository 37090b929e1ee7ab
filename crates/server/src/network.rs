//! What stands between a client and the server, and what is made of it: whose pages may connect, where a client really
//! is, and how often one address may come.
//!
//! In the order in which a connection meets them:
//!
//! - `rates`: how often one address may connect and shake hands
//! - `turned_away`: what is told to who comes too often
//! - `visits`: how many connections of one address speak HTTP at a time
//! - `holdings`: how much memory unfinished requests and unread answers may hold
//! - `proxy_protocol`: the PROXY header that a proxy puts in front
//! - `address`, `forwarded`: the client's address, out of what trusted proxies say
//! - [`origin`]: which pages may connect; `cors`, the same for the HTTP API
//! - [`cookies`], [`csrf`]: what a cookie needs beside it to authenticate

mod address;
pub mod cookies;
pub(crate) mod cors;
pub mod csrf;
mod forwarded;
pub(crate) mod head;
pub(crate) mod holdings;
pub mod origin;
mod proxy_protocol;
pub(crate) mod rates;
mod turned_away;
mod visits;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use fanfare_core::limits::Limits;
use fanfare_protocol::ErrorCode;
use http::{HeaderMap, HeaderValue, request};
use socket2::SockRef;
use tokio::net::TcpStream;

pub use address::{ClientAddress, is_forwarded};
pub(crate) use rates::AddressKey;
pub use rates::AddressRate;

use crate::admission::Admission;
use crate::config::NetworkConfig;
use crate::drain::Drain;
use address::Proxies;
use holdings::{Bounds, Held, Holdings};
use origin::{OriginPattern, Origins, Scheme, Standing};
use rates::Rates;
use turned_away::TurnedAway;
pub(crate) use visits::Visit;
use visits::Visits;

/// Connections of one address that may speak HTTP at a time, those that have not become WebSockets yet included: a
/// thirtieth of what a listener serves.
const HTTP_PER_ADDRESS_MAX: u32 = 256;

/// A request that was refused for where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    code: ErrorCode,
    text: String,
}

/// What a node makes of where its clients come from.
pub struct Network {
    /// Replaced by a reload, read by handshakes.
    origins: RwLock<Arc<Origins>>,
    proxies: Proxies,
    proxy_protocol: bool,
    limit_loopback: bool,
    accepts: Rates,
    handshakes: Rates,
    visits: Arc<Visits>,
    holdings: Arc<Holdings>,
    pending: Bounds,
    turned_away: TurnedAway,
    admission: Arc<Admission>,
    /// Whether the node is going; listeners hear of it here.
    pub(crate) drain: Arc<Drain>,
    /// Whether listeners speak HTTP/2.
    pub(crate) http2: bool,
}

/// How a request's connection came, told by the listener; without it nothing is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    /// The peer, or the one in whose name it asks by a PROXY header.
    pub(crate) peer: SocketAddr,
    /// This server has ended TLS for it.
    pub(crate) over_tls: bool,
    /// A PROXY header stood in front.
    pub(crate) proxied: bool,
}

impl Denied {
    pub(crate) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// Which failure.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// For the developer who meets it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Network {
    pub(crate) fn new(config: NetworkConfig, limits: &Limits, admission: Arc<Admission>) -> Self {
        let config = config.with_room_for(limits.message_bytes_max);
        Self {
            origins: RwLock::new(Arc::new(Origins(config.origins))),
            proxies: Proxies { trusted: config.trusted_proxies, source: config.client_address },
            proxy_protocol: config.proxy_protocol,
            limit_loopback: limits.limit_loopback,
            accepts: Rates::new(config.accepts, config.addresses_max),
            handshakes: Rates::new(config.handshakes, config.addresses_max),
            visits: Arc::default(),
            holdings: Arc::default(),
            pending: Bounds {
                connection_bytes_max: config.pending_bytes_per_connection_max,
                address_bytes_max: config.pending_bytes_per_ip_max,
            },
            turned_away: TurnedAway::default(),
            admission,
            drain: Arc::default(),
            http2: config.http2,
        }
    }

    fn origins(&self) -> Arc<Origins> {
        self.origins.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets pages of other origins connect from now on. Connections that are there stay.
    pub(crate) fn set_origins(&self, origins: Vec<OriginPattern>) {
        *self.origins.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Origins(origins));
    }

    /// A place for a connection that speaks HTTP, if its address has one left, or if `make_room` says that one has become
    /// free; none counts where none is bounded.
    pub(crate) fn enter(
        &self,
        stream: &TcpStream,
        peer: IpAddr,
        answer: bool,
        make_room: impl FnOnce() -> bool,
    ) -> Result<Option<Visit>, ErrorCode> {
        if self.is_exempt(peer) || self.proxies.trusts(peer) {
            return Ok(None);
        }
        let enter = || self.visits.enter(peer, HTTP_PER_ADDRESS_MAX);
        match enter().or_else(|| if make_room() { enter() } else { None }) {
            Some(visit) => Ok(Some(visit)),
            None => Err(self.turn_away(stream, peer, answer)),
        }
    }

    /// What a request may hold until it is answered and its answer is read. `connection` is what the requests of its
    /// connection hold together, where there are several at a time.
    pub(crate) fn hold(&self, address: Option<IpAddr>, connection: Option<Arc<AtomicUsize>>) -> Held {
        let bounded = address.filter(|address| !self.is_exempt(*address) && !self.proxies.trusts(*address));
        self.holdings.request(self.pending, bounded, connection)
    }

    /// Whether a connection may be served. One that comes too often is told so, and of its request only the beginning is
    /// looked at.
    ///
    /// A connection over TLS is not told: it would not understand what is not said in TLS.
    pub(crate) fn admits(&self, stream: &TcpStream, peer: IpAddr, answer: bool) -> bool {
        // A trusted proxy's connections are other people's.
        if self.is_exempt(peer) || self.proxies.trusts(peer) || self.accepts.take(peer).is_ok() {
            return true;
        }
        self.turn_away(stream, peer, answer);
        false
    }

    fn turn_away(&self, stream: &TcpStream, peer: IpAddr, answer: bool) -> ErrorCode {
        let code = ErrorCode::RateLimited;
        self.admission.refused(code);
        tracing::debug!(%peer, code = code.as_str(), "a connection was refused");
        if answer {
            self.turned_away.tell(stream, TOO_OFTEN);
        }
        code
    }

    /// Takes the PROXY header off a connection where there has to be one, and notes for whom it is. False if the
    /// connection is to be closed.
    pub(crate) async fn arrive(
        &self,
        stream: &mut TcpStream,
        arrived: &mut Arrived,
        deadline: Duration,
    ) -> bool {
        let peer = arrived.peer;
        if !self.proxy_protocol || !self.proxies.trusts(peer.ip()) {
            return true;
        }
        let answer = !arrived.over_tls;
        let taken = tokio::time::timeout(deadline, proxy_protocol::take(stream)).await;
        match taken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(Some(source)) => {
                (arrived.peer, arrived.proxied) = (source, true);
                self.admits(stream, source.ip(), answer)
            }
            // The proxy asks in its own name.
            Ok(None) => true,
            Err(error) => {
                tracing::debug!(%error, %peer, "a connection without a PROXY header was refused");
                self.admission.refused(ErrorCode::BadHandshake);
                if answer && error.kind() == io::ErrorKind::InvalidData {
                    let _ = SockRef::from(&*stream).send(NO_PROXY_HEADER.as_bytes());
                }
                false
            }
        }
    }

    /// How often an address may connect in a second, and shake hands; 0 is without bound.
    pub(crate) fn returns_per_second(&self) -> u32 {
        match (self.accepts.per_second(), self.handshakes.per_second()) {
            (0, rate) | (rate, 0) => rate,
            (accepts, handshakes) => accepts.min(handshakes),
        }
    }

    /// The client's address.
    pub(crate) fn client(&self, head: &request::Parts) -> Option<IpAddr> {
        peer_of(head).map(|peer| self.proxies.client(peer, &head.headers))
    }

    /// Counts a handshake.
    ///
    /// # Errors
    /// When it is one too many: how long until the next one is welcome, and what to say.
    pub(crate) fn handshake(
        &self,
        address: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Result<(), (Duration, Denied)> {
        let Some(address) = address.filter(|address| !self.is_exempt(*address)) else { return Ok(()) };
        self.handshakes.take(address).map_err(|wait| {
            let mut text = "too many handshakes from this address".to_owned();
            if is_forwarded(headers) && self.proxies.source == ClientAddress::Peer {
                text.push_str(
                    ", which is a proxy's: name it in network.trusted_proxies and set network.client_address",
                );
            }
            (wait, Denied::new(ErrorCode::RateLimited, text))
        })
    }

    /// All clients behind a proxy on this host share its address.
    fn is_exempt(&self, address: IpAddr) -> bool {
        !self.limit_loopback && address.to_canonical().is_loopback()
    }

    /// Judges a request by its origin.
    ///
    /// # Errors
    /// `origin_not_allowed`.
    pub(crate) fn judge_origin(&self, head: &request::Parts) -> Result<Standing, Denied> {
        let over_tls = head.extensions.get::<Arrived>().is_some_and(|arrived| arrived.over_tls);
        let scheme = match over_tls {
            true => Some(Scheme::Https),
            false => peer_of(head).and_then(|peer| self.proxies.scheme(peer, &head.headers)),
        };
        self.origins().judge(&head.headers, &head.uri, scheme)
    }

    /// Whether `network.origins` names an origin, by itself or by its domain.
    pub(crate) fn names_origin(&self, origin: &HeaderValue) -> bool {
        self.origins().single_out(origin)
    }

    /// Judges a page that this server has served itself, for a server that believes who a client says it is. A name
    /// that led to the page's own site first, and to this host now, makes its page such a one (DNS rebinding): from this
    /// host only pages pass that have a name of this host, or an origin that is named.
    ///
    /// # Errors
    /// `origin_not_allowed`.
    pub(crate) fn judge_own_page(&self, head: &request::Parts) -> Result<(), Denied> {
        if !Self::is_sent_here_by_another_name(head) || self.origins().name(&head.headers) {
            return Ok(());
        }
        let text = "where users are believed without a token, pages have to be opened at localhost or a loopback \
            address, or their origin has to be added to network.origins";
        Err(Denied::new(ErrorCode::OriginNotAllowed, text))
    }

    /// Whether a request may come from another host, wherever the peer is. A user id that it names of its own is then
    /// not to be believed.
    pub(crate) fn may_come_from_elsewhere(&self, head: &request::Parts) -> bool {
        let proxied = head.extensions.get::<Arrived>().is_some_and(|arrived| arrived.proxied);
        let trusted = peer_of(head).is_some_and(|peer| self.proxies.trusts(peer));
        proxied || trusted || is_forwarded(&head.headers) || Self::is_sent_here_by_another_name(head)
    }

    /// Whether a peer on this host has sent a request to a name that is not this host's: one that was pointed here, or a
    /// proxy that passes on what it was sent.
    fn is_sent_here_by_another_name(head: &request::Parts) -> bool {
        peer_of(head).is_some_and(|peer| peer.to_canonical().is_loopback())
            && !origin::is_sent_to_loopback(&head.headers, &head.uri)
    }

    /// Forgets addresses that have not come for a while.
    pub(crate) fn sweep(&self) {
        self.accepts.sweep();
        self.handshakes.sweep();
    }
}

fn peer_of(head: &request::Parts) -> Option<IpAddr> {
    head.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

/// What is left of a deadline that began then.
pub(crate) fn remaining(deadline: Duration, since: Instant) -> Duration {
    deadline.saturating_sub(since.elapsed()).max(Duration::from_millis(1))
}

macro_rules! canned {
    ($status:literal, $more:literal, $code:literal, $text:literal) => {
        concat!(
            "HTTP/1.1 ",
            $status,
            "\r\ncontent-type: application/json\r\nconnection: close\r\n",
            $more,
            "\r\n{\"error\":{\"code\":\"",
            $code,
            "\",\"message\":\"",
            $text,
            "\"}}"
        )
    };
}

const TOO_OFTEN: &str = canned!(
    "429 Too Many Requests",
    "retry-after: 1\r\ncontent-length: 84\r\n",
    "rate_limited",
    "too many connections from this address"
);

const NO_PROXY_HEADER: &str = canned!(
    "400 Bad Request",
    "content-length: 118\r\n",
    "bad_handshake",
    "a PROXY header is expected from this address, by network.proxy_protocol"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canned_answers_have_the_length_they_say_and_codes_that_exist() {
        for (answer, code) in
            [(TOO_OFTEN, ErrorCode::RateLimited), (NO_PROXY_HEADER, ErrorCode::BadHandshake)]
        {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}: {}", body.len());
            assert!(head.starts_with(&format!("HTTP/1.1 {} ", code.http_status())));
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["error"]["code"], code.as_str());
        }
    }
}
