//! The handle: what a backend may do, from any task.

use std::sync::Arc;

use fanfare_core::namespace::Namespaces;
use fanfare_core::ports::broker::{
    Broker, ChannelState, HistoryPage, Instruction, Publish, Reply, ReplyTo, Request, Target,
};
use fanfare_protocol::command::{HistoryRange, Topic};
use fanfare_protocol::event::{Direct, Members, UserState};
use fanfare_protocol::publication::Labels;
use fanfare_protocol::{ChannelName, CloseCode, ErrorCode, Payload, Position, UserId};
use tokio::sync::oneshot;

/// Publishes, asks and instructs, on behalf of the backend. Cheap to clone.
#[derive(Clone)]
pub struct Fanfare {
    broker: Arc<dyn Broker>,
    namespaces: Arc<Namespaces>,
}

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Message {
    /// What.
    pub data: Payload,
    /// In whose name; nobody's without.
    pub from: Option<UserId>,
    /// Tags and key.
    pub labels: Option<Box<Labels>>,
    /// The first result under this key is the result of every repetition.
    pub idempotency_key: Option<Box<str>>,
}

impl Message {
    /// A message in nobody's name.
    pub fn new(data: Payload) -> Self {
        Self { data, from: None, labels: None, idempotency_key: None }
    }
}

/// The outcome of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The message's place in the channel.
    pub position: Position,
    /// Whether the idempotency key had been used, so that this is the first result again.
    pub duplicate: bool,
}

impl Fanfare {
    pub(crate) fn new(broker: Arc<dyn Broker>, namespaces: Arc<Namespaces>) -> Self {
        Self { broker, namespaces }
    }

    async fn ask(&self, request: Request) -> Result<Reply, ErrorCode> {
        let (sender, receiver) = oneshot::channel();
        let reply = ReplyTo::Callback(Box::new(move |reply| {
            // The asker may have given up; then nobody wants the reply.
            let _ = sender.send(reply);
        }));
        self.broker.submit(request, reply);
        match receiver.await {
            Ok(Reply::Failed(code)) => Err(code),
            Ok(reply) => Ok(reply),
            Err(_) => Err(ErrorCode::Unavailable),
        }
    }

    /// Publishes a message to a channel.
    ///
    /// # Errors
    /// `unknown_namespace`, `overloaded`, `unavailable`.
    pub async fn publish(&self, channel: ChannelName, message: Message) -> Result<Published, ErrorCode> {
        let namespace = self.namespaces.get(channel.namespace()).ok_or(ErrorCode::UnknownNamespace)?.clone();
        let publish = Publish {
            channel,
            namespace,
            from: message.from,
            connection: None,
            exclude_sender: false,
            data: message.data,
            labels: message.labels,
            idempotency_key: message.idempotency_key,
        };
        match self.ask(Request::Publish(publish)).await? {
            Reply::Published { position, duplicate } => Ok(Published { position, duplicate }),
            _ => Err(ErrorCode::Internal),
        }
    }

    /// Sends a message that belongs to no channel: to everyone, to users, to roles, to one connection.
    ///
    /// # Errors
    /// `overloaded`, `unavailable`.
    pub async fn send(&self, target: Target, message: Direct) -> Result<(), ErrorCode> {
        self.ask(Request::Direct(target, Arc::new(message))).await.map(drop)
    }

    /// Past messages of a channel.
    ///
    /// # Errors
    /// `history_unavailable` when `since` is not in the history, `unknown_namespace`, `unavailable`.
    pub async fn history(&self, channel: ChannelName, range: HistoryRange) -> Result<HistoryPage, ErrorCode> {
        match self.ask(Request::History { channel, range }).await? {
            Reply::History(page) => Ok(*page),
            _ => Err(ErrorCode::Internal),
        }
    }

    /// Who is in a channel.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn presence(&self, channel: ChannelName, counts_only: bool) -> Result<Members, ErrorCode> {
        match self.ask(Request::Presence { channel, counts_only }).await? {
            Reply::Presence(members) => Ok(*members),
            _ => Err(ErrorCode::Internal),
        }
    }

    /// Whether users are online and when they were last seen.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn users(&self, users: Vec<UserId>) -> Result<Vec<UserState>, ErrorCode> {
        match self.ask(Request::Users(users)).await? {
            Reply::Users(states) => Ok(states),
            _ => Err(ErrorCode::Internal),
        }
    }

    /// Channels with subscribers, in the order of their names.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn channels(
        &self,
        prefix: &str,
        after: Option<ChannelName>,
        limit: usize,
    ) -> Result<Vec<ChannelState>, ErrorCode> {
        match self.ask(Request::Channels { prefix: prefix.into(), after, limit }).await? {
            Reply::Channels(channels) => Ok(channels),
            _ => Err(ErrorCode::Internal),
        }
    }

    /// Subscribes connections on the backend's behalf; they get the `subscribed` event.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn subscribe(&self, target: Target, topic: Topic) -> Result<(), ErrorCode> {
        self.ask(Request::Instruct(target, Instruction::Subscribe(topic))).await.map(drop)
    }

    /// Ends subscriptions; the connections get the `unsubscribed` event.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn unsubscribe(&self, target: Target, topic: Topic) -> Result<(), ErrorCode> {
        self.ask(Request::Instruct(target, Instruction::Unsubscribe(topic))).await.map(drop)
    }

    /// Closes connections.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn disconnect(&self, target: Target, code: CloseCode) -> Result<(), ErrorCode> {
        self.ask(Request::Instruct(target, Instruction::Disconnect(code))).await.map(drop)
    }
}
