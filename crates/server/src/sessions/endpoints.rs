//! The HTTP requests of clients: what begins and ends a session, what carries it down, and what carries it up.

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use fanfare_protocol::ErrorCode;
use fanfare_protocol::command::SubscribeOptions;
use fanfare_wire::sse;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode, request};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;

use super::handover::Handover;
use super::reconnection::{self, RETRY_MS};
use super::request::{Listened, Query, Resumption};
use crate::config::AuthMode;
use crate::connection::framed::{Carrier, Framed, Place, Polled};
use crate::connection::posted::{Posted, PostedKind};
use crate::connection::stream::Stream;
use crate::connection::{Arrival, Ask, Beginning, SessionRequest};
use crate::dialects::Framing;
use crate::handshake::{Admitted, Door, Named, Refusal, refused};
use crate::listen::streams::Streams;
use crate::network::cors::{self, Credentials};
use crate::network::holdings::Held;
use crate::network::{self, Denied};

/// Some proxies and browsers show nothing of a response before this much of it has come.
const PADDING_BYTES: usize = 2048;

/// The transports that are one response without an end.
#[derive(Clone, Copy)]
enum Streaming {
    Events,
    Lines,
}

impl Streaming {
    fn carrier(self) -> Carrier {
        match self {
            Self::Events => Carrier::Events,
            Self::Lines => Carrier::Lines,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        })
    }

    /// What comes before anything else.
    fn begin(self, head: &mut Vec<u8>) {
        match self {
            Self::Events => {
                sse::encode_padding(head, PADDING_BYTES);
                sse::encode_retry(head, RETRY_MS);
            }
            Self::Lines => {
                head.resize(head.len() + PADDING_BYTES, b' ');
                head.push(b'\n');
            }
        }
    }

    /// A response that nothing on the way keeps or holds back, and that a worker writes.
    fn response(self, door: &Door, place: impl FnOnce(Stream, Vec<u8>) + Send + 'static) -> Response {
        let deadlines = &door.settings.deadlines;
        let silence = Duration::from_millis(u64::from(deadlines.write_ms.max(deadlines.pong_ms)));
        let mut response = Handover::response(move |stream, mut head| {
            stream.bound_silence(silence);
            self.begin(&mut head);
            place(stream, head);
        });
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
        // nginx and those that do as it does.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        headers
            .insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        response
    }
}

/// `/session`, `/sse`, `/stream`, `/poll` and `/send`, for pages of the allowed origins.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(door: Door) -> Router<S> {
    let network = door.network.clone();
    let streaming = |streaming| move |State(door): State<Door>, request| stream(door, request, streaming);
    let router = Router::new()
        .route("/session", post(begin).delete(end))
        .route("/sse", get(streaming(Streaming::Events)))
        .route("/stream", get(streaming(Streaming::Lines)))
        .route("/poll", get(poll).post(send))
        .route("/send", post(send))
        .method_not_allowed_fallback(async || {
            let mut response = refused(&ErrorCode::MethodNotAllowed.into());
            // The router knows better which methods there are.
            response.headers_mut().remove(ALLOW);
            response
        })
        .with_state(door);
    let refuse = |denied: &Denied| refused(&Refusal { code: denied.code(), text: denied.text().to_owned() });
    cors::layer(router, network, Credentials::Allowed, refuse)
}

/// Begins a session that nothing carries yet.
async fn begin(State(door): State<Door>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let address = door.network.client(&head);
    if let Err(response) = door.count(&head, address) {
        return *response;
    }
    let admitted = match door.admit(&head, &[], Named::default(), address).await {
        Ok(admitted) => admitted,
        Err(refusal) => return door.refuse(&refusal, &head, address),
    };
    let (told, id) = oneshot::channel();
    let begun = Begun { told: Some(told), ..Begun::default() };
    begun.place(&door, admitted, address, Carrier::Nothing, Stream::Gone, Vec::new());
    let Ok(id) = id.await else { return door.refuse(&ErrorCode::Unavailable.into(), &head, address) };
    let told = serde_json::json!({
        "session": door.passes.pass(id),
        "resume_ms": door.settings.deadlines.resume_ms,
    });
    json(StatusCode::CREATED, told.to_string().into())
}

