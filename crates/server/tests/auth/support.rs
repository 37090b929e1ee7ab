//! A node that takes tokens, tokens, and clients that bring them by any road.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_auth::{IssuerSettings, KeySettings, TokenRules, Verifier};
use fanfare_core::limits::RateLimits;
use fanfare_server::config::AuthMode;
use fanfare_server::network::csrf::CsrfRule;
use fanfare_server::{Builder, Fanfare, Node, listen};
use futures_util::{SinkExt as _, StreamExt as _};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Nothing here takes longer; a test that would wait for ever fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const SECRET: [u8; 32] = *b"thirty-two bytes, for tests only";

/// The cookie that may hold a token.
pub(crate) const COOKIE: &str = "session";

/// What has to come along with it, in a cookie of its own and as a header.
const CSRF_COOKIE: &str = "csrf";
const CSRF: &str = "sixteen-bytes-of-it";

/// Waits for something, or says in vain for what.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, future).await.map_err(|_| format!("waited in vain for {what}"))
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token with these claims, good for ten minutes unless they say more.
pub(crate) fn token(claims: Value) -> String {
    signed(&SECRET, claims)
}

pub(crate) fn signed(secret: &[u8], claims: Value) -> String {
    let Value::Object(mut all) = claims else { panic!("claims are an object") };
    all.entry("exp").or_insert(json!(now() + 600));
    jsonwebtoken::encode(&Header::default(), &all, &EncodingKey::from_secret(secret)).unwrap()
}

pub(crate) fn verifier() -> Verifier {
    let issuer = IssuerSettings {
        name: "tests".to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: Vec::new(),
        keys: KeySettings::Secret(SECRET.to_vec()),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    };
    Verifier::new(vec![issuer], TokenRules::default()).unwrap()
}

pub(crate) fn builder(mode: AuthMode) -> Builder {
    let builder = Fanfare::builder().shards(2).rate_limits(RateLimits::off());
    builder
        .authentication(mode, verifier())
        .auth_cookie(COOKIE, CsrfRule::DoubleSubmit(CSRF_COOKIE.to_owned()))
}

/// A node that is being served.
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start(mode: AuthMode) -> Self {
        Self::start_with(builder(mode)).await
    }

    pub(crate) async fn start_with(builder: Builder) -> Self {
        let node = builder.start().unwrap();
        let listener = listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(listen::serve(listener, node.router(), Duration::from_secs(5), None));
        Self { node, address }
    }

    /// Shakes hands.
    pub(crate) async fn open(&self, handshake: Handshake<'_>) -> Result<Client, Refusal> {
        open(self.address, handshake).await
    }

    /// Comes with a token, and waits until it is known what came of it.
    pub(crate) async fn attempt(&self, road: Road, token: &str) -> Result<Client, Refusal> {
        attempt(self.address, road, token).await
    }

    /// Comes with a token that has to be accepted.
    pub(crate) async fn enter(&self, claims: Value) -> Client {
        let attempt = self.attempt(Road::Header, &token(claims)).await;
        attempt.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// Waits until so many clients are connected.
    pub(crate) async fn until_connections(&self, count: u32) {
        let reached = async {
            while self.node.connections() != count {
                tokio::task::yield_now().await;
            }
        };
        within("the connections to be counted", reached).await.unwrap();
    }
}

/// How a token travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    Query,
    Header,
    Cookie,
    Subprotocol,
    FirstMessage,
}

impl Road {
    pub(crate) const ALL: [Road; 5] =
        [Road::Query, Road::Header, Road::Cookie, Road::Subprotocol, Road::FirstMessage];
}

/// What a client sends to open a connection.
#[derive(Default)]
pub(crate) struct Handshake<'a> {
    /// Behind `/ws?`.
    pub(crate) query: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

/// A handshake that was refused, or a connection that was closed because of its token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status, or the close code.
    pub(crate) number: u16,
    pub(crate) code: String,
    pub(crate) text: String,
    /// The head of the answer, if it was one.
    pub(crate) head: String,
}

