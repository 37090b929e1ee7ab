//! Clients whose lines are cut again and again, and clients that change from one transport to another: every one of
//! them hears everything once and in order, and what it says itself is taken once and in order.
//!
//! The server is the real binary, each client's line a fault proxy, and the judge of what they heard is the history
//! checker. The clients are written after the documents, without a line of the server's own code, but for the native one,
//! which is the Rust client.
//!
//! - [`run`]: a server, a crowd on one transport, its traffic, its cuts, and the verdict
//! - [`scale`]: how many, how long, how often; `FANFARE_CUTS=full` makes it a thousand clients for a minute
//! - [`wanderer`]: a client with a session over whatever transport; it may change it on purpose
//! - [`native`], [`listener`]: the Rust client, and an EventSource without a session
//! - [`carrier`], [`events`], [`line`]: the transports of a session, server-sent events, HTTP
//! - [`forsaken`]: a session that nobody comes back to
//! - [`session`]: where a session is begun and messages go up
//! - [`ear`], [`voice`], [`ledger`]: what a client hears and says, and the history of it
//! - [`backend`]: what the API is asked for; it is never cut

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod backend;
mod carrier;
mod ear;
mod events;
mod forsaken;
mod ledger;
mod line;
mod listener;
mod native;
#[path = "../socket/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests of the socket")]
mod process;
mod report;
mod run;
mod scale;
mod session;
mod voice;
mod wanderer;

use std::future::Future;
use std::time::Duration;

use carrier::Transport;
use run::Crowd;
use scale::Scale;

/// How long anything awaited may take before it counts as never happening.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a step comes to: a failure says what was awaited.
type Outcome<T> = Result<T, String>;

/// Waits for something, or says in vain for what.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> Outcome<T> {
    tokio::time::timeout(PATIENCE, future).await.map_err(|_| format!("waited in vain for {what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_switches_of_transport_under_traffic_lose_nothing() {
    run::check(Crowd::Switching, Scale::switches()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_client_over_websocket_recovers_from_every_cut() {
    run::check(Crowd::Native, Scale::cuts()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_over_websocket_resumes_after_every_cut() {
    run::check(Crowd::Session(Transport::WebSocket), Scale::cuts()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_over_server_sent_events_resumes_after_every_cut() {
    run::check(Crowd::Session(Transport::Events), Scale::cuts()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_over_a_stream_of_lines_resumes_after_every_cut() {
    run::check(Crowd::Session(Transport::Lines), Scale::cuts()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_over_long_polling_resumes_after_every_cut() {
    run::check(Crowd::Session(Transport::Poll), Scale::cuts()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_source_without_a_session_recovers_from_every_cut() {
    run::check(Crowd::OneWay, Scale::cuts()).await;
}
