//! `fanfare bench`: what it says before, and what it comes to.

use crate::support::{Home, text};

/// A default server refuses most of what a bench sends. That took 15 s, eight copies of an error, and was called "lost".
#[test]
fn rate_limits_are_named_at_once_with_the_settings_against_them() {
    let home = Home::new("bench-rates");
    let server = home.serve();
    let scenario = "fanout_1k_subscribers_saturated";
    let output = home.run(&["bench", "--quick", "--url", server.url(), "--scenario", scenario]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    let (first, last) = (said.lines().next().unwrap_or_default(), said.lines().last().unwrap_or_default());
    assert!(first.starts_with("fanfare bench: rate limits are on") && first.contains("--insecure"), "{said}");
    let refused = last.strip_prefix("fanfare: the server refused ").unwrap_or_default();
    assert!(refused.ends_with(" messages: rate limits are on") && said.lines().count() == 2, "{said}");
    assert!(!said.contains('\r'), "progress is for terminals");

    // Scenarios that publish nothing are none the worse for it.
    let output = home.run(&["bench", "--quick", "--url", server.url(), "--scenario", "connection_rate"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let last = text(&output.stdout).lines().last();
    assert_eq!(last, Some("every connection stood; nothing was delivered"));
}

#[test]
fn with_the_settings_that_it_names_every_delivery_arrives() {
    let home = Home::new("bench-sound");
    let limited = home.serve();
    let scenario = "latency_100_rooms";
    let output = home.run(&["bench", "--quick", "--url", limited.url(), "--scenario", scenario]);
    let settings = text(&output.stderr).split_whitespace().skip_while(|word| *word != "--set");
    let settings: Vec<&str> = settings.take_while(|word| *word != "fanfare:").collect();
    assert_eq!(settings.len(), 4, "{}", text(&output.stderr));
    let server = home.serve_with(&[&settings[..], &["--set", "data_dir=other"]].concat());
    let output = home.run(&["bench", "--quick", "--url", server.url(), "--scenario", scenario]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let last = text(&output.stdout).lines().last().unwrap_or_default();
    assert!(last.starts_with("every delivery arrived, once and in order: "), "{last}");
}

/// A server that is down was "deliveries were lost, doubled or out of order".
#[test]
fn a_server_that_is_down_is_no_lost_delivery() {
    let home = Home::new("bench-down");
    let output = home.run(&["bench", "--url", "ws://127.0.0.1:1"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("fanfare: cannot connect to 127.0.0.1:1: ") && said.lines().count() == 1,
        "{said}"
    );
}
