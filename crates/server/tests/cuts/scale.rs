//! How many clients, for how long, and how often their lines are cut.

use std::time::Duration;

/// The size of a run.
pub(crate) struct Scale {
    pub(crate) clients: usize,
    /// Channels that the backend publishes in; each client listens to one of them, and to one of its own.
    pub(crate) rooms: usize,
    /// How often the backend publishes in each.
    pub(crate) beat: Duration,
    /// For how long it does at least; then until every client was cut, or has changed its transport, often enough.
    pub(crate) length: Duration,
    /// How often each client says something of its own.
    pub(crate) own_beat: Duration,
    /// Each line is cut for so long in every such time; no cuts but those that switches make, if none.
    pub(crate) cuts: Option<(Duration, Duration)>,
    /// Between two attempts of a client to connect.
    pub(crate) back_off: Duration,
    /// How often each client changes its transport.
    pub(crate) switches: u32,
    /// How often each client has to have been cut, or the run shows nothing.
    pub(crate) cuts_min: u32,
}

impl Scale {
    /// Clients that are cut: the small form, or the full one where the environment asks for it.
    pub(crate) fn cuts() -> Self {
        if is_full() {
            return Self {
                clients: 1_000,
                rooms: 10,
                beat: Duration::from_millis(60),
                length: Duration::from_secs(60),
                own_beat: Duration::from_secs(2),
                cuts: Some((Duration::from_secs(10), Duration::from_secs(2))),
                back_off: Duration::from_millis(250),
                switches: 0,
                cuts_min: 5,
            };
        }
        Self {
            clients: 60,
            rooms: 10,
            beat: Duration::from_millis(60),
            length: Duration::from_secs(6),
            own_beat: Duration::from_millis(400),
            cuts: Some((Duration::from_secs(1), Duration::from_millis(300))),
            back_off: Duration::from_millis(30),
            switches: 0,
            cuts_min: 5,
        }
    }

    /// A thousand switches, by fewer clients or more of them.
    pub(crate) fn switches() -> Self {
        let clients = if is_full() { 100 } else { 20 };
        Self {
            clients,
            rooms: 2,
            beat: Duration::from_millis(5),
            length: Duration::ZERO,
            own_beat: Duration::from_millis(400),
            cuts: None,
            back_off: Duration::from_millis(10),
            switches: 1_000 / clients as u32,
            cuts_min: 0,
        }
    }

    /// The room of a client.
    pub(crate) fn room(&self, client: usize) -> usize {
        client % self.rooms
    }
}

fn is_full() -> bool {
    std::env::var("FANFARE_CUTS").is_ok_and(|scale| scale == "full")
}
