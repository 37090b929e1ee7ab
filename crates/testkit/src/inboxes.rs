//! Inboxes whose deliveries wait until the test lets them through.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fanfare_core::ports::broker::{Delivery, Inboxes, ShardId, Ticket};

/// One queue per shard.
pub struct HeldInboxes(Vec<Mutex<VecDeque<Delivery>>>);

impl HeldInboxes {
    /// Empty inboxes for so many shards.
    pub fn new(shards: u8) -> Self {
        Self((0..shards).map(|_| Mutex::default()).collect())
    }

    /// Takes out the oldest delivery of a shard.
    pub fn pop(&self, shard: usize) -> Option<Delivery> {
        self.queue(shard).pop_front()
    }

    /// Puts a delivery before all others.
    pub fn push_first(&self, shard: usize, delivery: Delivery) {
        self.queue(shard).push_front(delivery);
    }

    /// The tickets of a broker's replies that wait, oldest first.
    pub fn tickets(&self, shard: usize) -> Vec<Ticket> {
        let ticket = |delivery: &Delivery| match delivery {
            Delivery::Reply(ticket, _) => Some(*ticket),
            _ => None,
        };
        self.queue(shard).iter().filter_map(ticket).collect()
    }

    /// Whether a shard's inbox is empty.
    pub fn is_empty(&self, shard: usize) -> bool {
        self.queue(shard).is_empty()
    }

    fn queue(&self, shard: usize) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.0[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inboxes for HeldInboxes {
    fn push(&self, shard: ShardId, delivery: Delivery) {
        self.queue(usize::from(shard.0)).push_back(delivery);
    }

    fn waiting(&self, shard: ShardId) -> usize {
        self.queue(usize::from(shard.0)).len()
    }

    fn shards(&self) -> u8 {
        self.0.len() as u8
    }
}
