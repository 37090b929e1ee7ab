//! How a shard sends its clients away when its node ends.

use fanfare_protocol::CloseCode;

use super::Shard;
use crate::session::SessionKey;
use crate::timers::TimerKind;

/// The fraction of the golden ratio: its multiples divide any interval evenly, however many there are.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// How long a client that waits for an answer is given before it is looked at again.
const ANSWER_MS: u64 = 10;

/// Where the clients of a node that ends are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// To other nodes: they are told bit by bit, and go at once.
    Elsewhere {
        /// Over which time they are told.
        over_ms: u32,
    },
    /// Back to this node when it has started again: all are told now, and what they publish is refused.
    Restart {
        /// How long each waits at least.
        after_ms: u32,
        /// Over which time behind that they come back.
        over_ms: u32,
    },
}

impl Departure {
    /// How long the client waits that is the `index`th to be told. Those next to each other come back far from each
    /// other: an address that opened all its connections at once has its share of the time, and no more.
    pub fn wait_ms(self, index: u64) -> u32 {
        match self {
            Self::Elsewhere { .. } => 0,
            Self::Restart { after_ms, over_ms } => {
                let part = index.wrapping_mul(GOLDEN) >> 32;
                after_ms.saturating_add(((part * u64::from(over_ms)) >> 32) as u32)
            }
        }
    }

    /// How long after the first client the last one is told.
    fn told_over_ms(self) -> u64 {
        match self {
            Self::Elsewhere { over_ms } => u64::from(over_ms),
            Self::Restart { .. } => 0,
        }
    }
}

impl Shard {
    /// Begins to send clients away. New ones are sent at once.
    pub fn drain(&mut self, departure: Departure) {
        self.going = Some(departure);
        self.going_since_ms = self.now_ms;
        let keys: Vec<u32> = self.sessions.iter().map(|(key, _)| key as u32).collect();
        let count = keys.len() as u64;
        for (index, key) in keys.into_iter().enumerate() {
            let delay_ms = index as u64 * departure.told_over_ms() / count;
            self.after(SessionKey(key), TimerKind::Drain, delay_ms);
        }
    }

    /// How long a client has to wait with what it wants to publish, if nothing that is published now would last.
    pub(super) fn refuses_publishes(&self, key: SessionKey) -> Option<u32> {
        match self.going {
            Some(departure @ Departure::Restart { .. }) => Some(departure.wait_ms(u64::from(key.0))),
            _ => None,
        }
    }

    /// Sends a client away. What it asked before is answered first, for as long as a close may take.
    pub(super) fn send_away(&mut self, key: SessionKey) {
        let Some(departure) = self.going else { return };
        let Some(session) = self.session(key) else { return };
        let until_ms =
            self.going_since_ms + departure.told_over_ms() + u64::from(self.settings.deadlines.close_ms);
        if session.broker_in_flight > 0 && self.now_ms < until_ms {
            return self.after(key, TimerKind::Drain, ANSWER_MS);
        }
        self.close(key, CloseCode::ServiceRestart, Some(departure.wait_ms(u64::from(key.0))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One address has opened a hundred connections one after the other, among ten thousand of others.
    #[test]
    fn connections_that_came_together_do_not_come_back_together() {
        let departure = Departure::Restart { after_ms: 1_000, over_ms: 10_000 };
        let mut waits: Vec<u32> = (5_000..5_100).map(|index| departure.wait_ms(index)).collect();
        waits.sort_unstable();
        assert!(waits[0] >= 1_000 && waits[99] < 11_000, "{waits:?}");
        let busiest = (0..90).map(|first| waits[first + 10] - waits[first]).min();
        assert!(busiest > Some(500), "ten of a hundred within {busiest:?} of 10,000 ms");
    }
}
