//! The handle: what a backend may do, from any task.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fanfare_core::namespace::{Namespace, Namespaces};
use fanfare_core::ports::broker::{
    Broker, ChannelState, Delivery, HistoryPage, IdempotencyKey, Inboxes, Instruction, Publish, Reply,
    ReplyTo, Request, ShardId, Target,
};
use fanfare_core::shard::Shard;
use fanfare_protocol::command::{HistoryRange, Topic};
use fanfare_protocol::event::{Direct, Members, UserState};
use fanfare_protocol::publication::{Kind, Labels};
use fanfare_protocol::{ChannelName, CloseCode, ErrorCode, Payload, Position, UserId};
use tokio::sync::oneshot;

use crate::admission::Admission;
use crate::app;
use crate::authority::Outcomes;
use crate::config::DialectsConfig;
use crate::dialects::Dialects;
use crate::drain::Drain;
use crate::inbox::AllInboxes;
use crate::metrics::ApiCalls;
use crate::node::Builder;
use crate::revocations::Revocations;
use crate::traffic::{SharedTraffic, Traffic};

/// Publishes, asks and instructs, on behalf of the backend. Cheap to clone.
#[derive(Clone)]
pub struct Fanfare {
    broker: Arc<dyn Broker>,
    /// Replaced by a reload, read by every request of the backend.
    namespaces: Arc<RwLock<Arc<Namespaces>>>,
    inboxes: AllInboxes,
    traffic: Arc<[Arc<SharedTraffic>]>,
    pub(crate) dialects: Dialects,
    pub(crate) admission: Arc<Admission>,
    drain: Arc<Drain>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) outcomes: Arc<Outcomes>,
    pub(crate) calls: Arc<ApiCalls>,
}

/// What a handle is made of.
pub(crate) struct Parts {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) inboxes: AllInboxes,
    pub(crate) traffic: Arc<[Arc<SharedTraffic>]>,
    pub(crate) dialects: Dialects,
    pub(crate) admission: Arc<Admission>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) outcomes: Arc<Outcomes>,
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

/// How long anything is waited for that the broker was asked.
const ASK_MAX: Duration = Duration::from_secs(3);

