//! The test bench of the engine (development only).
//!
//! In the order a test meets it:
//!
//! - [`check`]: runs a script of commands and compares, line by line, what every client received
//! - [`script`]: the script's language
//! - [`bench`]: shards, the memory broker, a clock and sockets that the test moves
//! - [`lane`]: encodes every event as one line of text
//! - [`inboxes`], [`application`], [`client`]: the bench's other parts
//! - [`history`], [`checker`]: what every participant did and saw, and the judge of it
//! - [`transcripts`]: the conformance suite of the dialects
//! - [`rng`]: reproducible choices
//! - [`faults`]: a line between real sockets that fails when it is told to
//!
//! ```
//! fanfare_testkit::check(
//!     "open ann
//!      ann: subscribe #1 lobby
//!      ann> subscribed #1 lobby A.0 replayed=0
//!      api publish lobby hello
//!      ann> message lobby A.1 hello
//!      api> published A.1",
//! );
//! ```

pub mod application;
pub mod authority;
pub mod bench;
pub mod checker;
pub mod client;
pub mod faults;
pub mod history;
pub mod inboxes;
pub mod lane;
pub mod rng;
pub mod run;
pub mod script;
pub mod transcripts;

pub use bench::{Bench, Setup};
pub use checker::Checker;
pub use run::{check, check_with};
