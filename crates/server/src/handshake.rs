//! From an HTTP request to a connection in a worker: the WebSocket handshake (RFC 6455, section 4), or an extended
//! CONNECT in its place (RFC 8441).
//!
//! - [`answer`]: what a request is answered with
//! - [`credentials`]: the token in a request
//! - [`farewell`]: a refusal that a browser shows to its page
//! - [`identity`]: who it comes from
//! - [`query`]: what the address says

mod answer;
mod credentials;
mod farewell;
mod identity;
mod query;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use fanfare_core::ports::authority::Authority as _;
use fanfare_core::ports::lane::Lane;
use fanfare_core::session::{Opening, Refused, Special};
use fanfare_core::shard::Settings;
use fanfare_protocol::dialect::excerpt;
use fanfare_protocol::names::NameError;
use fanfare_protocol::{ChannelName, ErrorCode};
use fanfare_wire::handshake::DeflateAgreement;
use http::header::{RETRY_AFTER, SEC_WEBSOCKET_EXTENSIONS};
use http::{HeaderValue, Request, Response, Version, request};
use hyper::upgrade::OnUpgrade;
use tokio::sync::oneshot;

use crate::admission::{Admission, Seat};
use crate::authority::ServerAuthority;
use crate::clock::unix_ms;
use crate::config::{AuthErrors, AuthMode};
use crate::connection::framed::Carrier;
use crate::connection::stream::Stream;
use crate::connection::{Arrival, Ask, SessionRequest};
use crate::dialects::{Dialects, Framing, Spoken};
use crate::handlers::Running;
use crate::inbox::AllInboxes;
use crate::listen::streams::Streams;
use crate::logging::loggable_target;
use crate::network::csrf::{CsrfRule, check_csrf};
use crate::network::origin::Standing as Page;
use crate::network::{self, Denied, Network};
use crate::sessions::{self, Passes, Resumption};
use crate::upgraded;
pub(crate) use answer::refused;
use answer::{agreed_on, check, refusal_of};
use credentials::{Credential, Roads};
use identity::{Claimed, Identified};
use query::Query;

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
    pub(crate) passes: Arc<Passes>,
    pub(crate) settings: Arc<Settings>,
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
    /// How a WebSocket whose token is not good hears of it, unless its client says otherwise.
    pub(crate) errors: AuthErrors,
    /// The largest token that the verifier takes.
    pub(crate) token_bytes_max: usize,
}

/// Who takes the stream when it speaks WebSocket.
struct Taker {
    subprotocol: Option<String>,
    deflate: Option<DeflateAgreement>,
    take: Box<dyn FnOnce(Stream, Vec<u8>) + Send>,
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

/// What the path names.
#[derive(Clone, Copy, Default)]
pub(crate) struct Named<'a> {
    /// The dialect.
    pub(crate) dialect: Option<&'a str>,
    /// The room, decoded.
    pub(crate) room: Option<&'a str>,
}

/// What a request asks for.
struct Asked {
    spoken: Spoken,
    /// The one room that it named, where its dialect knows but one.
    room: Option<ChannelName>,
    subprotocol: Option<String>,
}

/// Who may connect, and how they speak.
pub(crate) struct Admitted {
    pub(crate) spoken: Spoken,
    room: Option<ChannelName>,
    subprotocol: Option<String>,
    pub(crate) identified: Identified,
    pub(crate) seat: Seat,
    /// Why it is let in only to hear that it is not.
    refused: Option<Refused>,
}

impl Admitted {
    /// What the engine is told of the connection.
    pub(crate) fn opening(self, lane: Lane, address: Option<IpAddr>, resumable: bool) -> (Opening, Seat) {
        let special = Special { room: self.room, resumable, refused: self.refused };
        let special = (special != Special::default()).then(|| Box::new(special));
        let Identified { identity, must_authenticate, by_token } = self.identified;
        let opened_unix_ms = unix_ms();
        let opening =
            Opening { lane, identity, must_authenticate, by_token, special, address, opened_unix_ms };
        (opening, self.seat)
    }
}