impl Fanfare {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { broker, namespaces, inboxes, traffic, .. } = parts;
        let Parts { dialects, admission, drain, revocations, outcomes, .. } = parts;
        let calls = Arc::default();
        Self {
            broker,
            namespaces: Arc::new(RwLock::new(namespaces)),
            inboxes,
            traffic,
            dialects,
            admission,
            drain,
            revocations,
            outcomes,
            calls,
        }
    }

    /// Settings and handlers for a node of one's own, embedded in an application.
    pub fn builder() -> Builder {
        Builder::new(app::dialects(&DialectsConfig::default()))
    }

    /// Looks at every shard; the results come in the order of the shards.
    pub(crate) async fn inspect<T: Send + 'static>(
        &self,
        look: impl Fn(&Shard) -> T + Clone + Send + 'static,
    ) -> Vec<T> {
        let mut pending = Vec::new();
        for shard in 0..self.inboxes.shards() {
            let (sender, receiver) = oneshot::channel();
            let look = look.clone();
            let inspect = Box::new(move |shard: &Shard| {
                // The asker may have given up.
                let _ = sender.send(look(shard));
            });
            self.inboxes.push(ShardId(shard), Delivery::Inspect(inspect));
            pending.push(receiver);
        }
        let mut results = Vec::new();
        for receiver in pending {
            results.extend(receiver.await);
        }
        results
    }

    /// What every worker has moved so far.
    pub(crate) fn traffic(&self) -> impl Iterator<Item = Traffic> + '_ {
        self.traffic.iter().map(|shared| shared.get())
    }

    /// How many deliveries wait in front of all shards.
    pub(crate) fn inbox_waiting(&self) -> usize {
        (0..self.inboxes.shards()).map(|shard| self.inboxes.waiting(ShardId(shard))).sum()
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, ErrorCode> {
        ask(&*self.broker, request).await
    }

    /// Whether what is taken now reaches anyone: the clients of a node that is about to start again have been told to go.
    fn lasts(&self) -> Result<(), ErrorCode> {
        if self.drain.refuses_publishes() { Err(ErrorCode::Draining) } else { Ok(()) }
    }

    fn namespace(&self, channel: &ChannelName) -> Result<Arc<Namespace>, ErrorCode> {
        self.named_namespace(channel.namespace())
    }

    fn named_namespace(&self, name: &str) -> Result<Arc<Namespace>, ErrorCode> {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.get(name).cloned().ok_or(ErrorCode::UnknownNamespace)
    }

    /// Puts other namespaces in force, for the backend and for what is kept.
    pub(crate) fn set_namespaces(&self, namespaces: &Arc<Namespaces>) {
        *self.namespaces.write().unwrap_or_else(PoisonError::into_inner) = namespaces.clone();
        self.broker.namespaces_changed(namespaces);
    }

    /// Publishes a message to a channel.
    ///
    /// # Errors
    /// `unknown_namespace`, `overloaded`, `unavailable`; `draining` once a node that stands alone is ending.
    pub async fn publish(&self, channel: ChannelName, message: Message) -> Result<Published, ErrorCode> {
        self.lasts()?;
        let namespace = self.namespace(&channel)?.clone();
        let publish = Publish {
            channel,
            namespace,
            from: message.from,
            from_name: None,
            kind: Kind::Message,
            anonymous: false,
            connection: None,
            exclude_sender: false,
            data: message.data,
            labels: message.labels,
            idempotency_key: message.idempotency_key.as_deref().map(IdempotencyKey::of_backend),
        };
        match self.ask(Request::Publish(publish)).await? {
            Reply::Published { position, duplicate } => Ok(Published { position, duplicate }),
            _ => Err(ErrorCode::Internal),
        }
    }

    /// Sends a message that belongs to no channel: to everyone, to users, to roles, to one connection.
    ///
    /// # Errors
    /// `overloaded`, `unavailable`; `draining` once a node that stands alone is ending.
    pub async fn send(&self, target: Target, message: Direct) -> Result<(), ErrorCode> {
        self.lasts()?;
        self.ask(Request::Direct(target, Arc::new(message))).await.map(drop)
    }

    /// Past messages of a channel.
    ///
    /// # Errors
    /// `history_unavailable` when `since` is not in the history, `history_disabled`, `unknown_namespace`,
    /// `unavailable`.
    pub async fn history(&self, channel: ChannelName, range: HistoryRange) -> Result<HistoryPage, ErrorCode> {
        if self.namespace(&channel)?.history_size == 0 {
            return Err(ErrorCode::HistoryDisabled);
        }
        match self.ask(Request::History { channel, range }).await? {
            Reply::History(page) => Ok(*page),
            _ => Err(ErrorCode::Internal),
        }
    }

    /// Who is in a channel.
    ///
    /// # Errors
    /// `presence_disabled`, `unknown_namespace`, `unavailable`.
    pub async fn presence(&self, channel: ChannelName, counts_only: bool) -> Result<Members, ErrorCode> {
        if !self.namespace(&channel)?.presence {
            return Err(ErrorCode::PresenceDisabled);
        }
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
    /// `unknown_namespace`, `permission_denied` for a pattern where the namespace has none, `unavailable`.
    pub async fn subscribe(&self, target: Target, topic: Topic) -> Result<(), ErrorCode> {
        // Each shard would refuse it by itself, and say so to nobody.
        let name = match &topic {
            Topic::Channel(channel) => channel.namespace(),
            Topic::Pattern(pattern) => pattern.namespace(),
        };
        let namespace = self.named_namespace(name)?;
        if matches!(topic, Topic::Pattern(_)) && !namespace.patterns {
            return Err(ErrorCode::PermissionDenied);
        }
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

/// Asks a broker, and waits for its answer no longer than [`ASK_MAX`].
async fn ask(broker: &dyn Broker, request: Request) -> Result<Reply, ErrorCode> {
    let unanswered =
        if request.changes_anything() { ErrorCode::OutcomeUnknown } else { ErrorCode::Unavailable };
    let (sender, receiver) = oneshot::channel();
    let reply = ReplyTo::Callback(Box::new(move |reply| {
        // The asker may have given up; then nobody wants the reply.
        let _ = sender.send(reply);
    }));
    broker.submit(request, reply);
    match tokio::time::timeout(ASK_MAX, receiver).await {
        Ok(Ok(Reply::Failed(code))) => Err(code),
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) | Err(_) => Err(unanswered),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A broker that keeps what it is asked and answers nothing.
    #[derive(Default)]
    struct Silent(Mutex<Vec<ReplyTo>>);

    impl Broker for Silent {
        fn submit(&self, _request: Request, reply: ReplyTo) {
            self.0.lock().unwrap().push(reply);
        }

        fn tick(&self) {}

        fn namespaces_changed(&self, _namespaces: &Namespaces) {}
    }

    /// Whoever asked a broker that hangs waited for ever, and was never told what may have become of it.
    #[tokio::test(start_paused = true)]
    async fn a_broker_that_does_not_answer_is_given_up_and_what_it_may_have_done_is_said() {
        let broker = Silent::default();
        let instruct = Request::Instruct(Target::Everyone, Instruction::Disconnect(CloseCode::Disconnected));
        assert_eq!(ask(&broker, instruct).await.err(), Some(ErrorCode::OutcomeUnknown));
        assert_eq!(ask(&broker, Request::Counts).await.err(), Some(ErrorCode::Unavailable));
        // An answer that comes later meets nobody.
        for reply in broker.0.into_inner().unwrap() {
            if let ReplyTo::Callback(reply) = reply {
                reply(Reply::Done);
            }
        }
    }
}
