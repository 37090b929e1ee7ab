//! The way into a worker: deliveries and new connections, in order, with a wake-up only when it sleeps.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_core::ports::broker::{Delivery, Inboxes, ShardId};
use fanfare_core::shard::{Departure, Settings};
use mio::Waker;

use crate::connection::{Arrival, SessionRequest};

/// What enters a worker.
pub(crate) enum Input {
    /// For the shard.
    Delivery(Delivery),
    /// A connection that has shaken hands.
    Arrival(Box<Arrival>),
    /// For a session that is there.
    Session(Box<SessionRequest>),
    /// Send the clients away.
    Drain(Departure),
    /// Go on with other settings.
    Reload(Arc<Settings>),
    /// Drop everything and end.
    Stop,
}

/// One worker's inbox.
pub(crate) struct Inbox {
    /// Written by anyone, swapped out by the worker once a turn; none once the worker has ended.
    queue: Mutex<Option<Vec<Input>>>,
    /// The queue's length, for the bound that publishers look at.
    waiting: AtomicUsize,
    /// Set by whoever wakes the worker, cleared by the worker before it sleeps.
    awake: AtomicBool,
    waker: Waker,
    /// Connections on their way to or in the worker; arrivals go where there are fewest.
    pub(crate) connections: AtomicUsize,
}

impl Inbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            queue: Mutex::new(Some(Vec::new())),
            waiting: AtomicUsize::new(0),
            awake: AtomicBool::new(true),
            waker,
            connections: AtomicUsize::new(0),
        }
    }

    pub(crate) fn push(&self, input: Input) {
        let mut open = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropped, an input tells whoever waits for it that nothing will come of it.
        let Some(queue) = open.as_mut() else { return };
        queue.push(input);
        self.waiting.store(queue.len(), Ordering::Relaxed);
        drop(open);
        if !self.awake.swap(true, Ordering::SeqCst) {
            // It fails only when the worker has gone, and with it the need to wake it.
            let _ = self.waker.wake();
        }
    }

    /// Swaps the queue with an empty one.
    pub(crate) fn take(&self, into: &mut Vec<Input>) {
        if let Some(queue) = &mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            std::mem::swap(queue, into);
        }
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// The worker has ended: drops what waits, and whatever comes later.
    pub(crate) fn close(&self) {
        let left = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.waiting.store(0, Ordering::Relaxed);
        drop(left);
    }

    /// Allows the worker to sleep; false when something came in the meantime.
    pub(crate) fn may_sleep(&self) -> bool {
        self.awake.store(false, Ordering::SeqCst);
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = queue.as_ref().is_none_or(Vec::is_empty);
        drop(queue);
        if !empty {
            self.awake.store(true, Ordering::SeqCst);
        }
        empty
    }

    pub(crate) fn woke(&self) {
        self.awake.store(true, Ordering::SeqCst);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// The inboxes of all workers.
#[derive(Clone)]
pub(crate) struct AllInboxes(pub(crate) Arc<[Arc<Inbox>]>);

impl AllInboxes {
    pub(crate) fn to_all(&self, mut input: impl FnMut() -> Input) {
        for inbox in &*self.0 {
            inbox.push(input());
        }
    }

    /// Gives a request to the worker that has the session, if there is such a worker.
    pub(crate) fn ask(&self, request: SessionRequest) {
        if let Some(inbox) = self.0.get(usize::from(request.id.shard())) {
            inbox.push(Input::Session(Box::new(request)));
        }
    }

    /// Gives a connection to the worker with the fewest.
    pub(crate) fn place(&self, arrival: Arrival) {
        let fewest = self.0.iter().min_by_key(|inbox| inbox.connections.load(Ordering::Relaxed));
        if let Some(inbox) = fewest {
            inbox.connections.fetch_add(1, Ordering::Relaxed);
            inbox.push(Input::Arrival(Box::new(arrival)));
        }
    }
}

impl Inboxes for AllInboxes {
    fn push(&self, shard: ShardId, delivery: Delivery) {
        if let Some(inbox) = self.0.get(usize::from(shard.0)) {
            inbox.push(Input::Delivery(delivery));
        }
    }

    fn waiting(&self, shard: ShardId) -> usize {
        self.0.get(usize::from(shard.0)).map_or(0, |inbox| inbox.waiting())
    }

    fn shards(&self) -> u8 {
        self.0.len() as u8
    }
}
