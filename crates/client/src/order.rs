//! What the handles ask of the connection's task.

use std::sync::Arc;

use fanfare_protocol::Position;
use fanfare_protocol::command::Topic;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::event::Subscribed;
use crate::options::SubscribeOptions;
use crate::subscription::{Queued, Signals};
use crate::words::Answer;

/// Where an answer goes. Whoever no longer waits has dropped the other end.
pub(crate) type Waiting<T> = oneshot::Sender<Result<T, Error>>;

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Say this, and pass the answer to the call of that id on.
    Call {
        id: u64,
        text: String,
        answer: Waiting<Answer>,
    },
    /// Say this.
    Say {
        text: String,
    },
    Subscribe(Subscribe),
    Unsubscribe {
        topic: Topic,
        answer: Waiting<Answer>,
    },
}

/// A new subscription.
#[derive(Debug)]
pub(crate) struct Subscribe {
    pub(crate) topic: Topic,
    pub(crate) options: SubscribeOptions,
    pub(crate) events: mpsc::Sender<Queued>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) answer: Waiting<(Subscribed, Option<Position>)>,
}
