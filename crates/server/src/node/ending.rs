//! How a node sends its clients away before it ends.

use std::time::Duration;

use fanfare_core::shard::Departure;

use super::Node;
use crate::drain;
use crate::inbox::Input;

/// How long clients of a node that stands alone may take to hang up once they were told to.
const RESTART_PATIENCE: Duration = Duration::from_millis(700);

impl Node {
    /// Sends all clients away, and returns when they have gone or have had their time. New ones are refused from the first
    /// moment.
    ///
    /// With [`Deadlines::drain_ms`](fanfare_core::limits::Deadlines::drain_ms) they are sent elsewhere, spread over that time, and publishing goes on. Without, the
    /// node stands alone: all are told at once when to come back, what is published from now on is refused, and this
    /// returns within a second.
    pub async fn drain(&self) {
        let departure = self.departure();
        self.door.network.drain.begin(departure);
        self.door.inboxes.to_all(|| Input::Drain(departure));
        let patience = match departure {
            Departure::Elsewhere { over_ms } => {
                let last_ms = u64::from(over_ms) + u64::from(self.settings.deadlines.close_ms);
                Duration::from_millis(last_ms) + Duration::from_secs(1)
            }
            Departure::Restart { .. } => RESTART_PATIENCE,
        };
        // Whoever is still there has neither answered nor hung up, and is cut off by the end of the workers.
        let _ = tokio::time::timeout(patience, self.door.admission.emptied()).await;
    }

    fn departure(&self) -> Departure {
        match self.settings.deadlines.drain_ms {
            Some(over_ms) => Departure::Elsewhere { over_ms },
            None => {
                let admission = &self.door.admission;
                let per_second = self.door.network.returns_per_second();
                drain::restart(admission.total(), admission.most_of_one_address(), per_second)
            }
        }
    }
}
