//! The fault proxy as a program, for tests in other languages.
//!
//! `fanfare-faults UPSTREAM [SEED]` says `listening ADDRESS`, then takes orders on its standard input (see
//! `fanfare_testkit::faults::orders`) and ends with it.

use std::process::ExitCode;

use fanfare_testkit::faults::{FaultProxy, orders};
use tokio::io::{BufReader, stdin, stdout};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let run = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanfare-faults: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), String> {
    let (upstream, seed) = match arguments {
        [upstream] => (upstream, "0"),
        [upstream, seed] => (upstream, seed.as_str()),
        _ => return Err("usage: fanfare-faults UPSTREAM [SEED]".to_owned()),
    };
    let upstream = upstream.parse().map_err(|_| format!("not an address and port: {upstream}"))?;
    let seed = seed.parse().map_err(|_| format!("not a number: {seed}"))?;
    let proxy = FaultProxy::start(upstream, seed).await.map_err(|error| error.to_string())?;
    println!("listening {}", proxy.address());
    orders::obey(&proxy, BufReader::new(stdin()), stdout()).await.map_err(|error| error.to_string())
}
