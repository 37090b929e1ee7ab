//! A node: its workers, its broker, and the door to them. What the binary runs and what applications embed.
//!
//! - [`authentication`]: the part of the settings that says who may
//! - [`ending`]: how a node sends its clients away
//! - [`reloading`]: settings that change while it runs
//! - [`root`]: WebSockets at the address without a path

mod authentication;
mod ending;
mod reloading;
mod root;
mod surroundings;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::routing::{MethodRouter, any};
use fanfare_auth::Verifier;
use fanfare_core::auth::{Access, Identity};
use fanfare_core::limits::{Deadlines, Limits, RateLimits};
use fanfare_core::namespace::{Namespace, Namespaces};
use fanfare_core::ports::application::Peer;
use fanfare_core::ports::authority::Authority;
use fanfare_core::ports::broker::{Broker, Inboxes, ShardId};
use fanfare_core::shard::{Settings, Shard};
use fanfare_protocol::Payload;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_wire::Limits as WireLimits;
use http::Request;
use mio::{Poll, Waker};
use tokio::sync::watch;

use crate::admission::Admission;
use crate::admission::users::Users;
use crate::app;
use crate::config::{CompressionConfig, NetworkConfig};
use crate::dialects::{Dialects, NamedDialect, Spoken};
use crate::handle::{self, Fanfare};
use crate::handlers::{self, ConnectRequest, HandlerError, Handlers, Refused, Running};
use crate::handshake::{Door, Named};
use crate::inbox::{AllInboxes, Inbox, Input};
use crate::network::Network;
use crate::sessions::{self, Passes};
use crate::traffic::SharedTraffic;
use crate::worker::{self, Worker};
use authentication::Authentication;
pub(crate) use reloading::Reload;

/// How often expiry and grace periods are looked at.
const BROKER_TICK: Duration = Duration::from_millis(100);

/// How many of those pass between two sweeps of the addresses that have come: they are a second.
const TICKS_PER_SWEEP: u64 = 10;

/// Gathers settings and handlers, and starts a [`Node`].
pub struct Builder {
    limits: Limits,
    deadlines: Deadlines,
    rate_limits: RateLimits,
    users: Access,
    namespaces: Namespaces,
    shards: usize,
    authentication: Authentication,
    network: NetworkConfig,
    compression: CompressionConfig,
    /// What was given as an origin and is none.
    odd_origin: Option<String>,
    dialects: Vec<NamedDialect>,
    default_dialect: String,
    handlers: Handlers,
}

impl Builder {
    /// The defaults, with these dialects; the first is the one spoken when a client names none.
    pub(crate) fn new(dialects: Vec<NamedDialect>) -> Self {
        let default_dialect = dialects.first().map_or_else(String::new, |first| first.name.to_owned());
        Self {
            limits: Limits::default(),
            deadlines: Deadlines::default(),
            rate_limits: RateLimits::default(),
            users: Access::Authenticated,
            namespaces: Namespaces::new(Namespace::default(), false),
            shards: 0,
            authentication: Authentication::default(),
            network: NetworkConfig::default(),
            compression: CompressionConfig::default(),
            odd_origin: None,
            dialects,
            default_dialect,
            handlers: Handlers::default(),
        }
    }

    /// Sets the bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long things may take.
    #[must_use]
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Who may ask whether a user is connected, independent of channels: everyone, who is authenticated, or nobody. Any other
    /// value stands for nobody.
    pub fn allow_users(mut self, access: Access) -> Self {
        self.users = access;
        self
    }

    /// Sets how much may be asked for in a time.
    #[must_use]
    pub fn rate_limits(mut self, rate_limits: RateLimits) -> Self {
        self.rate_limits = rate_limits;
        self
    }

    /// Sets all namespaces at once.
    #[must_use]
    pub fn namespaces(mut self, namespaces: Namespaces) -> Self {
        self.namespaces = namespaces;
        self
    }

