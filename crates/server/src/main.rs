//! The `fanfare` command.

use std::process::ExitCode;

use fanfare_server::app;

/// The system's own allocator kept what thousands of handshakes had needed for as long as the process lived.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    fanfare_server::cli::run(std::env::args_os(), &app::PROGRAM)
}