pub(crate) async fn attempt(address: SocketAddr, road: Road, token: &str) -> Result<Client, Refusal> {
    let (query, bearer) = (format!("token={token}"), format!("Bearer {token}"));
    let cookie = format!("{COOKIE}={token}; {CSRF_COOKIE}={CSRF}");
    let (origin, protocols) = (format!("http://{address}"), format!("fanfare.native, auth.{token}"));
    let header = |header| Handshake { query: "", headers: header };
    let mut client = match road {
        Road::Query => open(address, Handshake { query: &query, headers: &[] }).await?,
        Road::Header => open(address, header(&[("Authorization", &bearer)])).await?,
        Road::Cookie => {
            open(address, header(&[("Cookie", &cookie), ("Origin", &origin), ("X-CSRF-Token", CSRF)])).await?
        }
        Road::Subprotocol => open(address, header(&[("Sec-WebSocket-Protocol", &protocols)])).await?,
        Road::FirstMessage => {
            let mut client = open(address, Handshake::default()).await?;
            client.say(json!({"type": "auth", "token": token})).await;
            client
        }
    };
    client.accepted().await?;
    Ok(client)
}

/// Shakes hands byte by byte, so that nothing is hidden of the answer; from the 101 on, a library takes over.
pub(crate) async fn open(address: SocketAddr, handshake: Handshake<'_>) -> Result<Client, Refusal> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!(
        "GET /ws?{} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        handshake.query
    );
    for (name, value) in handshake.headers {
        request += &format!("{name}: {value}\r\n");
    }
    stream.write_all((request + "\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("an answer", stream.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let number = head.split(' ').nth(1).unwrap().parse().unwrap();
    if number == 101 {
        return Ok(Client {
            socket: WebSocketStream::from_raw_socket(stream, Role::Client, None).await,
            head,
        });
    }
    let mut body = String::new();
    within("the whole answer", stream.read_to_string(&mut body)).await.unwrap().unwrap();
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {head}{body}"));
    let text = |name: &str| body["error"][name].as_str().unwrap().to_owned();
    Err(Refusal { number, code: text("code"), text: text("message"), head })
}

/// A connected client.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// The head of the answer that opened it.
    pub(crate) head: String,
}

impl Client {
    pub(crate) async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        loop {
            match within("a message", self.socket.next()).await.unwrap().expect("the stream ended").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    /// The next event.
    pub(crate) async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("no event but {other:?}"),
        }
    }

    /// Asks, and gives the next event, which has to be of this type.
    pub(crate) async fn ask(&mut self, message: Value, kind: &str) -> Value {
        self.say(message).await;
        let event = self.hear().await;
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Whose connection it is; none while anonymous.
    pub(crate) async fn user(&mut self) -> Option<String> {
        let connected = self.ask(json!({"type": "connect"}), "connected").await;
        connected["user_id"].as_str().map(str::to_owned)
    }

    /// All that is said until the close frame, and its code.
    pub(crate) async fn heard_out(&mut self) -> (Vec<Value>, u16) {
        let mut heard = Vec::new();
        loop {
            match self.next().await {
                Message::Text(text) => heard.push(serde_json::from_str(&text).unwrap()),
                Message::Close(Some(frame)) => return (heard, frame.code.into()),
                other => panic!("no text and no close frame but {other:?}"),
            }
        }
    }

    /// The bare stream: nobody answers for the client from now on.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.socket.into_inner()
    }

    /// The error and the close frame that follow next.
    pub(crate) async fn expelled(&mut self) -> Refusal {
        let error = self.hear().await;
        self.closed_behind(&error).await
    }

    async fn closed_behind(&mut self, error: &Value) -> Refusal {
        assert_eq!(error["type"], "error", "{error}");
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        let disconnect = self.hear().await;
        assert_eq!(disconnect["type"], "disconnect", "{disconnect} behind {error}");
        match self.next().await {
            Message::Close(Some(frame)) => Refusal {
                number: frame.code.into(),
                code: text("code"),
                text: text("error"),
                head: String::new(),
            },
            other => panic!("no close frame but {other:?} behind {error}"),
        }
    }

    /// Authenticates with a message, the first one.
    pub(crate) async fn authenticate(&mut self, token: &str) -> Result<Value, Refusal> {
        self.say(json!({"type": "auth", "token": token})).await;
        self.accepted().await
    }

    /// What says that the token was accepted, which comes before anything else.
    pub(crate) async fn accepted(&mut self) -> Result<Value, Refusal> {
        let answer = self.hear().await;
        match answer["type"].as_str() {
            Some("authenticated") => Ok(answer),
            _ => Err(self.closed_behind(&answer).await),
        }
    }
}
