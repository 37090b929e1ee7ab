//! What came of it: a table for people and JSON for the rest.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::attacks::{Attack, Tally};
use crate::plan::Scale;
use crate::run::Holding;
use crate::server::MEMORY_KIB_MAX;

/// What the healthy ones may notice: a newcomer's 99th percentile.
const CONNECT_P99_MS_MAX: f64 = 100.0;

/// And how much longer a delivery's 99th percentile may be than while nothing happens.
const DELIVERY_RATIO_MAX: f64 = 1.5;

/// Below this, a delivery's 99th percentile is the scheduler's doing.
const DELIVERY_FLOOR_MS: f64 = 5.0;

/// A whole run.
#[derive(Debug)]
pub struct Report {
    pub(crate) scale: Scale,
    pub(crate) baseline: Holding,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) end_faults: Vec<String>,
}

/// One attack.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) attack: Attack,
    pub(crate) tally: Arc<Tally>,
    pub(crate) idle: Seen,
    pub(crate) under_attack: Seen,
    pub(crate) descriptors_peak: usize,
    pub(crate) rss_peak_kib: u64,
    pub(crate) tcp_peak_kib: u64,
    pub(crate) recovered: Option<Duration>,
    pub(crate) after: Holding,
}

/// What the healthy ones saw: 50th and 99th percentile, and the most.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) newcomers: usize,
    pub(crate) connect_ms: [f64; 3],
    pub(crate) deliveries: usize,
    pub(crate) delivery_ms: [f64; 3],
    pub(crate) faults: Vec<String>,
}

impl Seen {
    fn to_json(&self) -> Value {
        let [connect_p50, connect_p99, connect_max] = self.connect_ms;
        let [delivery_p50, delivery_p99, delivery_max] = self.delivery_ms;
        json!({
            "newcomers": self.newcomers,
            "connect_p50_ms": connect_p50,
            "connect_p99_ms": connect_p99,
            "connect_max_ms": connect_max,
            "deliveries": self.deliveries,
            "delivery_p50_ms": delivery_p50,
            "delivery_p99_ms": delivery_p99,
            "delivery_max_ms": delivery_max,
            "faults": self.faults,
        })
    }
}

impl Outcome {
    fn connects_in_time(&self) -> bool {
        self.under_attack.connect_ms[1] <= CONNECT_P99_MS_MAX
    }

    fn delivers_in_time(&self) -> bool {
        let idle = self.idle.delivery_ms[1].max(DELIVERY_FLOOR_MS / DELIVERY_RATIO_MAX);
        self.under_attack.delivery_ms[1] <= DELIVERY_RATIO_MAX * idle
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.attack.name(),
            "about": self.attack.about(),
            "attackers": self.tally.to_json(),
            "idle": self.idle.to_json(),
            "under_attack": self.under_attack.to_json(),
            "connects_in_time": self.connects_in_time(),
            "delivers_in_time": self.delivers_in_time(),
            "server_descriptors_peak": self.descriptors_peak,
            "server_rss_peak_kib": self.rss_peak_kib,
            "host_tcp_peak_kib": self.tcp_peak_kib,
            "recovered_after_s": self.recovered.map(|time| time.as_secs_f64()),
            "server_rss_after_kib": self.after.rss_kib,
            "server_descriptors_after": self.after.descriptors,
        })
    }
}

impl Report {
    /// Everything that must not be, whatever the machine: deliveries that are missing, healthy clients that were cut or
    /// not let in, too much memory, descriptors and memory that are not given back, panics, a server that has ended.
    pub fn faults(&self) -> Vec<String> {
        let of_attacks = self.outcomes.iter().flat_map(|outcome| {
            let seen = outcome.idle.faults.iter().chain(&outcome.under_attack.faults);
            seen.map(|fault| format!("{}: {fault}", outcome.attack.name()))
        });
        of_attacks.chain(self.end_faults.iter().cloned()).collect()
    }

    /// The attacks under which the healthy ones waited longer than they should.
    pub fn late(&self) -> Vec<&'static str> {
        let late =
            self.outcomes.iter().filter(|outcome| !outcome.connects_in_time() || !outcome.delivers_in_time());
        late.map(|outcome| outcome.attack.name()).collect()
    }

    /// The raw numbers.
    pub fn to_json(&self) -> Value {
        json!({
            "memory_kib_max": MEMORY_KIB_MAX,
            "healthy_clients": self.scale.rooms * self.scale.clients_per_room,
            "rooms": self.scale.rooms,
            "message_interval_ms": self.scale.message_interval.as_millis() as u64,
            "newcomer_interval_ms": self.scale.newcomer_interval.as_millis() as u64,
            "crowd": self.scale.crowd,
            "floods": self.scale.floods,
            "idle_s": self.scale.idle.as_secs_f64(),
            "attack_s": self.scale.attack.as_secs_f64(),
            "baseline_descriptors": self.baseline.descriptors,
            "baseline_rss_kib": self.baseline.rss_kib,
            "attacks": self.outcomes.iter().map(Outcome::to_json).collect::<Vec<_>>(),
            "faults": self.faults(),
            "late": self.late(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| attack | opened | refused | cut | MB sent | connect p99 ms | idle | delivery p99 ms | idle \
             | descriptors | RSS peak MiB | TCP MiB | back after s |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        )?;
        for outcome in &self.outcomes {
            let tally = outcome.tally.to_json();
            let count = |name: &str| tally[name].as_u64().unwrap_or(0);
            let mark = |in_time: bool| if in_time { "" } else { " †" };
            writeln!(
                f,
                "| {} | {} | {} | {} | {:.1} | {:.1}{} | {:.1} | {:.1}{} | {:.1} | {} | {} | {} | {} |",
                outcome.attack.name(),
                count("opened"),
                count("refused"),
                count("cut_by_server"),
                count("sent_bytes") as f64 / 1e6,
                outcome.under_attack.connect_ms[1],
                mark(outcome.connects_in_time()),
                outcome.idle.connect_ms[1],
                outcome.under_attack.delivery_ms[1],
                mark(outcome.delivers_in_time()),
                outcome.idle.delivery_ms[1],
                outcome.descriptors_peak,
                outcome.rss_peak_kib / 1024,
                outcome.tcp_peak_kib / 1024,
                outcome.recovered.map_or("never".to_owned(), |time| format!("{:.1}", time.as_secs_f64())),
            )?;
        }
        let faults = self.faults();
        writeln!(f, "\nFaults: {}", if faults.is_empty() { "none".to_owned() } else { faults.join("; ") })
    }
}