    /// Adds or replaces one namespace.
    #[must_use]
    pub fn namespace(mut self, name: &str, namespace: Namespace) -> Self {
        self.namespaces.insert(name, namespace);
        self
    }

    /// Sets how many threads serve connections; 0 is one for each core but one.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// Sets whether and how WebSocket messages are compressed.
    #[must_use]
    pub fn compression(mut self, compression: CompressionConfig) -> Self {
        self.compression = compression;
        self
    }

    /// Sets what is spoken when a client names no dialect.
    #[must_use]
    pub fn default_dialect(mut self, name: &str) -> Self {
        name.clone_into(&mut self.default_dialect);
        self
    }

    /// Replaces the dialects that are spoken; the first becomes the default.
    #[must_use]
    pub fn dialects(mut self, dialects: Vec<NamedDialect>) -> Self {
        self.default_dialect = dialects.first().map_or_else(String::new, |first| first.name.to_owned());
        self.dialects = dialects;
        self
    }

    /// Decides who a new connection is, or refuses it with HTTP 403.
    #[must_use]
    pub fn on_connect<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(ConnectRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Identity, Refused>> + Send + 'static,
    {
        self.handlers.connect = Some(Arc::new(move |request| Box::pin(handler(request))));
        self
    }

    /// Handles a method of `request`; what it returns is the response.
    #[must_use]
    pub fn on_request<F, R>(mut self, method: &str, handler: F) -> Self
    where
        F: Fn(Peer, Payload) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Payload, HandlerError>> + Send + 'static,
    {
        let answer = move |peer, data| {
            let answer = handler(peer, data);
            async move { answer.await.map(Some) }
        };
        self.handlers.methods.insert(method.to_owned(), handlers::on_call(answer));
        self
    }

    /// Handles a message type of the application's own; what it returns, if anything, is the response.
    #[must_use]
    pub fn on_message<F, R>(mut self, kind: &str, handler: F) -> Self
    where
        F: Fn(Peer, Payload) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<Payload>, HandlerError>> + Send + 'static,
    {
        self.handlers.message_types.insert(kind.to_owned(), handlers::on_call(handler));
        self
    }

    /// Is told of every connection that has gone.
    #[must_use]
    pub fn on_disconnect<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(Peer) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.handlers.disconnect = Some(Arc::new(move |peer| Box::pin(handler(peer))));
        self
    }

    /// Starts the workers. Handlers run on the tokio runtime that this is called in.
    ///
    /// # Errors
    /// When the system grants no threads, selectors or random numbers, the default dialect is unknown,
    /// or an origin is none.
    pub fn start(self) -> io::Result<Node> {
        self.check_origins()?;
        let (dialects, passes) = (Dialects::new(self.dialects, self.compression), Arc::new(Passes::new()?));
        let default_dialect = spoken_first(&dialects, &self.default_dialect)?;
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let (polls, inboxes) = inboxes(worker_count(self.shards))?;
        let timeout = Duration::from_millis(u64::from(self.deadlines.request_ms));
        let application = Arc::new(Running::new(self.handlers, runtime.clone(), timeout));
        application.connect_inboxes(Arc::new(inboxes.clone()));
        let seed = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let shared: Arc<dyn Inboxes> = Arc::new(inboxes.clone());
        let settings = Arc::new(Settings {
            limits: self.limits.clone(),
            deadlines: self.deadlines,
            rate_limits: self.rate_limits,
            namespaces: Arc::new(self.namespaces),
            users: self.users,
        });
        let broker = app::broker(&settings, seed, shared.clone());
        let authentication = self.authentication.start(authentication::Around {
            settings: &settings,
            application: application.clone(),
            runtime: runtime.clone(),
            timeout,
            inboxes: shared.clone(),
        })?;
        let start = Start {
            passes: passes.clone(),
            node: (seed >> 32) as u32,
            settings: settings.clone(),
            dialects: dialects.clone(),
            broker: broker.clone(),
            application: application.clone(),
            authority: Arc::new(authentication.authority.clone()),
        };
        let (threads, traffic) = start.workers(polls, &inboxes)?;
        let admission = Admission::new(self.limits);
        let network = Arc::new(Network::new(self.network, &settings.limits, admission.clone()));
        let tasks = [
            runtime.spawn(tick(broker.clone(), network.clone())),
            runtime.spawn(authentication.forget()),
            runtime.spawn(authentication.keep_keys_fresh()),
        ];
        let door = Door {
            dialects: dialects.clone(),
            default_dialect,
            admission: admission.clone(),
            network,
            inboxes: inboxes.clone(),
            application,
            authority: authentication.authority,
            auth: authentication.rules,
            passes,
            settings: settings.clone(),
            close: Duration::from_millis(u64::from(settings.deadlines.close_ms)),
        };
        let fanfare = Fanfare::new(handle::Parts {
            broker,
            namespaces: settings.namespaces.clone(),
            inboxes,
            traffic,
            dialects,
            admission,
            drain: door.network.drain.clone(),
            revocations: authentication.revocations,
            outcomes: authentication.outcomes,
        });
        let (users, verifier) = (authentication.users, authentication.verifier);
        Ok(Node { fanfare, door, settings, users, verifier, threads, tasks })
    }
}

