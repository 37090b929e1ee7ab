//! The application's handlers, as the engine calls them: on the runtime beside the shards, bounded in time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use fanfare_core::auth::{Grant, Identity, Operation, Operations, Scope, Standing};
use fanfare_core::ports::application::{Answer, Application, Call, CallTarget, Peer};
use fanfare_core::ports::broker::{Delivery, Inboxes};
pub use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, ErrorCode, Payload};
use foldhash::HashMap;
use http::request;
use tokio::runtime::Handle;

type Pinned<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type OnCall = Arc<dyn Fn(Peer, Payload) -> Pinned<Result<Option<Payload>, HandlerError>> + Send + Sync>;
type OnConnect = Arc<dyn Fn(ConnectRequest) -> Pinned<Result<Identity, Refused>> + Send + Sync>;
type OnSubscribe = Arc<dyn Fn(Peer, Topic) -> Pinned<Result<Operations, Refused>> + Send + Sync>;
type OnDisconnect = Arc<dyn Fn(Peer) -> Pinned<()> + Send + Sync>;

/// A connection that the connect handler refuses: HTTP 403 with this text. Or a subscription that the subscribe handler
/// refuses: error `permission_denied` with this text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// What is known of a client that wants to connect.
#[derive(Clone)]
pub struct ConnectRequest {
    /// The request's path and query.
    pub uri: http::Uri,
    /// The request's headers.
    pub headers: http::HeaderMap,
    /// Where it comes from, if that is known.
    pub address: Option<std::net::IpAddr>,
    /// The one room it is to be in, where its dialect knows but one.
    pub room: Option<ChannelName>,
    /// Who it is by its token, or by what it says where the node believes that; no user while anonymous. A handler that
    /// adds to it and returns it keeps the token's expiry, and its id by which it can be revoked.
    pub identity: Identity,
}

impl ConnectRequest {
    pub(crate) fn new(
        head: &request::Parts,
        address: Option<std::net::IpAddr>,
        room: Option<ChannelName>,
        identity: Identity,
    ) -> Self {
        Self { uri: head.uri.clone(), headers: head.headers.clone(), address, room, identity }
    }
}

/// Without the query and the headers, which may hold a credential.
impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ConnectRequest");
        debug.field("path", &self.uri.path()).field("address", &self.address);
        debug.field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Why a handler could not answer. The text reaches the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerError {
    pub(crate) code: ErrorCode,
    pub(crate) text: String,
}

impl HandlerError {
    /// The client gets the error code `handler_failed` and this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { code: ErrorCode::HandlerFailed, text: text.into() }
    }

    /// The client gets this code and text.
    pub fn with_code(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// The handlers of an application.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    pub(crate) methods: HashMap<String, OnCall>,
    pub(crate) message_types: HashMap<String, OnCall>,
    pub(crate) connect: Option<OnConnect>,
    pub(crate) subscribe: Option<OnSubscribe>,
    pub(crate) disconnect: Option<OnDisconnect>,
}

/// Boxes a handler of calls.
pub(crate) fn on_call<F, R>(handler: F) -> OnCall
where
    F: Fn(Peer, Payload) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Option<Payload>, HandlerError>> + Send + 'static,
{
    Arc::new(move |peer, data| Box::pin(handler(peer, data)))
}

/// The handlers with what it takes to run them.
pub(crate) struct Running {
    handlers: Handlers,
    runtime: Handle,
    timeout: Duration,
    /// Set once, before the first shard runs.
    inboxes: OnceLock<Arc<dyn Inboxes>>,
}

impl Running {
    pub(crate) fn new(handlers: Handlers, runtime: Handle, timeout: Duration) -> Self {
        Self { handlers, runtime, timeout, inboxes: OnceLock::new() }
    }

    pub(crate) fn connect_inboxes(&self, inboxes: Arc<dyn Inboxes>) {
        // Only the composition root calls this, once.
        let _ = self.inboxes.set(inboxes);
    }

