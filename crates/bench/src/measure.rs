//! Readings at two moments, and what lies between them.

use std::time::Instant;

use hdrhistogram::Histogram;

use crate::error::Error;
use crate::process::Process;

/// Where readings are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauge {
    /// The server, when its process id was given.
    pub(crate) server: Option<Process>,
    /// The server's resident memory before the first connection.
    pub(crate) baseline_kib: f64,
}

/// The readings of one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    at: Instant,
    count: u64,
    server_cpu_seconds: Option<f64>,
    own_cpu_seconds: f64,
}

impl Gauge {
    pub(crate) fn new(server: Option<Process>) -> Self {
        Self { server, baseline_kib: server.map_or(0.0, Process::rss_kib) }
    }

    /// Reads everything now; `count` is whatever is being counted.
    pub(crate) fn mark(&self, count: u64) -> Mark {
        Mark {
            at: Instant::now(),
            count,
            server_cpu_seconds: self.server.map(Process::cpu_seconds),
            own_cpu_seconds: Process::own().cpu_seconds(),
        }
    }
}

/// What a run found: named numbers, the unit last in the name.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// In the order in which they are shown.
    pub metrics: Vec<(String, f64)>,
    /// Everything that makes the numbers worthless.
    pub faults: Vec<String>,
}

impl Measured {
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64) {
        self.metrics.push((name.into(), value));
    }

    /// A run that could not be finished.
    pub(crate) fn failed(error: &Error) -> Self {
        Self { faults: vec![error.to_string()], ..Self::default() }
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Rate and processor time between two moments; `what` is what was counted, in the singular.
    pub(crate) fn add_span(&mut self, what: &str, before: Mark, after: Mark) {
        let seconds = (after.at - before.at).as_secs_f64();
        let count = (after.count - before.count) as f64;
        let plural = if what == "delivery" { "deliveries".to_owned() } else { format!("{what}s") };
        self.add(format!("{plural}_per_second"), count / seconds);
        if let (Some(before), Some(after)) = (before.server_cpu_seconds, after.server_cpu_seconds) {
            self.add(format!("server_cpu_us_per_{what}"), (after - before) * 1e6 / count.max(1.0));
        }
        self.add_cpu(before, after);
    }

    /// What was read for each of what was counted, whatever else came with it.
    pub(crate) fn add_received(&mut self, what: &str, before: Mark, after: Mark, received_bytes: u64) {
        let count = (after.count - before.count) as f64;
        self.add(format!("bytes_per_{what}"), received_bytes as f64 / count.max(1.0));
    }

    /// Processor time between two moments, as cores in use.
    pub(crate) fn add_cpu(&mut self, before: Mark, after: Mark) {
        let seconds = (after.at - before.at).as_secs_f64();
        if let (Some(before), Some(after)) = (before.server_cpu_seconds, after.server_cpu_seconds) {
            self.add("server_cpu_cores", (after - before) / seconds);
        }
        self.add("generator_cpu_cores", (after.own_cpu_seconds - before.own_cpu_seconds) / seconds);
    }

    /// The usual points of a latency distribution, in milliseconds.
    pub(crate) fn add_latency(&mut self, prefix: &str, histogram: &Histogram<u64>) {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
            self.add(
                format!("{prefix}latency_{name}_ms"),
                histogram.value_at_quantile(quantile) as f64 / 1e6,
            );
        }
    }

    /// The server's resident memory now.
    pub(crate) fn add_rss(&mut self, gauge: &Gauge) {
        if let Some(server) = gauge.server {
            self.add("server_rss_mib", server.rss_kib() / 1024.0);
        }
    }
}

/// An empty latency histogram, in nanoseconds.
pub(crate) fn latencies() -> Option<Histogram<u64>> {
    // From a microsecond to two minutes with three digits: constants that fit each other.
    Histogram::new_with_bounds(1_000, 120_000_000_000, 3).ok()
}

/// For each name the median over the runs that were made without fault.
pub(crate) fn median(runs: &[Measured]) -> Vec<(String, f64)> {
    let sound: Vec<&Measured> = runs.iter().filter(|run| run.faults.is_empty()).collect();
    let Some(first) = sound.first() else { return Vec::new() };
    let middle = |name: &str| {
        let mut values: Vec<f64> = sound.iter().filter_map(|run| run.get(name)).collect();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
    };
    first.metrics.iter().map(|(name, _)| (name.clone(), middle(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: f64, faults: &[&str]) -> Measured {
        let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
        Measured { metrics: vec![("x".to_owned(), value)], faults }
    }

    #[test]
    fn the_median_leaves_out_faulty_runs() {
        let runs = [run(9.0, &[]), run(1.0, &[]), run(1_000.0, &["lost"]), run(5.0, &[])];
        assert_eq!(median(&runs), [("x".to_owned(), 5.0)]);
        assert_eq!(median(&runs[..2]), [("x".to_owned(), 5.0)]);
        assert_eq!(median(&[run(1.0, &["lost"])]), []);
    }
}