impl Door {
    /// Answers a request for a WebSocket.
    pub(crate) async fn open(&self, mut request: Request<Body>, named: Named<'_>) -> Response<Body> {
        let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let streams = request.extensions_mut().remove::<Streams>();
        let (head, _) = request.into_parts();
        let address = self.network.client(&head);
        if let Err(response) = self.count(&head, address) {
            return *response;
        }
        let accepted = match check(&head).map_err(refusal_of) {
            Ok(accepted) => accepted,
            Err(refusal) => return self.refuse(&refusal, &head, address),
        };
        let taker = match self.taker(&head, &accepted.subprotocols, named, address).await {
            Ok(taker) => taker,
            Err(refusal) => return self.refuse(&refusal, &head, address),
        };
        let Some(on_upgrade) = on_upgrade else {
            return self.refuse(&ErrorCode::BadHandshake.into(), &head, address);
        };
        let close = self.close;
        let stay = streams.as_ref().map(Streams::stay);
        let Taker { subprotocol, deflate, take } = taker;
        tokio::spawn(async move {
            match upgraded::take(on_upgrade, close, stay).await {
                Ok((stream, early)) => take(stream, early),
                Err(error) => tracing::debug!(%error, "a connection ended within its handshake"),
            }
        });
        let mut response = agreed_on(accepted.accept_key.as_deref(), subprotocol.as_deref());
        if let Some(Ok(answer)) = deflate.map(|deflate| HeaderValue::from_str(&deflate.answer())) {
            response.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, answer);
        }
        response
    }

    /// Counts the request among those of its address; one too many is answered.
    pub(crate) fn count(
        &self,
        head: &request::Parts,
        address: Option<IpAddr>,
    ) -> Result<(), Box<Response<Body>>> {
        self.network
            .handshake(address, &head.headers)
            .map_err(|(wait, denied)| Box::new(self.refuse_for(&denied.into(), head, address, Some(wait))))
    }

    /// Who takes the stream once it speaks WebSocket: a session that is there, or a new connection.
    async fn taker(
        &self,
        head: &request::Parts,
        offered: &[String],
        named: Named<'_>,
        address: Option<IpAddr>,
    ) -> Result<Taker, Refusal> {
        let inboxes = self.inboxes.clone();
        let query = sessions::Query::parse(network::head::query(&head.uri)?);
        if let Some(resumption) = query.resumption(&head.headers, &self.passes)? {
            self.judge_page(head)?;
            let subprotocol = self.dialects.by_subprotocol(offered).map(|(_, subprotocol)| subprotocol);
            let Resumption { id, seen, .. } = self.find(resumption).await?;
            let take = move |stream, early| {
                let (carrier, prefix, head) = (Carrier::Frames, String::new(), Vec::new());
                inboxes.ask(SessionRequest {
                    id,
                    ask: Ask::Carry { seen, carrier, prefix, stream, early, head },
                });
            };
            return Ok(Taker { subprotocol, deflate: None, take: Box::new(take) });
        }
        let deflate = self.deflate(head)?;
        let (asked, query) = self.asked(head, offered, named)?;
        let admitted = self.admit_or_tell(head, offered, asked, query, address).await?;
        let subprotocol = admitted.subprotocol.clone();
        let framing = deflate.map_or(Framing::Frames, |deflate| Framing::Deflated(deflate.window_bits()));
        let lane = self.dialects.lane(admitted.spoken, framing);
        let (opening, seat) = admitted.opening(lane, address, false);
        let take = move |stream, early| {
            inboxes.place(Arrival {
                stream,
                early,
                deflates: deflate.is_some(),
                opening,
                seat,
                beginning: None,
            });
        };
        Ok(Taker { subprotocol, deflate, take: Box::new(take) })
    }

    /// What becomes of the client's offers to compress. Where none is taken, nobody looks at them.
    fn deflate(&self, head: &request::Parts) -> Result<Option<DeflateAgreement>, Refusal> {
        if !self.dialects.compress() {
            return Ok(None);
        }
        let values = head.headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().map(HeaderValue::as_bytes);
        DeflateAgreement::choose(values).map_err(|_| Refusal {
            code: ErrorCode::BadHandshake,
            text: "Sec-WebSocket-Extensions must be a list of extensions".to_owned(),
        })
    }

    /// Answers a request whose path cannot be decoded.
    pub(crate) fn refuse_path(&self, request: Request<Body>) -> Response<Body> {
        let (head, _) = request.into_parts();
        let text = "the path is not valid UTF-8 where it is percent-decoded".to_owned();
        let address = self.network.client(&head);
        self.refuse(&Refusal { code: ErrorCode::InvalidChannel, text }, &head, address)
    }

    /// Refuses, counts it and says so.
    pub(crate) fn refuse(
        &self,
        refusal: &Refusal,
        head: &request::Parts,
        address: Option<IpAddr>,
    ) -> Response<Body> {
        self.refuse_for(refusal, head, address, None)
    }

    /// The same, where it is known for how long.
    pub(crate) fn refuse_for(
        &self,
        refusal: &Refusal,
        head: &request::Parts,
        address: Option<IpAddr>,
        wait: Option<Duration>,
    ) -> Response<Body> {
        self.note_refusal(refusal.code, head, address);
        let mut response = refused(refusal);
        if let Some(wait) = wait {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        if refusal.code == ErrorCode::MethodNotAllowed && head.version >= Version::HTTP_2 {
            response.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("CONNECT"));
        }
        response
    }

    /// Counts a refusal, and writes it down.
    pub(crate) fn note_refusal(&self, code: ErrorCode, head: &request::Parts, address: Option<IpAddr>) {
        self.admission.refused(code);
        tracing::debug!(
            code = code.as_str(),
            address = address.map(tracing::field::display),
            request = loggable_target(&head.uri.to_string()),
            "a handshake was refused"
        );
    }

    /// Whether the page that the request comes from may connect.
    pub(crate) fn judge_page(&self, head: &request::Parts) -> Result<(), Refusal> {
        let page = self.network.judge_origin(head)?;
        if page == Page::NoPage && is_from_another_site(head) {
            let text =
                "a page of another site asks without saying so: its requests need an Origin".to_owned();
            return Err(Refusal { code: ErrorCode::OriginNotAllowed, text });
        }
        if self.auth.mode == AuthMode::Open && page == Page::Same {
            self.network.judge_own_page(head)?;
        }
        Ok(())
    }

    /// Whether the client may connect, whatever the transport.
    pub(crate) async fn admit(
        &self,
        head: &request::Parts,
        offered: &[String],
        named: Named<'_>,
        address: Option<IpAddr>,
    ) -> Result<Admitted, Refusal> {
        let (asked, query) = self.asked(head, offered, named)?;
        self.admit_asked(head, offered, &asked, query, address).await
    }

    /// What a page that may connect asks for.
    fn asked(
        &self,
        head: &request::Parts,
        offered: &[String],
        named: Named<'_>,
    ) -> Result<(Asked, Query), Refusal> {
        if self.network.drain.has_begun() {
            return Err(ErrorCode::Draining.into());
        }
        self.judge_page(head)?;
        let query = Query::parse(network::head::query(&head.uri)?);
        let dialect = named.dialect.or(query.dialect.as_deref());
        let (spoken, subprotocol) = self.dialect(offered, dialect)?;
        let room = self.room(spoken, named.room.or(query.room.as_deref()))?;
        Ok((Asked { spoken, room, subprotocol }, query))
    }

    async fn admit_asked(
        &self,
        head: &request::Parts,
        offered: &[String],
        asked: &Asked,
        query: Query,
        address: Option<IpAddr>,
    ) -> Result<Admitted, Refusal> {
        // Before anything is verified: a full node has no work with those for whom there is no seat.
        let seat = self.admission.seat(address)?;
        let claimed = Claimed {
            token: self.credential(head, &query.tokens, offered)?.map(|found| found.token),
            user: query.user,
            room: asked.room.clone(),
            from_elsewhere: self.network.may_come_from_elsewhere(head),
        };
        let identified = self.identify(head, claimed, address).await?;
        let Asked { spoken, room, subprotocol } = asked;
        let (room, subprotocol) = (room.clone(), subprotocol.clone());
        Ok(Admitted { spoken: *spoken, room, subprotocol, identified, seat, refused: None })
    }

    /// The room of a connection whose dialect knows but one; the path decides, then the query. Others name their rooms
    /// in their messages, whatever stands there.
    fn room(&self, spoken: Spoken, named: Option<&str>) -> Result<Option<ChannelName>, Refusal> {
        let habits = self.dialects.habits(spoken);
        if !habits.one_room {
            return Ok(None);
        }
        let Some(name) = named.or(habits.common_room) else {
            let dialect = self.dialects.name(spoken);
            let text = format!(
                "a connection in the dialect \"{dialect}\" is in one room: name it with \"?room=ROOM\", or with \
                \"/ws/{dialect}/ROOM\""
            );
            return Err(Refusal { code: ErrorCode::MissingField, text });
        };
        let invalid = |error: NameError| Refusal {
            code: ErrorCode::InvalidChannel,
            text: format!("\"room\" is not a valid name: {error}"),
        };
        ChannelName::new(name).map(Some).map_err(invalid)
    }

    /// Asks the worker of a session whether it can be gone on with.
    pub(crate) async fn find(&self, resumption: Resumption) -> Result<Resumption, Refusal> {
        let (reply, found) = oneshot::channel();
        let ask = Ask::Find { seen: resumption.seen, reply };
        self.inboxes.ask(SessionRequest { id: resumption.id, ask });
        match found.await {
            Ok(true) => Ok(resumption),
            Ok(false) => {
                let text = format!(
                    "the session does not have what comes after entry {}: say how many you have had (seen), or begin a \
                     new one and recover",
                    resumption.seen
                );
                Err(Refusal { code: ErrorCode::SessionLost, text })
            }
            Err(_) => Err(ErrorCode::SessionLost.into()),
        }
    }

    /// The subprotocol decides, then the path or query, then the default. A path or query that decides agrees to whatever
    /// subprotocol the client offers, since a browser fails a connection that is answered with none.
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
            Some(name) => {
                let spoken = self.dialects.by_name(name).ok_or_else(|| unknown(name))?;
                Ok((spoken, credentials::foreign_subprotocol(offered).map(str::to_owned)))
            }
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
        let AuthRules { cookie, token_bytes_max, .. } = &self.auth;
        let (headers, cookie, token_bytes_max) = (&head.headers, cookie.as_deref(), *token_bytes_max);
        let roads = Roads { query, headers, offered, cookie, token_bytes_max };
        let found = roads.credential()?;
        if let Some(credential) = found.as_ref().filter(|credential| credential.by_cookie_alone) {
            check_csrf(&self.auth.csrf, head, offered, credential.token.expose())?;
        }
        Ok(found)
    }
}

/// Whether a browser says that the request comes from a page of another site, although it names no origin: an image's
/// or a link's does not (Fetch Metadata Request Headers, section 2.3).
fn is_from_another_site(head: &request::Parts) -> bool {
    let site = head.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| !matches!(site, b"same-origin" | b"none"))
}
