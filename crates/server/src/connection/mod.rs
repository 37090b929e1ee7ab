//! One connection: its socket, and what turns its bytes into messages and back. What they mean is the engine's business.
//!
//! - [`lane`]: a dialect in WebSocket frames
//! - [`deflated_lane`]: a dialect in WebSocket frames that may be compressed
//! - [`framed`]: what a connection frames itself, since it depends on how far the connection has come
//! - [`posted`]: messages that come in a request's body
//! - [`stream`]: the kinds of socket a connection may come over

pub(crate) mod deflated_lane;
pub(crate) mod framed;
pub(crate) mod lane;
pub(crate) mod posted;
pub(crate) mod stream;

use fanfare_core::session::Opening;
use fanfare_protocol::command::SubscribeOptions;
use fanfare_protocol::{ChannelName, ConnectionId, ErrorCode};
use fanfare_wire::{Decoder, Role};
use tokio::sync::oneshot;

use crate::admission::Seat;
use framed::{Carrier, Framed, Polled};
use posted::Posted;
use stream::Stream;

/// A connection that has shaken hands, on its way to a worker.
pub(crate) struct Arrival {
    pub(crate) stream: Stream,
    /// Bytes that came behind the handshake.
    pub(crate) early: Vec<u8>,
    /// Whether messages may be compressed.
    pub(crate) deflates: bool,
    pub(crate) opening: Opening,
    /// What it counts for; given back when the connection goes.
    pub(crate) seat: Seat,
    /// Where the engine does not frame for it.
    pub(crate) beginning: Option<Box<Beginning>>,
}

/// What a connection on a bare lane begins with.
pub(crate) struct Beginning {
    pub(crate) framed: Framed,
    /// Whether the client has to be told which session is its own.
    pub(crate) tells_session: bool,
    /// Who wants to know the connection's id.
    pub(crate) told: Option<oneshot::Sender<ConnectionId>>,
    /// What it subscribes to without having to say so.
    pub(crate) channels: Vec<(ChannelName, SubscribeOptions)>,
}

/// Something for a session that is there already.
pub(crate) struct SessionRequest {
    pub(crate) id: ConnectionId,
    pub(crate) ask: Ask,
}

/// What is asked of it. What is not answered has found no session.
pub(crate) enum Ask {
    /// Whether it can be resumed after so many entries.
    Find { seen: u64, reply: oneshot::Sender<bool> },
    /// A connection that carries it from now on, from the entry after the first `seen`. `head` is written first.
    Carry { seen: u64, carrier: Carrier, prefix: String, stream: Stream, early: Vec<u8>, head: Vec<u8> },
    /// A request that carries what there is, as soon as there is something, or `at_once`. Without `seen`, what the last
    /// answer had is taken to have arrived.
    Poll { seen: Option<u64>, at_once: bool, reply: oneshot::Sender<Result<Polled, ErrorCode>> },
    /// Messages of the client, with the number of their batch if it counts them; answered with whether they are new.
    Post {
        batch: Option<u64>,
        seen: Option<u64>,
        messages: Posted,
        reply: oneshot::Sender<Result<bool, ErrorCode>>,
    },
    /// Ends it.
    End { reply: oneshot::Sender<()> },
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
    /// Where the engine does not frame for it.
    pub(crate) framed: Option<Box<Framed>>,
    _seat: Seat,
}

impl Connection {
    pub(crate) fn new(
        stream: Stream,
        early: Vec<u8>,
        deflates: bool,
        seat: Seat,
        framed: Option<Framed>,
    ) -> Self {
        Self {
            stream,
            decoder: match deflates {
                true => Decoder::with_deflate(Role::Server),
                false => Decoder::new(Role::Server),
            },
            unread: early,
            broken: false,
            read_at_end: 0,
            ending: false,
            to_read: false,
            made_room: false,
            shut: false,
            framed: framed.map(Box::new),
            _seat: seat,
        }
    }

    /// Whether what comes over the stream are WebSocket frames. What comes after the request for any other transport
    /// is nobody's business.
    pub(crate) fn takes_frames(&self) -> bool {
        self.framed.as_ref().is_none_or(|framed| matches!(framed.carrier, Carrier::Frames))
    }

    /// Goes on over another stream, or over none.
    pub(crate) fn change_stream(&mut self, stream: Stream, early: Vec<u8>) {
        self.stream = stream;
        self.unread = early;
        self.decoder = Decoder::new(Role::Server);
        (self.broken, self.ending, self.made_room, self.shut) = (false, false, false, false);
        self.read_at_end = 0;
        if let Some(framed) = &mut self.framed {
            framed.carrier = Carrier::Nothing;
            framed.tail = Vec::new();
            framed.pong = None;
        }
    }
}
