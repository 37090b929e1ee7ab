//! The load generator as a program of its own.

use std::process::ExitCode;

use clap::Parser;

/// Loads a real-time server and measures what it does.
#[derive(Debug, Parser)]
#[command(name = "fanfare-bench", version)]
struct Cli {
    #[command(flatten)]
    bench: fanfare_bench::Args,
}

fn main() -> ExitCode {
    match fanfare_bench::run(&Cli::parse().bench) {
        Ok(verdict) if verdict.is_sound() => ExitCode::SUCCESS,
        Ok(verdict) => {
            eprintln!("fanfare-bench: {verdict}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("fanfare-bench: {error}");
            ExitCode::from(2)
        }
    }
}
