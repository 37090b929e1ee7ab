//! A server that does what a test tells it: it speaks through a foreign WebSocket library.

#![allow(dead_code, reason = "each test binary uses its own part")]

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use fanfare_client::{Backoff, Client, Options};
use std::time::Duration;

/// Accepts connections, one when asked.
pub(crate) struct Server {
    listener: TcpListener,
}

/// The server's end of one connection.
pub(crate) struct Session(WebSocketStream<TcpStream>);

impl Server {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.listener.local_addr().unwrap())
    }

    /// The next connection, before it has said anything.
    pub(crate) async fn socket(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// The next connection, upgraded.
    pub(crate) async fn session(&self) -> Session {
        Session(tokio_tungstenite::accept_async(self.socket().await).await.unwrap())
    }

    /// The next connection, upgraded, and what it gave for authorisation.
    pub(crate) async fn authorised_session(&self) -> (Option<String>, Session) {
        let mut given = None;
        #[expect(clippy::result_large_err, reason = "the signature is the library's")]
        let look = |request: &Request, response| {
            let header = request.headers().get("Authorization");
            given = header.map(|value| value.to_str().unwrap().to_owned());
            Ok(response)
        };
        let stream = tokio_tungstenite::accept_hdr_async(self.socket().await, look).await.unwrap();
        (given, Session(stream))
    }

    /// A client of this server that does not wait long for anything, and the server's end.
    pub(crate) async fn connect(&self) -> (Client, Session) {
        self.connect_with(options()).await
    }

    pub(crate) async fn connect_with(&self, options: Options) -> (Client, Session) {
        let url = self.url();
        let (client, session) = tokio::join!(Client::connect(&url, options), self.session());
        (client.unwrap(), session)
    }
}

/// Options that make reconnecting quick.
pub(crate) fn options() -> Options {
    let backoff = Backoff { shortest: Duration::from_millis(1), longest: Duration::from_millis(2) };
    Options { backoff, ..Options::default() }
}

impl Session {
    /// What the client says next, pings and closes aside.
    pub(crate) async fn hears(&mut self) -> Value {
        loop {
            match self.0.next().await.expect("the client is gone").expect("the client is gone") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(_) => panic!("the client closes"),
                _ => {}
            }
        }
    }

    /// The client's next words are these, `id` aside, which is returned.
    pub(crate) async fn expects(&mut self, text: &str) -> Value {
        let mut heard = self.hears().await;
        let id = heard.as_object_mut().unwrap().remove("id").unwrap_or(Value::Null);
        assert_eq!(heard, serde_json::from_str::<Value>(text).unwrap());
        id
    }

    /// Says each of these.
    pub(crate) async fn says(&mut self, texts: &[&str]) {
        for text in texts {
            self.0.send(Message::text(*text)).await.unwrap();
        }
    }

    /// Answers the call of that id: `rest` are the members after type and id.
    pub(crate) async fn answers(&mut self, kind: &str, id: &Value, rest: &str) {
        self.says(&[&format!(r#"{{"type":"{kind}","id":{id},{rest}}}"#)]).await;
    }

    /// Closes with a code.
    pub(crate) async fn closes(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.0.close(Some(frame)).await.unwrap();
        // Until the client has answered and hung up.
        while let Some(Ok(_)) = self.0.next().await {}
    }

    /// Waits for the client's Close and returns its code.
    pub(crate) async fn close_code(mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.0.next().await.expect("no Close").expect("no Close") {
                return frame.map_or(1005, |frame| frame.code.into());
            }
        }
    }

    /// Waits for the end of the connection, with or without a Close.
    pub(crate) async fn until_closed(&mut self) {
        while let Some(Ok(message)) = self.0.next().await {
            if message.is_close() {
                return;
            }
        }
    }

    /// Breaks the connection without a word.
    pub(crate) fn breaks(self) {
        let stream = self.0.into_inner();
        stream.set_zero_linger().unwrap();
    }
}
