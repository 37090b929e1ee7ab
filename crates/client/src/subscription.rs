//! The reader's end of a subscription.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use fanfare_protocol::Position;
use fanfare_protocol::command::Topic;
use futures_core::Stream;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::client::Client;
use crate::error::Error;
use crate::event::{Event, Subscribed};
use crate::order::Order;

/// An event, and the place of the reader once it has it.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) event: Event,
    pub(crate) position: Option<Position>,
}

/// What reader and connection tell each other beside the queue.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Set by the connection: the queue was full, and it has stopped filling it.
    pub(crate) paused: AtomicBool,
    /// Set by the reader: the queue is empty again.
    pub(crate) drained: AtomicBool,
    /// Set by the reader: it is gone.
    pub(crate) dropped: AtomicBool,
}

/// A channel, or all channels of a pattern, as a stream of [`Event`]s.
///
/// It goes on over interruptions of the connection. It ends after [`Event::Ended`], or when the client is
/// closed for good. Dropping it leaves the channel.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) client: Client,
    pub(crate) topic: Topic,
    pub(crate) reply: Subscribed,
    pub(crate) events: mpsc::Receiver<Queued>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) position: Option<Position>,
}

impl Subscription {
    /// What the server said when it let this client in.
    #[must_use]
    pub fn reply(&self) -> &Subscribed {
        &self.reply
    }

    /// What is subscribed to.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.topic.as_str()
    }

    /// The place of the last event that was taken out: whoever keeps it can recover from there, even after
    /// a restart of the program. None before the first message if older ones were asked for, and of
    /// patterns.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The next event; none at the end. Nothing is lost when the call is given up.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll_event(context)).await
    }

    /// Leaves, and waits until the server says so. Dropping the subscription leaves without waiting.
    ///
    /// # Errors
    /// When the answer does not come.
    pub async fn unsubscribe(self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.client.call(Order::Unsubscribe { topic: self.topic.clone(), answer }, answered).await?;
        Ok(())
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let polled = self.events.poll_recv(context);
        if polled.is_pending() && self.signals.paused.swap(false, Ordering::AcqRel) {
            self.signals.drained.store(true, Ordering::Release);
            self.wake.notify_one();
        }
        polled.map(|queued| {
            queued.map(|queued| {
                self.position = queued.position;
                queued.event
            })
        })
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_event(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.signals.dropped.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}