/// Ends a session that the client is done with.
async fn end(State(door): State<Door>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let ended = async {
        let Resumption { id, .. } = named(&door, &head)?;
        let (reply, ended) = oneshot::channel();
        door.inboxes.ask(SessionRequest { id, ask: Ask::End { reply } });
        ended.await.map_err(|_| Refusal::from(ErrorCode::SessionLost))
    };
    match ended.await {
        Ok(()) => json(StatusCode::OK, "{}".into()),
        Err(refusal) => door.refuse(&refusal, &head, door.network.client(&head)),
    }
}

/// What else a new connection begins with.
#[derive(Default)]
struct Begun {
    tells_session: bool,
    told: Option<oneshot::Sender<fanfare_protocol::ConnectionId>>,
    /// Channels that it listens to without a session.
    channels: Option<Vec<Listened>>,
    history: u32,
}

impl Begun {
    /// Gives a new connection to a worker. `head` is written before anything else.
    fn place(
        self,
        door: &Door,
        admitted: Admitted,
        address: Option<IpAddr>,
        carrier: Carrier,
        stream: Stream,
        head: Vec<u8>,
    ) {
        let Self { tells_session, told, channels, history } = self;
        let lane = door.dialects.lane(admitted.spoken, Framing::Bare);
        let opaque = door.dialects.of(lane).is_some_and(|named| named.dialect.habits().opaque);
        let (opening, seat) = admitted.opening(lane, address, channels.is_none());
        let wanted = channels.clone().unwrap_or_default().into_iter();
        // What is missed comes in place of history, which follows where it cannot.
        let wanted = wanted.map(|(channel, recover)| {
            (channel, SubscribeOptions { recover, history, ..SubscribeOptions::default() })
        });
        let place = match channels {
            Some(channels) => Place::Positions { places: channels.into(), settled: false },
            None => Place::Counted { prefix: String::new() },
        };
        let mut framed = Framed::new(carrier, place, opaque);
        framed.tail = head;
        let beginning = Beginning { framed, tells_session, told, channels: wanted.collect() };
        let beginning = Some(Box::new(beginning));
        let (early, deflates) = (Vec::new(), false);
        door.inboxes.place(Arrival { stream, early, deflates, opening, seat, beginning });
    }
}

/// A response without an end: of a session that goes on, of a new one, or of some channels.
async fn stream(door: Door, request: Request, streaming: Streaming) -> Response {
    let (head, _) = request.into_parts();
    let address = door.network.client(&head);
    let refuse = |refusal: &Refusal, wait| match streaming {
        Streaming::Events if reconnection::passes(refusal.code) => {
            door.note_refusal(refusal.code, &head, address);
            let retry_ms = match refusal.code {
                ErrorCode::Draining => door.network.drain.wait_ms().unwrap_or(RETRY_MS),
                _ => reconnection::retry_ms(wait),
            };
            reconnection::later(refusal.code, retry_ms)
        }
        Streaming::Events | Streaming::Lines => door.refuse_for(refusal, &head, address, wait),
    };
    if let Err((wait, denied)) = door.network.handshake(address, &head.headers) {
        return refuse(&denied.into(), Some(wait));
    }
    match begin_stream(&door, &head, address, streaming).await {
        Ok(response) => response,
        Err(refusal) => refuse(&refusal, None),
    }
}

