//! The Fanfare server, as a library: what the `fanfare` binary is made of, and what applications embed.
//!
//! In the order a message travels:
//!
//! - [`listen`], [`tls`]: accepts, shakes hands where TLS is spoken, and gives connections to hyper
//! - [`network`]: whose pages may connect, where a client really is, and how often one address may come
//! - `handshake`, `admission`, `upgraded`: from an HTTP request to a socket in a worker
//! - `authority`, [`revocations`]: whose token it is, and whether it still counts
//! - `worker`, `connection`: the thread that owns a shard and its sockets
//! - `inbox`: the way into a worker
//! - `drain`: whether the node is shutting down
//! - [`node`], [`handle`], [`handlers`]: a node, what a backend may do with it, and what an application adds
//! - `admin`: the listener for metrics and administration
//! - [`demo`]: the page that shows it
//! - [`config`], [`app`]: settings, and the composition root
//! - `clock`: the time, by two clocks
//! - `descriptors`: the limit on file descriptors
//! - `private_file`: files that only their owner may read

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dialects;
pub mod handle;
pub mod handlers;
pub mod http_api;
pub mod inspection;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod network;
pub mod node;
pub mod revocations;
pub mod secrets;
pub mod tls;

mod admin;
mod admission;
mod authority;
mod clock;
mod connection;
mod descriptors;
mod drain;
mod handshake;
mod inbox;
mod private_file;
mod reload;
mod sessions;
mod traffic;
mod upgraded;
mod worker;

/// Tokens of others: whose are taken, and what they have to say.
pub use fanfare_auth as auth;

pub use handle::Fanfare;
pub use node::{Builder, Node};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