/// A running node.
pub struct Node {
    fanfare: Fanfare,
    door: Door,
    settings: Arc<Settings>,
    users: Arc<Users>,
    /// Replaced by a reload.
    verifier: Arc<watch::Sender<Option<Verifier>>>,
    threads: Vec<JoinHandle<()>>,
    /// Let time pass, for as long as the node runs.
    tasks: [tokio::task::JoinHandle<()>; 3],
}

impl Node {
    /// The handle to publish and ask with, from any task.
    pub fn fanfare(&self) -> &Fanfare {
        &self.fanfare
    }

    /// What the node makes of where its clients come from: for [`listen::serve`](crate::listen::serve).
    pub fn network(&self) -> Arc<Network> {
        self.door.network.clone()
    }

    /// A route for WebSockets in an axum application, in the default dialect unless the client names one.
    pub fn websocket<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let door = self.door.clone();
        any(move |request: Request<Body>| async move { door.open(request, Named::default()).await })
    }

    /// `/ws`, `/ws/NAME` for each dialect, `/ws/NAME/ROOM` for those that know but one room, and what clients without a
    /// WebSocket use: `/session`, `/sse`, `/stream`, `/poll` and `/send`.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let door = self.door.clone();
        let named = any(move |Path(dialect): Path<String>, request: Request<Body>| async move {
            door.open(request, Named { dialect: Some(&dialect), room: None }).await
        });
        let door = self.door.clone();
        let in_room = any(move |path: Result<Path<(String, String)>, PathRejection>, request| async move {
            match path {
                Ok(Path((dialect, room))) => {
                    door.open(request, Named { dialect: Some(&dialect), room: Some(&room) }).await
                }
                Err(_) => door.refuse_path(request),
            }
        });
        let router = Router::new().route("/ws", self.websocket());
        let router = router.route("/ws/{dialect}", named).route("/ws/{dialect}/{*room}", in_room);
        router.merge(sessions::endpoints::router(self.door.clone()))
    }

    /// False once the node is shutting down: for the load balancer.
    pub fn is_ready(&self) -> bool {
        !self.door.network.drain.has_begun()
    }

    /// A function that tells the same, for whoever outlives the borrow.
    pub fn readiness(&self) -> impl Fn() -> bool + Clone + Send + Sync + 'static {
        let drain = self.door.network.drain.clone();
        move || !drain.has_begun()
    }

    /// How many clients are connected.
    pub fn connections(&self) -> u32 {
        self.door.admission.total()
    }

    /// Ends the workers. Connections that are still there are cut.
    pub fn stop(self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        self.door.inboxes.to_all(|| Input::Stop);
        for thread in self.threads {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn spoken_first(dialects: &Dialects, name: &str) -> io::Result<Spoken> {
    dialects.by_name(name).ok_or_else(|| io::Error::other(format!("no such dialect: {name}")))
}

fn worker_count(configured: usize) -> usize {
    let count = match configured {
        // One core is left to the runtime, the kernel and whoever else lives here. On two cores that costs no
        // throughput, and it saves the wake-ups of a second shard for each message of a small room.
        0 => std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1),
        count => count,
    };
    // The broker keeps one bit for each shard.
    count.min(64)
}

async fn tick(broker: Arc<dyn Broker>, network: Arc<Network>) {
    let mut interval = tokio::time::interval(BROKER_TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for turn in 0_u64.. {
        interval.tick().await;
        broker.tick();
        if turn % TICKS_PER_SWEEP == 0 {
            network.sweep();
        }
    }
}

fn inboxes(count: usize) -> io::Result<(Vec<Poll>, AllInboxes)> {
    let mut polls = Vec::new();
    let mut inboxes = Vec::new();
    for _ in 0..count {
        let poll = Poll::new()?;
        inboxes.push(Arc::new(Inbox::new(Waker::new(poll.registry(), worker::WAKE)?)));
        polls.push(poll);
    }
    Ok((polls, AllInboxes(inboxes.into())))
}

/// A worker that panics takes the process with it. Its connections could neither be served nor moved, and a
/// node that goes on with a part of its channels dead is worse than one that is started again.
struct EndWithWorker;

impl Drop for EndWithWorker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a worker panicked: this is a defect; the process ends");
            std::process::abort();
        }
    }
}