async fn begin_stream(
    door: &Door,
    head: &request::Parts,
    address: Option<IpAddr>,
    streaming: Streaming,
) -> Result<Response, Refusal> {
    let query = Query::parse(network::head::query(&head.uri)?);
    if let Some(resumption) = resumable(door, head, &query).await? {
        door.judge_page(head)?;
        let inboxes = door.inboxes.clone();
        let Resumption { id, seen, prefix } = resumption;
        return Ok(streaming.response(door, move |stream, head| {
            let (carrier, early) = (streaming.carrier(), Vec::new());
            inboxes
                .ask(SessionRequest { id, ask: Ask::Carry { seen, carrier, prefix, stream, early, head } });
        }));
    }
    // What a page gets from its own site has no origin in it, so that its name has to do.
    if door.auth.mode == AuthMode::Open {
        door.network.judge_own_page(head)?;
    }
    let limits = &door.settings.limits;
    // All are asked for at once, and none could be asked for again.
    let most = limits.subscriptions_per_connection_max.min(limits.requests_in_flight_max as usize);
    let channels = query.channels(&head.headers, most)?;
    let history = query.history()?;
    let admitted = door.admit(head, &[], Named::default(), address).await?;
    if channels.is_some() && admitted.identified.must_authenticate {
        // It has no way to say it later.
        return Err(ErrorCode::AuthenticationRequired.into());
    }
    if channels.is_some() && door.dialects.habits(admitted.spoken).one_room {
        let text = "this dialect knows one room only: name it with room= and without channels".to_owned();
        return Err(Refusal { code: ErrorCode::InvalidField, text });
    }
    let begun = Begun { tells_session: channels.is_none(), told: None, channels, history };
    let owned = door.clone();
    Ok(streaming.response(door, move |stream, head| {
        begun.place(&owned, admitted, address, streaming.carrier(), stream, head);
    }))
}

/// The session to go on with, if there is one.
async fn resumable(door: &Door, head: &request::Parts, query: &Query) -> Result<Option<Resumption>, Refusal> {
    let found = match query.resumption(&head.headers, &door.passes) {
        Ok(None) => return Ok(None),
        Ok(Some(resumption)) => door.find(resumption).await.map(Some),
        Err(refusal) => Err(refusal),
    };
    match found {
        // Its address names no session: an EventSource that is refused once never comes back, so it gets another one.
        Err(refusal) if refusal.code == ErrorCode::SessionLost && !query.names_session(&head.headers) => {
            Ok(None)
        }
        found => found,
    }
}

/// The session that a request has to name.
fn named(door: &Door, head: &request::Parts) -> Result<Resumption, Refusal> {
    door.judge_page(head)?;
    let query = Query::parse(network::head::query(&head.uri)?);
    let missing = || Refusal {
        code: ErrorCode::MissingField,
        text: "name the session: ?session=… or the header Fanfare-Session; POST /session begins one"
            .to_owned(),
    };
    query.resumption(&head.headers, &door.passes)?.ok_or_else(missing)
}

/// What there is for the session. A client that says how many entries it has had waits for something unless it says
/// otherwise, for as long as between two heartbeats; any other is answered at once unless it says otherwise, with an
/// array.
async fn poll(State(door): State<Door>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let answered = async {
        let Resumption { id, seen, .. } = named(&door, &head)?;
        let query = Query::parse(network::head::query(&head.uri)?);
        let counts = query.counts(&head.headers);
        let most = Duration::from_millis(u64::from(door.settings.deadlines.ping_interval_ms));
        let wait = query.wait(most)?.unwrap_or(if counts { most } else { Duration::ZERO });
        let (reply, polled) = oneshot::channel();
        let ask = Ask::Poll { seen: counts.then_some(seen), at_once: wait.is_zero(), reply };
        door.inboxes.ask(SessionRequest { id, ask });
        // Who is answered at once has that long to get the answer from the worker.
        let wait = if wait.is_zero() { most } else { wait };
        let polled = match tokio::time::timeout(wait, polled).await {
            Ok(Ok(Ok(polled))) => Ok(polled),
            Ok(Ok(Err(code))) => {
                let text = "another request carries the session now".to_owned();
                Err(Refusal { code, text })
            }
            Ok(Err(_)) => Err(ErrorCode::SessionLost.into()),
            Err(_) => Ok(Polled { seen, ..Polled::default() }),
        };
        polled.and_then(|polled| if counts { Ok(answer(polled)) } else { array(polled) })
    };
    match answered.await {
        Ok(body) => json(StatusCode::OK, body.into()),
        Err(refusal) => door.refuse(&refusal, &head, door.network.client(&head)),
    }
}

