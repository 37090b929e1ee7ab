//! The server at its socket: bytes that no library would send, and clients that somebody else wrote.
//!
//! - `raw_socket_http`, `raw_socket_frames`, `raw_socket_application`: tables of what goes wrong, each case
//!   with a neighbour in the same room that must not notice
//! - `raw_socket_floods`, `raw_socket_deadlines`: much at once, and too late
//! - `origins`, `cookies`, `addresses`: whose pages may connect, where a client is, and how often it may come
//! - `limits`: the bounds on connections, subscriptions and slow consumers
//! - `conversation`, `recovery`: clients that talk, and clients that are cut
//! - `compression`: what is agreed on, what goes compressed, and what comes
//! - `one_room`: dialects whose connections are in one room each
//! - `http_heads`, `http_waiting`: requests that are ambiguous, and connections that wait for the next one
//! - `tls`, `tls_renewal`: the same over TLS, and certificates that are replaced
//! - `http2`: WebSockets and requests as streams of one connection
//! - `handlers`, `embedding`: in an application
//! - `administration`: the listener for metrics
//! - `canaries`: secrets sent by every road, and searched for
//! - `reload`: SIGHUP under clients that are connected
//! - `process`: the binary, where it matters that it is a process

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod addresses;
mod administration;
mod canaries;
mod compression;
mod conversation;
mod cookies;
mod dialects;
mod embedding;
mod handlers;
mod http2;
mod http_heads;
mod http_waiting;
mod limits;
mod one_room;
mod origins;
mod process;
mod raw_socket_application;
mod raw_socket_deadlines;
mod raw_socket_floods;
mod raw_socket_frames;
mod raw_socket_http;
mod recovery;
mod reload;
mod support;
mod tls;
mod tls_renewal;
