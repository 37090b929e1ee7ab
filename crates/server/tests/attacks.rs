//! Every attack, in small, on the real binary under its memory limit: the healthy ones must not be harmed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use fanfare_attack::{Attack, Plan, run};

#[test]
fn attacks_harm_nobody_but_the_attackers() {
    let report = run(&Plan::short(env!("CARGO_BIN_EXE_fanfare"))).unwrap();
    println!("{report}");
    assert!(report.faults().is_empty(), "{report}");
    let json = report.to_json();
    assert_eq!(json["attacks"].as_array().unwrap().len(), Attack::ALL.len());
    for attack in json["attacks"].as_array().unwrap() {
        assert!(attack["under_attack"]["deliveries"].as_u64() > Some(0), "nobody spoke: {attack}");
        assert!(attack["under_attack"]["newcomers"].as_u64() > Some(0), "nobody came: {attack}");
    }
}
