//! Attacks on a real server process under a memory limit, with a healthy group of clients measured beside them.
//!
//! The healthy ones live in rooms and talk at a modest rate, and newcomers connect all the time. What they see is
//! measured while nothing else goes on and then during each attack; everything said has to reach everybody in the
//! room, once and in order. The modules in the order of a run:
//!
//! - [`plan`]: which attacks, how many of everything, how long
//! - `server`: the process, its limit, its memory and descriptors
//! - `source`, `tokens` and `line`: where connections come from, who they are, and one connection
//! - `account` and `healthy`: what the healthy ones are owed, and they themselves
//! - [`attacks`]: what is done to the server
//! - `run`: one after the other, and whether all is as before
//! - [`report`]: the table and the JSON
//!
//! ```no_run
//! use fanfare_attack::{Plan, run};
//!
//! let report = run(&Plan::short("target/debug/fanfare"))?;
//! assert!(report.faults().is_empty(), "{report}");
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod attacks;
pub mod plan;
pub mod report;

mod account;
mod healthy;
mod line;
mod run;
mod server;
mod source;
mod tokens;

pub use attacks::Attack;
pub use plan::Plan;
pub use report::Report;
pub use run::run;
pub use server::Server;
