//! Which attacks, how many of everything, and how long.

use std::path::PathBuf;
use std::time::Duration;

use crate::attacks::Attack;

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's binary.
    pub server: PathBuf,
    /// Settings of the server beside those that every run has, as environment variables.
    pub settings: Vec<(String, String)>,
    /// What is done to it, in this order.
    pub attacks: Vec<Attack>,
    /// How many of everything.
    pub scale: Scale,
}

/// How many of everything, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Rooms of healthy clients.
    pub rooms: usize,
    /// Clients in each of them.
    pub clients_per_room: usize,
    /// The time between two messages of a client.
    pub message_interval: Duration,
    /// The time between two newcomers.
    pub newcomer_interval: Duration,
    /// Connections of those attacks that are about their number.
    pub crowd: usize,
    /// Connections of those attacks that are about what is sent.
    pub floods: usize,
    /// How long nothing happens before each attack.
    pub idle: Duration,
    /// How long an attack lasts.
    pub attack: Duration,
    /// How much resident memory may be above the first baseline afterwards, in KiB: what an allocator keeps.
    pub memory_slack_kib: u64,
}

impl Plan {
    /// Every attack as the published results have it.
    pub fn full(server: impl Into<PathBuf>) -> Self {
        let scale = Scale {
            rooms: 20,
            clients_per_room: 10,
            message_interval: Duration::from_secs(2),
            newcomer_interval: Duration::from_millis(50),
            crowd: 5_000,
            floods: 50,
            idle: Duration::from_secs(8),
            attack: Duration::from_secs(15),
            memory_slack_kib: 64 * 1024,
        };
        Self { server: server.into(), settings: Vec::new(), attacks: Attack::ALL.to_vec(), scale }
    }

    /// Every attack, in small: what a test has time for.
    pub fn short(server: impl Into<PathBuf>) -> Self {
        let full = Self::full(server);
        let scale = Scale {
            rooms: 4,
            clients_per_room: 5,
            message_interval: Duration::from_millis(250),
            crowd: 200,
            floods: 5,
            idle: Duration::from_millis(150),
            attack: Duration::from_millis(500),
            ..full.scale
        };
        Self { scale, ..full }
    }
}
