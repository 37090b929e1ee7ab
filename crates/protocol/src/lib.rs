//! The neutral words of Fanfare.
//!
//! A dialect turns bytes into a [`Command`] and an [`Event`] into bytes; the engine turns commands into
//! events. Neither knows the other: they meet in this crate, which knows neither JSON nor HTTP nor a runtime.
//!
//! In the order a message travels:
//!
//! - [`names`]: validated channel names, patterns and user ids
//! - [`ids`]: connection ids, request ids, positions in a channel
//! - [`payload`]: application bytes, passed through as they came
//! - [`command`]: what a client asks
//! - [`publication`]: one numbered message of a channel
//! - [`event`]: what a client is told
//! - [`codes`]: every error and close code, generated from `spec/codes.json`
//! - [`dialect`]: the trait that a dialect implements
//!
//! ```
//! use fanfare_protocol::names::ChannelName;
//!
//! let lobby = ChannelName::new("chat:lobby").unwrap();
//! assert_eq!(lobby.namespace(), "chat");
//! assert!(ChannelName::new("a\u{0}b").is_err());
//! ```

pub mod codes;
pub mod command;
pub mod dialect;
pub mod event;
pub mod ids;
pub mod names;
pub mod payload;
pub mod publication;

pub use codes::{CloseCode, ErrorCode};
pub use command::Command;
pub use dialect::{Dialect, FrameKind, Incoming, Rejection};
pub use event::Event;
pub use ids::{ConnectionId, Epoch, Position, RequestId};
pub use names::{ChannelName, ChannelPattern, UserId};
pub use payload::Payload;
pub use publication::Publication;