    /// What the connect handler decides; none without one. Like any other it is bounded in time, and may panic.
    pub(crate) async fn connect(&self, request: ConnectRequest) -> Option<Result<Identity, HandlerError>> {
        let handler = self.handlers.connect.clone()?;
        let timeout = self.timeout;
        let deciding =
            self.runtime.spawn(async move { tokio::time::timeout(timeout, handler(request)).await });
        let failed = |code: ErrorCode| Err(HandlerError::with_code(code, code.text()));
        Some(match deciding.await {
            Ok(Ok(decision)) => {
                decision.map_err(|Refused(text)| HandlerError::with_code(ErrorCode::PermissionDenied, text))
            }
            Ok(Err(_)) => failed(ErrorCode::RequestTimeout),
            Err(_) => failed(ErrorCode::HandlerFailed),
        })
    }

    /// Whether there is a connect handler.
    pub(crate) fn decides_connections(&self) -> bool {
        self.handlers.connect.is_some()
    }

    /// Whether there is a subscribe handler.
    pub(crate) fn decides_subscriptions(&self) -> bool {
        self.handlers.subscribe.is_some()
    }

    /// What the subscribe handler allows.
    pub(crate) async fn subscription(&self, peer: Peer, topic: Topic) -> Result<Grant, (ErrorCode, String)> {
        let failed = |code: ErrorCode| Err((code, code.text().to_owned()));
        let Some(handler) = self.handlers.subscribe.clone() else {
            return failed(ErrorCode::PermissionDenied);
        };
        let scope = match &topic {
            Topic::Channel(channel) => Scope::Channel(channel.clone()),
            Topic::Pattern(pattern) => Scope::Pattern(pattern.clone()),
        };
        let timeout = self.timeout;
        let deciding =
            self.runtime.spawn(async move { tokio::time::timeout(timeout, handler(peer, topic)).await });
        match deciding.await {
            Ok(Ok(Ok(operations))) => Ok(Grant::new(scope, operations)),
            Ok(Ok(Err(Refused(text)))) => Err((ErrorCode::PermissionDenied, text)),
            Ok(Err(_)) => failed(ErrorCode::RequestTimeout),
            Err(_) => failed(ErrorCode::HandlerFailed),
        }
    }

    fn handler(&self, target: &CallTarget) -> Option<&OnCall> {
        match target {
            CallTarget::Method(name) => self.handlers.methods.get(&**name),
            CallTarget::MessageType(name) => self.handlers.message_types.get(&**name),
        }
    }
}

impl Application for Running {
    fn has_method(&self, method: &str) -> bool {
        self.handlers.methods.contains_key(method)
    }

    fn has_message_type(&self, kind: &str) -> bool {
        self.handlers.message_types.contains_key(kind)
    }

    fn call(&self, call: Call) {
        let Some(inboxes) = self.inboxes.get().cloned() else { return };
        let Call { shard, ticket, peer, target, data } = call;
        let Some(handler) = self.handler(&target) else {
            let answer = Err((ErrorCode::UnknownMethod, ErrorCode::UnknownMethod.text().to_owned()));
            return inboxes.push(shard, Delivery::Answer(ticket, answer));
        };
        // The handler is called on the runtime, not here: its first part might be slow.
        let (handler, timeout) = (handler.clone(), self.timeout);
        let task = self.runtime.spawn(async move {
            match tokio::time::timeout(timeout, handler(peer, data)).await {
                Ok(Ok(data)) => Ok(data),
                Ok(Err(HandlerError { code, text })) => Err((code, text)),
                Err(_) => Err((ErrorCode::RequestTimeout, ErrorCode::RequestTimeout.text().to_owned())),
            }
        });
        self.runtime.spawn(async move {
            // A handler that panics has failed; the caller must still be told.
            let failed = |_| Err((ErrorCode::HandlerFailed, ErrorCode::HandlerFailed.text().to_owned()));
            let answer: Answer = task.await.unwrap_or_else(failed);
            inboxes.push(shard, Delivery::Answer(ticket, answer));
        });
    }

    fn disconnected(&self, peer: Peer) {
        if let Some(handler) = &self.handlers.disconnect {
            let handler = handler.clone();
            self.runtime.spawn(async move { handler(peer).await });
        }
    }
}
