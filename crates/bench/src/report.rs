//! Results for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::args::Args;
use crate::measure::{Measured, median};
use crate::scenario::Scenario;

/// All runs of one scenario.
#[derive(Debug)]
pub struct Outcome {
    /// What was run.
    pub scenario: Scenario,
    /// One entry per run.
    pub runs: Vec<Measured>,
}

impl Outcome {
    /// The medians, by name.
    #[must_use]
    pub fn median(&self) -> Vec<(String, f64)> {
        median(&self.runs)
    }

    /// Whether every run was sound.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.runs.iter().all(|run| run.faults.is_empty())
    }

    /// A few lines for the terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{}\n", self.scenario.name);
        let median = self.median();
        let width = median.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &median {
            let _ = writeln!(text, "  {name:<width$}  {:>14}", number(*value));
        }
        for (index, run) in self.runs.iter().enumerate() {
            for fault in &run.faults {
                let _ = writeln!(text, "  run {}: FAULT: {fault}", index + 1);
            }
        }
        text
    }

    fn json(&self) -> Value {
        let object = |metrics: &[(String, f64)]| -> Map<String, Value> {
            metrics.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
        };
        let runs: Vec<Value> = self
            .runs
            .iter()
            .map(|run| json!({"metrics": object(&run.metrics), "faults": run.faults}))
            .collect();
        json!({
            "scenario": self.scenario.name,
            "about": self.scenario.about,
            "runs": runs,
            "median": object(&self.median()),
        })
    }
}

/// The whole report as one JSON object.
pub(crate) fn json_report(args: &Args, outcomes: &[Outcome]) -> Value {
    json!({
        "peer": args.peer.name(),
        "url": args.url,
        "quick": args.quick,
        "seconds": args.seconds,
        "window": args.window,
        "gather_ms": args.gather_ms,
        "payload_bytes": args.payload_bytes,
        "deflate": args.deflate,
        "scenarios": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
    })
}

/// Large numbers in groups of three, small ones with three significant digits.
fn number(value: f64) -> String {
    if value.abs() < 1_000.0 {
        let decimals = match value.abs() {
            0.0 => 0,
            tiny if tiny < 0.1 => 4,
            small if small < 1.0 => 3,
            medium if medium < 100.0 => 2,
            _ => 1,
        };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut grouped = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (value, text) in
            [(0.0, "0"), (0.0123, "0.0123"), (0.5, "0.500"), (12.345, "12.35"), (999.96, "1000.0")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(1_625_000.4), "1,625,000");
        assert_eq!(number(-12_345.0), "-12,345");
    }
}
