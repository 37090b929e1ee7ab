//! One WebSocket connection: its socket and its decoder. What it means is the engine's business.
//!
//! - [`lane`]: a dialect in WebSocket frames
//! - [`stream`]: the kinds of socket a connection may come over

pub(crate) mod lane;
pub(crate) mod stream;

use fanfare_core::session::Opening;
use fanfare_wire::{Decoder, Role};

use crate::admission::Seat;
use stream::Stream;

/// A connection that has shaken hands, on its way to a worker.
pub(crate) struct Arrival {
    pub(crate) stream: Stream,
    /// Bytes that came behind the handshake.
    pub(crate) early: Vec<u8>,
    pub(crate) opening: Opening,
    /// What it counts for; given back when the connection goes.
    pub(crate) seat: Seat,
}

/// A connection that a worker owns.
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) decoder: Decoder,
    /// What was read while the session took no commands.
    pub(crate) unread: Vec<u8>,
    /// Whether the peer broke the protocol: what else it sends is not looked at.
    pub(crate) broken: bool,
    /// Bytes that came since the conversation was over.
    pub(crate) read_at_end: u32,
    /// Whether the peer's side of the socket is known to be shut: it is read to its end.
    pub(crate) ending: bool,
    /// Whether it stands in the list of those to be read.
    pub(crate) to_read: bool,
    /// Whether the socket was given room for the last words.
    pub(crate) made_room: bool,
    /// Whether our side of the socket is shut.
    pub(crate) shut: bool,
    _seat: Seat,
}

impl Connection {
    pub(crate) fn new(stream: Stream, early: Vec<u8>, seat: Seat) -> Self {
        Self {
            stream,
            decoder: Decoder::new(Role::Server),
            unread: early,
            broken: false,
            read_at_end: 0,
            ending: false,
            to_read: false,
            made_room: false,
            shut: false,
            _seat: seat,
        }
    }
}
