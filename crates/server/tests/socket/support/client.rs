//! A client that somebody else wrote, read all the time by a task of its own.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use super::{Outcome, within};

/// A connected client.
pub(crate) struct Client {
    outgoing: mpsc::UnboundedSender<Message>,
    incoming: mpsc::UnboundedReceiver<Message>,
    task: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Self {
        Self::try_connect(address, path).await.unwrap()
    }

    /// Connects, or gives what the server said instead.
    pub(crate) async fn try_connect(address: SocketAddr, path: &str) -> Result<Self, tungstenite::Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::over(stream, path).await
    }

    /// Speaks over any stream.
    pub(crate) async fn over<S>(stream: S, path: &str) -> Result<Self, tungstenite::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://localhost{path}"), stream).await?;
        Ok(Self::within(socket))
    }

    /// Speaks where the handshake is done already.
    pub(crate) fn within<S>(socket: WebSocketStream<S>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (outgoing, to_send) = mpsc::unbounded_channel();
        let (received, incoming) = mpsc::unbounded_channel();
        let task = tokio::spawn(talk(socket, to_send, received));
        Self { outgoing, incoming, task }
    }

    pub(crate) fn send(&self, message: &Value) {
        self.send_frame(Message::text(message.to_string()));
    }

    pub(crate) fn send_frame(&self, message: Message) {
        // A connection that has ended shows in what comes, or does not come, from it.
        let _ = self.outgoing.send(message);
    }

    /// The next message or close frame; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Outcome<Option<Message>> {
        within("a message", self.incoming.recv()).await
    }

    /// The next event.
    pub(crate) async fn try_event(&mut self) -> Outcome<Value> {
        match self.next().await? {
            Some(Message::Text(text)) => serde_json::from_str(&text).map_err(|error| error.to_string()),
            other => Err(format!("no event but {other:?}")),
        }
    }

    pub(crate) async fn event(&mut self) -> Value {
        self.try_event().await.unwrap()
    }

    /// The next event, which must be of this type.
    pub(crate) async fn expect(&mut self, kind: &str) -> Value {
        let event = self.event().await;
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Asks, and gives the answer, which must be the next event of this type.
    pub(crate) async fn ask(&mut self, message: &Value, kind: &str) -> Value {
        self.send(message);
        self.expect(kind).await
    }

    /// Reads to the close frame and gives its code; what came before it is lost.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await.unwrap() {
                Some(Message::Close(Some(frame))) => return frame.code.into(),
                Some(_) => {}
                None => panic!("the stream ended without a close frame"),
            }
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    mut outgoing: mpsc::UnboundedReceiver<Message>,
    incoming: mpsc::UnboundedSender<Message>,
) {
    loop {
        tokio::select! {
            message = outgoing.recv() => {
                let Some(message) = message else { return };
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(message)) => drop(incoming.send(message)),
                Some(Err(_)) | None => return,
            }
        }
    }
}
