//! The documented configurations of nginx and HAProxy, started as they are, with the real server behind them.
//!
//! - `support`: the server, the proxies and bytes on a socket
//! - `addresses`: whose address comes through
//! - `documented`: the configurations do what the page says
//! - `session`, `transports`: every transport, a reload of the proxy, clients that have gone, several nodes
//! - `smuggling`, `cases`: requests hidden in others are never carried out

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod addresses;
mod cases;
mod documented;
mod session;
mod smuggling;
mod support;
mod transports;
