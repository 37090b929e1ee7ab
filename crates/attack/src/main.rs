//! Attacks a server of its own and says what came of it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fanfare_attack::{Attack, Plan, run};

/// Attacks a server under a limit of 512 MiB, with a healthy group of clients measured beside.
#[derive(Debug, Parser)]
#[command(name = "fanfare-attack", version)]
struct Cli {
    /// The server's binary
    #[arg(long)]
    server: PathBuf,
    /// The small form that the tests run
    #[arg(long)]
    short: bool,
    /// Only this attack; may be given several times
    #[arg(long = "attack", value_parser = attack)]
    attacks: Vec<Attack>,
    /// How many connections those attacks make that are about their number
    #[arg(long)]
    crowd: Option<usize>,
    /// What the raw numbers say about the machine
    #[arg(long, default_value = "")]
    machine: String,
    /// What the raw numbers say about the version
    #[arg(long, default_value = "")]
    commit: String,
    /// Where to write the raw numbers
    #[arg(long)]
    out: Option<PathBuf>,
}

fn attack(name: &str) -> Result<Attack, String> {
    Attack::named(name).ok_or_else(|| {
        let names: Vec<&str> = Attack::ALL.iter().map(|attack| attack.name()).collect();
        format!("there is no such attack; there are {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    match attempt(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fanfare-attack: {error}");
            ExitCode::from(2)
        }
    }
}

fn attempt(cli: Cli) -> std::io::Result<bool> {
    let mut plan = if cli.short { Plan::short(cli.server) } else { Plan::full(cli.server) };
    if !cli.attacks.is_empty() {
        plan.attacks = cli.attacks;
    }
    plan.scale.crowd = cli.crowd.unwrap_or(plan.scale.crowd);
    let report = run(&plan)?;
    println!("{report}");
    if let Some(out) = cli.out {
        let mut numbers = report.to_json();
        numbers["machine"] = cli.machine.into();
        numbers["commit"] = cli.commit.into();
        std::fs::write(out, format!("{numbers:#}\n"))?;
    }
    Ok(report.faults().is_empty())
}
