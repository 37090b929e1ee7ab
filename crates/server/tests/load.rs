//! The load generator against a real server: every delivery is accounted for.

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use fanfare_core::limits::RateLimits;
use fanfare_server::{Fanfare, listen};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    bench: fanfare_bench::Args,
}

/// Runs the small form of a scenario on a server of its own and expects no fault.
async fn check(scenario: &str) {
    let node = Fanfare::builder().shards(2).rate_limits(RateLimits::off()).start().unwrap();
    let listener = listen::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(listen::serve(listener, node.router(), Duration::from_secs(5), Some(node.network())));
    let cli = Cli::parse_from(["bench", "--quick", "--url", &url, "--scenario", scenario]);
    let verdict = tokio::task::spawn_blocking(move || fanfare_bench::run(&cli.bench)).await.unwrap().unwrap();
    assert!(verdict.is_sound(), "{scenario}: {verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saturated_room_gets_everything_once_and_in_order() {
    check("fanout_1k_subscribers_saturated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_with_several_publishers_get_everything_once() {
    check("many_publishers").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_readers_hurt_nobody_but_themselves() {
    check("stalled_100_of_1k_subscribers").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_may_come_and_go() {
    check("connection_rate").await;
}
