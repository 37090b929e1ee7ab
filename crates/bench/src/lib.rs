//! The load generator behind `fanfare bench`.
//!
//! One thread and one poller serve all connections, each of which is a socket, a few counters and buffers
//! that own nothing while they are empty. Frames are hopped over in a shared read buffer and counted there.
//! Every delivery is held against the publication it belongs to: a lost, doubled or reordered one makes
//! the run faulty. The modules in the order of a run:
//!
//! - [`args`]: the command line
//! - `probe`: a first look at the server
//! - [`scenario`]: the scenarios, each a sentence
//! - `adapter`: how to speak to each kind of server
//! - `dial`: how sockets are opened
//! - `swarm` and `seat`: all connections, and one of them
//! - `frame`: hopping over WebSocket frames
//! - `stamp` and `ledger`: which publication a delivery is, and the exact account
//! - `drive` and `ticker`: publishing as fast as possible, or by the clock
//! - `process` and `measure`: the server's processor time and memory
//! - `account` and `progress`: what all runs come to, while they go on and as a verdict
//! - [`report`]: tables and JSON
//!
//! ```no_run
//! use clap::Parser;
//!
//! #[derive(Parser)]
//! struct Cli {
//!     #[command(flatten)]
//!     bench: fanfare_bench::Args,
//! }
//!
//! let cli = Cli::parse_from(["bench", "--url", "ws://127.0.0.1:8000", "--quick"]);
//! let verdict = fanfare_bench::run(&cli.bench)?;
//! println!("{verdict}");
//! # Ok::<(), fanfare_bench::Error>(())
//! ```

pub mod args;
pub mod report;
pub mod scenario;

mod account;
mod adapter;
mod dial;
mod drive;
mod error;
mod frame;
mod ledger;
mod measure;
mod probe;
mod process;
mod progress;
mod run;
mod seat;
mod stamp;
mod swarm;
mod ticker;

pub use account::Verdict;
pub use adapter::Peer;
pub use args::Args;
pub use error::Error;
pub use measure::Measured;
pub use run::run;
