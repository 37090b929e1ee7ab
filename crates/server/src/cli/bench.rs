//! `fanfare bench`: load a server and measure what it does.

use super::Failure;

/// What the load generator is told.
pub(super) use fanfare_bench::Args;

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match fanfare_bench::run(args) {
        Ok(verdict) if verdict.is_sound() => Ok(()),
        Ok(verdict) => Err(Failure::Text(verdict.to_string())),
        Err(error) => Err(Failure::Text(error.to_string())),
    }
}