/// What every worker is started with.
struct Start {
    node: u32,
    settings: Arc<Settings>,
    dialects: Dialects,
    broker: Arc<dyn Broker>,
    application: Arc<Running>,
    authority: Arc<dyn Authority>,
    passes: Arc<Passes>,
}

/// The threads, and what each of them moves.
type Workers = (Vec<JoinHandle<()>>, Arc<[Arc<SharedTraffic>]>);

impl Start {
    fn workers(&self, polls: Vec<Poll>, inboxes: &AllInboxes) -> io::Result<Workers> {
        let mut threads = Vec::new();
        let mut traffic = Vec::new();
        for (index, poll) in polls.into_iter().enumerate() {
            let shared = Arc::new(SharedTraffic::default());
            traffic.push(shared.clone());
            threads.push(self.worker(index, poll, inboxes.0[index].clone(), shared)?);
        }
        Ok((threads, traffic.into()))
    }

    fn worker(
        &self,
        index: usize,
        poll: Poll,
        inbox: Arc<Inbox>,
        traffic: Arc<SharedTraffic>,
    ) -> io::Result<JoinHandle<()>> {
        let Self { node, settings, dialects, broker, application, authority, passes } = self;
        let passes = passes.clone();
        let (node, settings, broker) = (*node, settings.clone(), broker.clone());
        let (application, authority) = (application.clone(), authority.clone());
        let dialects = dialects.clone();
        std::thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
            let _guard = EndWithWorker;
            // Built on its own thread: what a shard owns is not shared, and cannot be sent.
            let lanes = dialects.encoders();
            let id = ShardId(index as u8);
            let shard = Shard::new(id, node, settings.clone(), lanes, broker.clone(), application, authority);
            let limits = &settings.limits;
            let worker = Worker::new(worker::Parts {
                poll,
                shard,
                inbox,
                broker,
                dialects: dialects.by_lane(),
                wire_limits: WireLimits {
                    message_bytes_max: limits.message_bytes_max,
                    fragments_max: limits.fragments_max,
                },
                decode_limits: DecodeLimits::default(),
                fanout_slice: limits.fanout_slice,
                traffic,
                passes,
                resume_ms: settings.deadlines.resume_ms,
            });
            if let Err(error) = worker.run() {
                // As with a panic: half a node is worse than one that is started again.
                tracing::error!(%error, shard = index, "a worker's selector failed; the process ends");
                std::process::abort();
            }
        })
    }
}
