//! The handle.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, ChannelPattern, Epoch, Payload, Position};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::driver::{Driver, State};
use crate::errand::Errands;
use crate::error::Error;
use crate::event::{History, Members, Receipt, payload_json};
use crate::notice::Notices;
use crate::options::{CALLS_QUEUED_MAX, DIRECTS_QUEUED_MAX, HistoryRange, Options, SubscribeOptions};
use crate::order::{Order, Subscribe};
use crate::publication::Publication;
use crate::subscription::{Signals, Subscription};
use crate::table::Table;
use crate::target::Target;
use crate::words::{Answer, Call, write};

/// A connection to a Fanfare server that keeps itself up.
///
/// Clones are handles to the same connection. It is closed by [`Client::close`], or when the last handle and
/// the last subscription are dropped.
///
/// A call made during an interruption waits for the connection, within its own time limit. A call whose
/// answer was on its way when the connection broke fails with an error of which
/// [`Error::is_unknown`] is true.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    orders: mpsc::Sender<Order>,
    ids: Arc<AtomicU64>,
    wake: Arc<Notify>,
    state: watch::Receiver<State>,
    closing: watch::Sender<bool>,
    notices: broadcast::WeakSender<crate::Notice>,
    options: Options,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("state", &*self.0.state.borrow()).finish_non_exhaustive()
    }
}

/// What a receipt looks like on the wire.
#[derive(Deserialize)]
struct RawReceipt {
    epoch: String,
    offset: u64,
    #[serde(default)]
    duplicate: bool,
}

impl Client {
    /// Connects to `ws://host:port`. Once there has been a connection the client restores it by itself; the
    /// first attempt is the caller's to repeat.
    ///
    /// # Errors
    /// When the URL is wrong, nobody listens there, or the server refuses.
    pub async fn connect(url: &str, options: Options) -> Result<Self, Error> {
        let target = Target::parse(url)?;
        let connection = Connection::open(&target, &options).await?;
        let (orders, received) = mpsc::channel(CALLS_QUEUED_MAX);
        let (state_sender, state) = watch::channel(State::Connected);
        let (closing, closing_receiver) = watch::channel(false);
        let (notices, _) = broadcast::channel(DIRECTS_QUEUED_MAX);
        let ids = Arc::new(AtomicU64::new(1));
        let wake = Arc::new(Notify::new());
        let shared = Shared {
            orders,
            ids: Arc::clone(&ids),
            wake: Arc::clone(&wake),
            state,
            closing,
            notices: notices.downgrade(),
            options: options.clone(),
        };
        let driver = Driver {
            target,
            options,
            table: Table::new(ids, notices),
            orders: received,
            wake,
            state: state_sender,
            closing: closing_receiver,
            errands: Errands::default(),
        };
        tokio::spawn(driver.run(connection));
        Ok(Self(Arc::new(shared)))
    }

    /// Joins a channel.
    ///
    /// # Errors
    /// When the name is not valid, the server refuses, or this client is subscribed already.
    pub async fn subscribe(&self, channel: &str, options: SubscribeOptions) -> Result<Subscription, Error> {
        let name = ChannelName::new(channel).map_err(|error| Error::invalid(error.text()))?;
        self.subscribe_to(Topic::Channel(name), options).await
    }

    /// Listens to every channel whose name a pattern matches, such as `orders.*`: live messages only.
    ///
    /// # Errors
    /// As [`Client::subscribe`].
    pub async fn subscribe_pattern(
        &self,
        pattern: &str,
        options: SubscribeOptions,
    ) -> Result<Subscription, Error> {
        let pattern = ChannelPattern::new(pattern).map_err(|error| Error::invalid(error.text()))?;
        self.subscribe_to(Topic::Pattern(pattern), options).await
    }

    async fn subscribe_to(&self, topic: Topic, options: SubscribeOptions) -> Result<Subscription, Error> {
        let (events_sender, events) = mpsc::channel(options.queue());
        let (answer, answered) = oneshot::channel();
        let signals = Arc::new(Signals::default());
        let order = Subscribe {
            topic: topic.clone(),
            options,
            events: events_sender,
            signals: Arc::clone(&signals),
            answer,
        };
        let (reply, position) = self.call(Order::Subscribe(order), answered).await?;
        let (client, wake) = (self.clone(), Arc::clone(&self.0.wake));
        Ok(Subscription { client, topic, reply, events, signals, wake, position })
    }

