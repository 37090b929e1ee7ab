//! The scenarios: each a sentence, each a function from a server to numbers.

mod beside;
mod connections;
mod fanout;
mod idle;
mod stalled;

use std::sync::Arc;
use std::time::Duration;

use crate::account::Account;
use crate::adapter::Peer;
use crate::dial::Target;
use crate::error::Error;
use crate::measure::{Gauge, Measured};
use crate::swarm::Swarm;

/// A named way of using a server.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The sentence.
    pub name: &'static str,
    /// What is measured, for people.
    pub about: &'static str,
    pub(crate) run: fn(&Bench) -> Result<Measured, Error>,
}

/// All scenarios, in the order in which they are run.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "idle_15k_connections",
        about: "15,000 silent connections with one subscription each, in rooms of 10: memory and CPU",
        run: |bench| idle::run(bench, 15_000),
    },
    Scenario {
        name: "fanout_1k_subscribers_saturated",
        about: "one publisher, one room of 1,000, as fast as everybody takes it",
        run: |bench| fanout::saturated(bench, 1_000),
    },
    Scenario {
        name: "fanout_10k_subscribers_saturated",
        about: "one publisher, one room of 10,000, as fast as everybody takes it",
        run: |bench| fanout::saturated(bench, 10_000),
    },
    Scenario {
        name: "fanout_1k_at_20_per_second",
        about: "one room of 1,000 at 20 messages a second: CPU where nothing can be joined",
        run: |bench| fanout::paced(bench, 1, 1_000, 20.0),
    },
    Scenario {
        name: "rooms_500x10_at_4_per_second",
        about: "500 rooms of 10 at 4 messages a second each",
        run: |bench| fanout::paced(bench, 500, 10, 4.0),
    },
    Scenario {
        name: "many_publishers_500_to_100_rooms_of_10",
        about: "five publishers for each of 100 rooms of 10, as fast as everybody takes it",
        run: |bench| fanout::many_publishers(bench, 100, 10, 5),
    },
    Scenario {
        name: "latency_100_rooms_of_10_at_10_per_second",
        about: "from the due time to the delivery, 1,000 publications and 10,000 deliveries a second",
        run: |bench| fanout::paced(bench, 100, 10, 10.0),
    },
    Scenario {
        name: "connection_rate",
        about: "connect, upgrade, subscribe, close, 64 at a time",
        run: |bench| connections::run(bench, 64),
    },
    Scenario {
        name: "small_rooms_beside_10k_room",
        about: "100 rooms of 10 at 2 a second: quiet, and while a room of 10,000 gets 10 a second",
        run: |bench| beside::run(bench, 10_000),
    },
    Scenario {
        name: "stalled_100_of_1k_subscribers",
        about: "100 of 1,000 stop reading 8 KiB messages at 25 a second, and read on later",
        run: |bench| stalled::run(bench, 1_000, 100),
    },
];

/// What a scenario is given.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) peer: Peer,
    pub(crate) target: Target,
    pub(crate) gauge: Gauge,
    /// How long is measured, warm-up apart.
    pub(crate) time: Duration,
    /// Publications of one room in flight when saturated.
    pub(crate) window: usize,
    /// How long bytes gather between reads when saturated.
    pub(crate) gather: Duration,
    pub(crate) payload_bytes: usize,
    /// A tenth of the connections.
    pub(crate) quick: bool,
    /// Distinguishes the rooms of one run from another's.
    pub(crate) prefix: String,
    /// What all runs together have come to.
    pub(crate) account: Arc<Account>,
}

impl Bench {
    pub(crate) fn swarm(&self) -> Result<Swarm, Error> {
        self.named_swarm("room")
    }

    /// A swarm whose rooms have another name than those of a swarm beside it.
    pub(crate) fn named_swarm(&self, name: &str) -> Result<Swarm, Error> {
        let prefix = format!("{}-{name}", self.prefix);
        let account = Arc::clone(&self.account);
        let mut swarm = Swarm::new(&self.target, self.peer.adapter(), self.payload_bytes, prefix, account)?;
        swarm.gather = self.gather;
        Ok(swarm)
    }

    /// So many connections, or a tenth of them.
    pub(crate) fn scaled(&self, connections: usize) -> usize {
        if self.quick { connections / 10 } else { connections }
    }

    /// Before measuring: caches, buffers and clocks get going.
    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs(1).min(self.time)
    }
}

/// After connecting: let the server finish what it does with newcomers.
pub(crate) const SETTLING: Duration = Duration::from_millis(500);
