//! `fanfare bench`: load a server and measure what it does.

use super::Failure;

/// What the load generator is told.
pub(super) use fanfare_bench::Args;

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match fanfare_bench::run(args) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Text("deliveries were lost, doubled or out of order".to_owned())),
        Err(error) => Err(Failure::Text(error.to_string())),
    }
}
