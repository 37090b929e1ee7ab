//! Whether the node is shutting down, and what becomes of its clients.

use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_core::shard::Departure;
use tokio::sync::watch;

/// How long clients of a node that stands alone wait at least before they come back: it has ended by then.
const RESTART_MS: u32 = 1_000;

/// The longest time over which they are spread.
const RETURN_OVER_MS_MAX: u32 = 60_000;

/// How many of all clients come back in a second: what their handshakes, over TLS in the worst case, leave of a machine.
const RETURNS_PER_SECOND: u32 = 1_000;

/// Begun once, by the node; looked at by handshakes and publishers, awaited by listeners.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    departure: watch::Sender<Option<Departure>>,
    /// How many have come and were sent away since.
    sent_away: AtomicU64,
}

impl Drain {
    pub(crate) fn begin(&self, departure: Departure) {
        self.departure.send_replace(Some(departure));
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.departure.borrow().is_some()
    }

    /// Whether what is published now is lost with this process.
    pub(crate) fn refuses_publishes(&self) -> bool {
        matches!(*self.departure.borrow(), Some(Departure::Restart { .. }))
    }

    /// How long who comes now is to wait before they come again, where that is more than at any time.
    pub(crate) fn wait_ms(&self) -> Option<u32> {
        let departure = (*self.departure.borrow())?;
        let wait_ms = departure.wait_ms(self.sent_away.fetch_add(1, Ordering::Relaxed));
        Some(wait_ms).filter(|wait_ms| *wait_ms > 0)
    }

    /// Waits for it.
    pub(crate) async fn begun(&self) {
        // The sender lives as long as this borrow.
        let _ = self.departure.subscribe().wait_for(Option::is_some).await;
    }
}

/// How the clients of a node that stands alone come back to it: `all` of them, of whom `together` are those of one
/// address, which may shake hands `per_second` times in one, or as often as it likes (0).
pub(crate) fn restart(all: u32, together: u32, per_second: u32) -> Departure {
    let over_ms = |count: u32, per_second: u32| match per_second {
        0 => 0,
        per_second => u64::from(count) * 1_000 / u64::from(per_second),
    };
    let over_ms = over_ms(all, RETURNS_PER_SECOND).max(over_ms(together, per_second));
    let over_ms = u32::try_from(over_ms).unwrap_or(u32::MAX).min(RETURN_OVER_MS_MAX);
    Departure::Restart { after_ms: RESTART_MS, over_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All clients of a node came back in the same second, and most were refused: one address may have a hundred
    /// connections and shake hands twenty times a second.
    #[test]
    fn clients_come_back_no_faster_than_they_may_shake_hands() {
        for (all, together, per_second, wanted_ms) in [
            (0, 0, 20, 0),
            (2, 0, 20, 2),
            (100, 100, 20, 5_000),
            (100, 100, 0, 100),
            (30_000, 100, 20, 30_000),
            (100_000, 100, 20, RETURN_OVER_MS_MAX),
            (u32::MAX, u32::MAX, 1, RETURN_OVER_MS_MAX),
        ] {
            let wanted = Departure::Restart { after_ms: RESTART_MS, over_ms: wanted_ms };
            assert_eq!(restart(all, together, per_second), wanted, "{all} {together} {per_second}");
        }
    }
}
