//! The Rust client for Fanfare.
//!
//! It speaks the native protocol in JSON over WebSocket, restores its connection by itself, joins its
//! channels again and recovers what it missed there, each message once. In the order of use:
//!
//! - [`options`]: how to connect and subscribe, and every bound of the client
//! - [`client`]: the handle, for publishing, asking and subscribing
//! - [`token`]: where tokens come from
//! - [`subscription`] and [`event`]: what comes out of a channel
//! - [`notice`]: what comes from outside of channels
//! - [`error`]: why something could not be done, and whether trying again is of use
//!
//! Inside, one task owns the socket: `driver` connects and reconnects, `connection` turns bytes into
//! words, `words` knows the protocol's text, `table` and `entry` know calls and subscriptions, `errand`
//! asks the program for tokens.
//!
//! ```no_run
//! use fanfare_client::{Client, Event, Options, SubscribeOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare_client::Error> {
//! let client = Client::connect("ws://127.0.0.1:8000", Options::default()).await?;
//! let mut lobby =
//!     client.subscribe("chat:lobby", SubscribeOptions { history: 10, ..Default::default() }).await?;
//! client.publish("chat:lobby", serde_json::json!({"text": "hello"})).await?;
//!
//! while let Some(event) = lobby.next().await {
//!     match event {
//!         Event::Message(message) => println!("{:?}: {:?}", message.from, message.data),
//!         Event::Lost => println!("(some messages are missing)"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod client;
pub mod error;
pub mod event;
pub mod notice;
pub mod options;
pub mod publication;
pub mod subscription;
pub mod token;

mod connection;
mod driver;
mod entry;
mod errand;
mod order;
mod stream;
mod table;
mod target;
mod words;

pub use client::Client;
pub use driver::State;
pub use error::{Ending, Error};
pub use event::{Event, History, Member, Members, Message, Receipt, Subscribed};
pub use fanfare_protocol::publication::Filter;
pub use fanfare_protocol::{ErrorCode, Payload, Position};
pub use notice::{Notice, Notices};
pub use options::{Backoff, HistoryRange, Options, SubscribeOptions, Trust};
pub use publication::Publication;
pub use subscription::Subscription;
pub use token::Token;
