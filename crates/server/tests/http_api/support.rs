//! A real node on a real port, an HTTP client and WebSocket clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fanfare_core::namespace::{Namespace, Namespaces};
use fanfare_server::http_api::{self, ApiState, MetricsPage};
use fanfare_server::secrets::{KeyRing, Secret};
use fanfare_server::{Fanfare, Node, listen};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) const KEY: &str = "a-key-for-tests-only";
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;

/// Nothing here takes longer; a test that would wait for ever fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running server. Its node ends with the process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) ready: Arc<AtomicBool>,
    client: reqwest::Client,
    pub(crate) node: Node,
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

/// Starts a server with a few namespaces.
pub(crate) async fn start() -> Server {
    start_with(Namespaces::new(Namespace::default(), false)).await
}

/// Starts a server with these namespaces and a bare one.
pub(crate) async fn start_with(namespaces: Namespaces) -> Server {
    serve(namespaces, &[]).await
}

/// Starts a server that lets pages of these origins ask.
pub(crate) async fn start_from(origins: &[&str]) -> Server {
    serve(Namespaces::new(Namespace::default(), false), origins).await
}

async fn serve(namespaces: Namespaces, origins: &[&str]) -> Server {
    let bare = Namespace { history_size: 0, presence: false, patterns: false, ..Namespace::default() };
    let builder = Fanfare::builder().open_user_ids(true).shards(2).origins(origins);
    let node = builder.namespaces(namespaces).namespace("bare", bare).start().unwrap();
    let ready = Arc::new(AtomicBool::new(true));
    let is_ready = ready.clone();
    let state = ApiState {
        fanfare: node.fanfare().clone(),
        keys: KeyRing::new(vec![Secret::new("another-key"), Secret::new(KEY)]),
        message_bytes_max: MESSAGE_BYTES_MAX,
        history_page_max: 1000,
        body_deadline: Duration::from_secs(30),
        metrics: MetricsPage::Keyed,
        is_ready: Arc::new(move || is_ready.load(Ordering::Relaxed)),
        network: node.network(),
    };
    let router = http_api::router(state).merge(node.router());
    let listener = listen::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listen::serve(listener, router, Duration::from_secs(5), Some(node.network())));
    Server { address, ready, client: reqwest::Client::new(), node }
}

impl Server {
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn finish(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.timeout(PATIENCE).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    /// Posts a body as it is, with the key.
    pub(crate) async fn post_raw(&self, operation: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, &format!("/api/{operation}")).header("x-api-key", KEY);
        self.finish(request.header("content-type", "application/json").body(body)).await
    }

    pub(crate) async fn post(&self, operation: &str, body: &Value) -> Answer {
        self.post_raw(operation, body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.finish(self.request(Method::GET, path).bearer_auth(KEY)).await
    }

    /// Posts what has to succeed.
    pub(crate) async fn done(&self, operation: &str, body: Value) -> Value {
        let answer = self.post(operation, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{operation} {body}: {}", answer.text);
        answer.json()
    }

    /// Connects a WebSocket client.
    pub(crate) async fn connect(&self, user: &str) -> Client {
        let url = format!("ws://{}/ws?user={user}", self.address);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Client(socket)
    }

    /// Connects a WebSocket client at a path, in whatever dialect that says.
    pub(crate) async fn connect_at(&self, path: &str) -> Client {
        let (socket, _) =
            tokio_tungstenite::connect_async(format!("ws://{}{path}", self.address)).await.unwrap();
        Client(socket)
    }

    /// Connects a client that is subscribed to a channel.
    pub(crate) async fn member(&self, user: &str, channel: &str) -> Client {
        let mut client = self.connect(user).await;
        client.say(&json!({"type": "subscribe", "id": 1, "channel": channel})).await;
        client.hear("subscribed").await;
        client
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no error: {}", self.text)).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A WebSocket client that speaks the native dialect.
pub(crate) struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub(crate) async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
        next.expect("nothing came").expect("the connection ended").unwrap()
    }

    /// The next message whose bytes have such a part.
    pub(crate) async fn bytes_with(&mut self, part: &str) -> Vec<u8> {
        loop {
            let bytes = self.next().await.into_data();
            if bytes.windows(part.len()).any(|window| window == part.as_bytes()) {
                return bytes.to_vec();
            }
        }
    }

    /// The next text message, as it came.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// The next message, which has to be of this type.
    pub(crate) async fn hear(&mut self, kind: &str) -> Value {
        let text = self.text().await;
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["type"], kind, "{text}");
        message
    }

    /// The code that the server closes with.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await {
                Message::Close(Some(frame)) => return frame.code.into(),
                Message::Close(None) => panic!("a close without a code"),
                _ => {}
            }
        }
    }

    /// Asks for a pong and gets it next: nothing else was on its way.
    pub(crate) async fn hears_nothing(&mut self) {
        self.say(&json!({"type": "ping"})).await;
        self.hear("pong").await;
    }
}
