//! What dialects that speak JSON have in common: messages are read without being built, and written by hand.
//!
//! In the order a message travels:
//!
//! - [`message`]: the text of a message to a command, within the bounds on depth and size
//! - [`members`]: one pass over an object, by which each known member is found and nothing is built
//! - [`fields`]: reads one member as what its command wants it to be
//! - [`failure`]: why a message was refused, and the bounds on names
//! - [`write`]: strings, numbers, points in time and payloads, appended by hand
//! - [`object`]: an event's members, one after the other
//!
//! ```
//! use fanfare_json::{failure, fields, members, message};
//! use fanfare_protocol::dialect::DecodeLimits;
//! use fanfare_protocol::{Command, Incoming};
//!
//! members! {
//!     /// What is known here.
//!     struct Members { id = "id", token = "token", }
//! }
//!
//! let limits = DecodeLimits::default();
//! let text = Incoming::Text(r#"{"id":1,"token":"a.b.c","extra":[1]}"#);
//! let id = |members: &Members<'_>| fields::request_id("id", members.id, &limits);
//! let command = message::decode(text, &limits, id, |members, id| {
//!     let token = failure::secret("token", &fields::required("token", members.token)?)?;
//!     Ok(Command::Authenticate { id: id.take(), token })
//! });
//! assert!(matches!(command, Ok(Command::Authenticate { id: Some(_), .. })));
//! ```

pub mod failure;
pub mod fields;
pub mod members;
pub mod message;
pub mod object;
pub mod write;

pub use failure::{Checked, Failure};
