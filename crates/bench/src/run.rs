//! From the command line to the report.

use std::time::Duration;

use crate::args::Args;
use crate::dial::Target;
use crate::error::Error;
use crate::measure::{Gauge, Measured};
use crate::process::Process;
use crate::report::{Outcome, json_report};
use crate::scenario::{Bench, SCENARIOS, Scenario};

/// Runs the scenarios that were asked for, prints their tables, and says whether all runs were sound.
///
/// # Errors
/// When the arguments make no sense, or the report cannot be written. A run that goes wrong is no error
/// but a fault in the report.
pub fn run(args: &Args) -> Result<bool, Error> {
    if args.list {
        for scenario in SCENARIOS {
            println!("{}\n    {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    let scenarios = chosen(&args.scenario)?;
    let target = Target::parse(&args.url)?.with_deflate(args.deflate);
    let server = match args.pid {
        Some(pid) => {
            Some(Process::watch(pid).ok_or_else(|| Error::new(format!("cannot watch process {pid}")))?)
        }
        None => None,
    };
    let gather = Duration::try_from_secs_f64(args.gather_ms / 1e3)
        .map_err(|_| Error::new("gather-ms must be a number of milliseconds"))?;
    if args.seconds.is_nan() || args.seconds <= 0.0 || args.runs == 0 || args.window == 0 {
        return Err(Error::new("seconds, runs and window must be more than zero"));
    }
    let (runs, seconds) = if args.quick { (1, 1.0) } else { (args.runs, args.seconds) };
    let mut bench = Bench {
        peer: args.peer,
        target,
        gauge: Gauge::new(server),
        time: Duration::from_secs_f64(seconds),
        window: args.window,
        gather,
        payload_bytes: args.payload_bytes,
        quick: args.quick,
        prefix: String::new(),
    };
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let mut outcome = Outcome { scenario: *scenario, runs: Vec::new() };
        for index in 0..runs {
            bench.prefix = format!("bench-{}-{index}-{}", std::process::id(), outcomes.len());
            let measured = (scenario.run)(&bench)
                .unwrap_or_else(|error| Measured { faults: vec![error.to_string()], ..Measured::default() });
            outcome.runs.push(measured);
        }
        println!("{}", outcome.table());
        outcomes.push(outcome);
    }
    if let Some(path) = &args.json {
        let text = format!("{:#}\n", json_report(args, &outcomes));
        std::fs::write(path, text)
            .map_err(|error| Error::new(format!("cannot write {}: {error}", path.display())))?;
    }
    Ok(outcomes.iter().all(Outcome::is_sound))
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, Error> {
    let begins = |scenario: &Scenario, name: &String| scenario.name.starts_with(name.as_str());
    if let Some(unknown) = names.iter().find(|name| !SCENARIOS.iter().any(|scenario| begins(scenario, name)))
    {
        return Err(Error::new(format!("no scenario begins with {unknown:?}; --list shows them")));
    }
    let wanted = |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| begins(scenario, name));
    Ok(SCENARIOS.iter().filter(wanted).collect())
}