    /// Publishes and waits for the server to say that it has the message.
    ///
    /// # Errors
    /// When the server refuses or the answer does not come. Repeating it is safe with an
    /// [idempotency key](Publication::idempotency_key).
    pub async fn publish(
        &self,
        channel: &str,
        publication: impl Into<Publication>,
    ) -> Result<Receipt, Error> {
        let publication = publication.into();
        match self.ask(&Call::Publish { channel, publication: &publication }).await? {
            Answer::Data(data) => {
                let raw: RawReceipt = payload_json(&data)?;
                let epoch: Epoch = raw.epoch.parse().map_err(|_| unexpected())?;
                Ok(Receipt { position: Position { epoch, offset: raw.offset }, duplicate: raw.duplicate })
            }
            _ => Err(unexpected()),
        }
    }

    /// Publishes without waiting for an answer; the sender's own subscription gets its copy like the
    /// others. If the server refuses, [`Client::notices`] says so; if the connection breaks, nobody does.
    ///
    /// # Errors
    /// When the message cannot be handed to the connection.
    pub async fn send(&self, channel: &str, publication: impl Into<Publication>) -> Result<(), Error> {
        let publication = publication.into();
        let text = write(None, &Call::Message { channel, publication: &publication })?;
        self.hand_over(Order::Say { text }).await
    }

    /// Calls a handler of the application and returns what it says.
    ///
    /// # Errors
    /// When the application or the server refuses, or the answer does not come.
    pub async fn request(&self, method: &str, data: &impl Serialize) -> Result<Payload, Error> {
        let data = Publication::json(data)?.data;
        match self.ask(&Call::Request { method, data: &data }).await? {
            Answer::Data(data) => Ok(data),
            _ => Err(unexpected()),
        }
    }

    /// Asks who is in a channel.
    ///
    /// # Errors
    /// When the server refuses or the answer does not come.
    pub async fn presence(&self, channel: &str) -> Result<Members, Error> {
        self.members(channel, false).await
    }

    /// Asks how many are in a channel.
    ///
    /// # Errors
    /// As [`Client::presence`].
    pub async fn presence_counts(&self, channel: &str) -> Result<Members, Error> {
        self.members(channel, true).await
    }

    async fn members(&self, channel: &str, counts_only: bool) -> Result<Members, Error> {
        match self.ask(&Call::Presence { channel, counts_only }).await? {
            Answer::Members(members) => Ok(members),
            _ => Err(unexpected()),
        }
    }

    /// Asks for past messages.
    ///
    /// # Errors
    /// When the server refuses or the answer does not come.
    pub async fn history(&self, channel: &str, range: HistoryRange) -> Result<History, Error> {
        match self.ask(&Call::History { channel, range }).await? {
            Answer::History(history) => Ok(history),
            _ => Err(unexpected()),
        }
    }

    /// What the server tells this client outside of channels, from now on.
    #[must_use]
    pub fn notices(&self) -> Notices {
        let receiver = self.0.notices.upgrade().map_or_else(
            // The connection's task has ended: a stream that ends at once.
            || broadcast::channel(1).1,
            |notices| notices.subscribe(),
        );
        Notices(receiver)
    }

    /// How the client stands, now and from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.0.state.clone()
    }

    /// Says goodbye and waits until the connection is closed.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        let mut state = self.0.state.clone();
        // An error means that the task has ended, which is what is waited for.
        let _ = state.wait_for(|state| matches!(state, State::Closed(_))).await;
    }

    async fn ask(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let id = self.0.ids.fetch_add(1, Ordering::Relaxed);
        let text = write(Some(id), call)?;
        let (answer, answered) = oneshot::channel();
        self.call(Order::Call { id, text, answer }, answered).await
    }

    /// Hands an order over and waits for its answer, both within one time limit.
    pub(crate) async fn call<T>(
        &self,
        order: Order,
        answered: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        let answer = async {
            self.0.orders.send(order).await.map_err(|_| Error::closed())?;
            answered.await.map_err(|_| Error::closed())?
        };
        timeout(self.0.options.call_timeout, answer).await.unwrap_or_else(|_| Err(Error::timeout()))
    }

    async fn hand_over(&self, order: Order) -> Result<(), Error> {
        let handed = timeout(self.0.options.call_timeout, self.0.orders.send(order)).await;
        handed.map_err(|_| Error::timeout())?.map_err(|_| Error::closed())
    }
}

fn unexpected() -> Error {
    Error::invalid("the server's answer does not fit the question")
}
