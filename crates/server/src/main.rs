//! The `fanfare` command.

use std::process::ExitCode;

use fanfare_server::app;

fn main() -> ExitCode {
    fanfare_server::cli::run(std::env::args_os(), &app::PROGRAM)
}
