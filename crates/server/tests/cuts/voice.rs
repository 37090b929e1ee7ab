//! What a client says in its own channel.

use std::sync::Arc;
use std::time::Duration;

use fanfare_testkit::history::Place;
use fanfare_testkit::rng::Rng;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::ear::LAST;
use crate::ledger::{Ledger, hash};

/// The most messages of one batch.
const BATCH_MAX: usize = 3;

/// A client's own messages: a few in every beat, until it is told to stop.
pub(crate) struct Voice {
    ledger: Arc<Ledger>,
    actor: u32,
    pub(crate) channel: String,
    beat: Interval,
    stop: watch::Receiver<bool>,
    rng: Rng,
    /// How many there were.
    count: u64,
    /// Hashes of everything that was taken, in order.
    pub(crate) said: Vec<u64>,
    is_done: bool,
}

/// What is to be said next, and since when.
pub(crate) struct Batch {
    pub(crate) texts: Vec<String>,
    invoke: u64,
}

impl Voice {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        actor: u32,
        channel: String,
        beat: Duration,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let mut beat = interval(beat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rng = Rng::new(u64::from(actor));
        Self { ledger, actor, channel, beat, stop, rng, count: 0, said: Vec::new(), is_done: false }
    }

    /// What to say next, when it is time; none after the last word.
    pub(crate) async fn next(&mut self) -> Option<Batch> {
        if self.is_done {
            return None;
        }
        tokio::select! {
            _ = self.beat.tick() => {}
            // Who has gone wants nothing more either.
            _ = self.stop.wait_for(|stop| *stop) => self.is_done = true,
        }
        let size = 1 + self.rng.below(BATCH_MAX);
        let mut texts: Vec<String> = (0..size).map(|_| self.text()).collect();
        if self.is_done
            && let Some(last) = texts.last_mut()
        {
            last.push_str(LAST);
        }
        Some(Batch { texts, invoke: self.ledger.now() })
    }

    fn text(&mut self) -> String {
        self.count += 1;
        format!("{} says {}", self.actor, self.count)
    }

    /// One of a batch was taken.
    pub(crate) fn taken(&mut self, batch: &Batch, text: &str, place: Option<Place>) {
        self.ledger.published(self.actor, &self.channel, text, batch.invoke, place);
        self.said.push(hash(text));
    }
}
