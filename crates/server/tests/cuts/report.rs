//! What a run came to, as a line for people and one of JSON.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

/// What happened to a client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// How often the connection that carried it broke.
    pub(crate) cuts: u32,
    /// How often another connection had its session although it had asked for none: a request that was late.
    pub(crate) displaced: u32,
    /// How often its session could not be gone on with.
    pub(crate) lost: u32,
    pub(crate) switches: u32,
    /// Batches that had arrived although their answer had not.
    pub(crate) repeated: u64,
    /// Entries that still came over a connection which the client had left.
    pub(crate) overheard: u64,
}

/// What the server has used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) rss_kib: u64,
    pub(crate) rss_peak_kib: u64,
}

/// The numbers of a whole run.
pub(crate) struct Report {
    pub(crate) crowd: String,
    pub(crate) tallies: Vec<Tally>,
    pub(crate) rooms: usize,
    /// Messages from the backend that reached a client, and own ones that came back.
    pub(crate) deliveries: usize,
    pub(crate) own: usize,
    pub(crate) expected: usize,
    pub(crate) violations: usize,
    /// From the first message to the last delivery.
    pub(crate) length: Duration,
    pub(crate) cpu: Duration,
    pub(crate) usage: Usage,
}

impl Report {
    fn sum(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        self.tallies.iter().map(of).sum()
    }

    fn json(&self) -> Value {
        let seconds = self.length.as_secs_f64();
        let percent = 100.0 * self.deliveries as f64 / self.expected.max(1) as f64;
        let switches = self.sum(|tally| tally.switches.into());
        json!({
            "crowd": self.crowd,
            "clients": self.tallies.len(),
            "rooms": self.rooms,
            "seconds": round(seconds),
            "deliveries": self.deliveries,
            "deliveries_expected": self.expected,
            "delivered_percent": format!("{percent:.3}"),
            "own_messages": self.own,
            "violations": self.violations,
            "cuts": self.sum(|tally| tally.cuts.into()),
            "cuts_per_client_min": self.tallies.iter().map(|tally| tally.cuts).min(),
            "switches": switches,
            "switches_per_second": round(switches as f64 / seconds),
            "sessions_lost": self.sum(|tally| tally.lost.into()),
            "displaced_unasked": self.sum(|tally| tally.displaced.into()),
            "batches_repeated": self.sum(|tally| tally.repeated),
            "entries_overheard": self.sum(|tally| tally.overheard),
            "server_cpu_seconds": round(self.cpu.as_secs_f64()),
            "server_rss_mib": round(self.usage.rss_kib as f64 / 1024.0),
            "server_rss_peak_mib": round(self.usage.rss_peak_kib as f64 / 1024.0),
        })
    }

    /// Prints the numbers, and appends them to the file that the environment names, if it names one.
    pub(crate) fn publish(&self) {
        let line = format!("{}\n", self.json());
        print!("{line}");
        if let Some(path) = std::env::var_os("FANFARE_CUTS_OUT") {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            file.unwrap().write_all(line.as_bytes()).unwrap();
        }
    }
}

fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// What a process has used so far.
pub(crate) fn usage(pid: u32) -> Usage {
    /// What Linux counts processor time in, whatever the machine.
    const TICK: Duration = Duration::from_millis(10);
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let status = read("status");
    let kib = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    // The fields after the name, which may have blanks and ends with the last parenthesis: user and system time are the
    // 14th and 15th of all.
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    Usage { cpu: TICK * ticks, rss_kib: kib("VmRSS:"), rss_peak_kib: kib("VmHWM:") }
}
