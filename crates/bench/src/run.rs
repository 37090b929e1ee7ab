//! From the command line to the report.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::account::Verdict;
use crate::args::Args;
use crate::dial::Target;
use crate::error::Error;
use crate::measure::{Gauge, Measured};
use crate::probe::probe;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::{Outcome, json_report};
use crate::scenario::{Bench, SCENARIOS, Scenario};

/// Runs the scenarios that were asked for, prints their tables, and says what they come to.
///
/// What the first look at the server finds, and progress, goes to standard error; progress only to a terminal.
///
/// # Errors
/// When the arguments make no sense, the server cannot be reached, or the report cannot be written. A run that goes
/// wrong is no error but a fault in the report, and decides the verdict.
pub fn run(args: &Args) -> Result<Verdict, Error> {
    if args.list {
        for scenario in SCENARIOS {
            say(&format!("{}\n    {}", scenario.name, scenario.about))?;
        }
        return Ok(Verdict::Sound { deliveries: 0 });
    }
    let scenarios = chosen(&args.scenario)?;
    let mut bench = prepare(args)?;
    if let Some(warning) = probe(&bench)? {
        // Who does not read standard error sees it in the verdict.
        let _ = writeln!(std::io::stderr(), "fanfare bench: {warning}");
    }
    let account = Arc::clone(&bench.account);
    let progress = Progress::on_terminal(&account);
    let runs = if args.quick { 1 } else { args.runs };
    let mut outcomes = Vec::new();
    let mut gone = None;
    for scenario in scenarios {
        let mut outcome = Outcome { scenario: *scenario, runs: Vec::new() };
        for index in 0..runs {
            progress.begin(format!("{}, run {} of {runs}", scenario.name, index + 1), &account);
            bench.prefix = format!("bench-{}-{index}-{}", std::process::id(), outcomes.len());
            // A server that has gone fails every later run in the same way.
            let measured = match bench.target.reach() {
                Ok(()) => (scenario.run)(&bench),
                Err(error) => {
                    gone = Some(error.to_string());
                    Err(error)
                }
            };
            outcome.runs.push(measured.unwrap_or_else(|error| Measured::failed(&error)));
            if gone.is_some() {
                break;
            }
        }
        progress.quiet();
        say(&outcome.table())?;
        outcomes.push(outcome);
        if gone.is_some() {
            break;
        }
    }
    if let Some(path) = &args.json {
        let text = format!("{:#}\n", json_report(args, &outcomes));
        std::fs::write(path, text)
            .map_err(|error| Error::new(format!("cannot write {}: {error}", path.display())))?;
    }
    let faults = outcomes.iter().flat_map(|outcome| &outcome.runs).map(|run| run.faults.len() as u64).sum();
    let verdict = match gone {
        Some(why) => Verdict::Unreachable { why },
        None => account.verdict(faults),
    };
    if verdict.is_sound() {
        say(&verdict.to_string())?;
    }
    Ok(verdict)
}

fn prepare(args: &Args) -> Result<Bench, Error> {
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
    let seconds = if args.quick { 1.0 } else { args.seconds };
    Ok(Bench {
        peer: args.peer,
        target,
        gauge: Gauge::new(server),
        time: Duration::try_from_secs_f64(seconds)
            .map_err(|_| Error::new("seconds must be a number of seconds"))?,
        window: args.window,
        gather,
        payload_bytes: args.payload_bytes,
        quick: args.quick,
        prefix: String::new(),
        account: Arc::default(),
    })
}

/// Writes a line to standard output. When nobody reads it any more, the run goes on for the report and the verdict.
fn say(text: &str) -> Result<(), Error> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
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