/// The messages alone; behind the last of them there is no session.
fn array(polled: Polled) -> Result<Vec<u8>, Refusal> {
    match polled.closed {
        Some(closed) if polled.messages.is_empty() => {
            let text = format!("the session has ended: {} {}", closed.code, closed.reason);
            Err(Refusal { code: ErrorCode::SessionLost, text })
        }
        _ => Ok([b"[", &polled.messages[..], b"]"].concat()),
    }
}

fn answer(polled: Polled) -> Vec<u8> {
    let mut out = format!("{{\"seen\":{},\"messages\":[", polled.seen).into_bytes();
    out.extend_from_slice(&polled.messages);
    out.push(b']');
    if let Some(closed) = polled.closed {
        out.extend_from_slice(format!(",\"closed\":{}", closed.to_json()).as_bytes());
    }
    out.push(b'}');
    out
}

/// Takes a client's messages. What they are answered with comes over whatever carries the session down.
async fn send(State(door): State<Door>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let sent = async {
        let Resumption { id, .. } = named(&door, &head)?;
        let query = Query::parse(network::head::query(&head.uri)?);
        let (batch, seen) = (query.batch()?, query.seen()?);
        let messages = messages(&door, &head, body).await?;
        let count = messages.count();
        let (reply, taken) = oneshot::channel();
        door.inboxes.ask(SessionRequest { id, ask: Ask::Post { batch, seen, messages, reply } });
        match taken.await {
            Ok(Ok(is_new)) => Ok((is_new, count)),
            Ok(Err(code)) => Err(code.into()),
            Err(_) => Err(Refusal::from(ErrorCode::SessionLost)),
        }
    };
    match sent.await {
        Ok((true, count)) => json(StatusCode::ACCEPTED, format!("{{\"taken\":{count}}}").into()),
        Ok((false, _)) => json(StatusCode::OK, "{\"taken\":0,\"duplicate\":true}".into()),
        Err(refusal) => door.refuse(&refusal, &head, door.network.client(&head)),
    }
}

/// A body, as far as there is room for it.
async fn gather(mut body: Body, bytes_max: usize, held: &mut Held) -> Result<Bytes, Refusal> {
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let text = "the body did not come whole".to_owned();
            Refusal { code: ErrorCode::InvalidRequest, text }
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if gathered.len() + data.len() > bytes_max {
            return Err(ErrorCode::MessageTooLarge.into());
        }
        if !held.grow(data.len()) {
            return Err(ErrorCode::TooManyRequestsInFlight.into());
        }
        gathered.extend_from_slice(&data);
    }
    Ok(gathered.freeze())
}

/// The messages in a body: one on each line, or one.
async fn messages(door: &Door, head: &request::Parts, body: Body) -> Result<Posted, Refusal> {
    network::head::judge_encoding(&head.headers)?;
    let bytes_max = door.settings.limits.message_bytes_max;
    let deadline = Duration::from_millis(u64::from(door.settings.deadlines.unfinished_message_ms));
    let connection = head.extensions.get::<Streams>().map(Streams::held);
    let mut held = door.network.hold(door.network.client(head), connection);
    let gathered = tokio::time::timeout(deadline, gather(body, bytes_max, &mut held)).await;
    let body = gathered.unwrap_or_else(|_| Err(ErrorCode::HandshakeTimeout.into()))?;
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence == "application/octet-stream" {
        return Ok(Posted::new(PostedKind::Binary, body));
    }
    if std::str::from_utf8(&body).is_err() {
        let text = "the body is not UTF-8: send bytes as application/octet-stream".to_owned();
        return Err(Refusal { code: ErrorCode::InvalidMessage, text });
    }
    let kind = if essence == "application/x-ndjson" { PostedKind::Lines } else { PostedKind::Text };
    Ok(Posted::new(kind, body))
}

fn json(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
