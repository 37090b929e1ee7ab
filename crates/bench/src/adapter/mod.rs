//! How to speak to each server under test. One file per server, all of the same shape.

mod fanfare;
mod nats;
mod nchan;
mod socketio;
mod ws;

use std::fmt::Write as _;

use clap::ValueEnum;
use fanfare_wire::OpCode;

use crate::frame;
use crate::ledger::{Ledger, Tally, excerpt};

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Fanfare's native JSON protocol.
    Fanfare,
    /// A hub in Node on the npm package `ws`, speaking the same JSON.
    Ws,
    /// Socket.IO 4, WebSocket transport.
    #[value(name = "socketio")]
    SocketIo,
    /// nats-server's WebSocket listener.
    Nats,
    /// nginx with nchan.
    Nchan,
}

impl Peer {
    /// The name used on the command line and in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Peer::Fanfare => "fanfare",
            Peer::Ws => "ws",
            Peer::SocketIo => "socketio",
            Peer::Nats => "nats",
            Peer::Nchan => "nchan",
        }
    }

    pub(crate) fn adapter(self) -> &'static dyn Adapter {
        match self {
            Peer::Fanfare => &fanfare::Fanfare,
            Peer::Ws => &ws::Ws,
            Peer::SocketIo => &socketio::SocketIo,
            Peer::Nats => &nats::Nats,
            Peer::Nchan => &nchan::Nchan,
        }
    }
}

/// What a connection is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Subscriber,
    Publisher,
}

/// One connection, as its adapter sees it.
#[derive(Debug, Clone)]
pub(crate) struct Who<'a> {
    pub(crate) role: Role,
    /// The room it subscribes or, where publishers are bound to rooms, publishes to.
    pub(crate) room: &'a str,
}

/// What an adapter remembers about a connection.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Whether it is subscribed, or may publish.
    pub(crate) ready: bool,
    /// A record that has not arrived whole, of peers that send a byte stream.
    pub(crate) partial: Vec<u8>,
}

/// What an adapter can do with what it heard.
pub(crate) struct Hearing<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) tally: &'a mut Tally,
    pub(crate) ledger: &'a mut Ledger,
    /// Frames to be sent.
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) now_ns: u64,
}

impl Hearing<'_> {
    /// A message of the room.
    pub(crate) fn delivered(&mut self, message: &[u8]) {
        self.ledger.deliver(self.tally, message, self.now_ns);
    }

    /// Subscribed, or fit to publish.
    pub(crate) fn ready(&mut self) {
        self.link.ready = true;
    }

    /// Answers.
    pub(crate) fn reply(&mut self, opcode: OpCode, payload: &[u8]) {
        frame::push(self.out, opcode, payload);
    }

    /// The server answered a publication with an error of this code.
    pub(crate) fn refused_publication(&mut self, code: &str) {
        self.ledger.refuse(code);
    }

    /// The server said something that ends the sense of the run.
    pub(crate) fn refused(&mut self, message: &[u8]) {
        self.ledger.fault(|| format!("the server says {}", excerpt(message)));
    }
}

/// A peer's words. Adapters hold no state: what they need to remember is in [`Link`].
pub(crate) trait Adapter: Sync {
    /// Path and query of the WebSocket. None where no WebSocket is opened: the adapter then writes and
    /// hears plain bytes.
    fn path(&self, who: &Who<'_>) -> Option<String>;

    /// Whether frames are slices of a byte stream, in which records may be cut anywhere.
    fn is_streamed(&self) -> bool {
        false
    }

    /// Whether a publisher is bound to one room.
    fn binds_publisher_to_room(&self) -> bool {
        false
    }

    /// The WebSocket is open, or without one the socket: say what must be said unasked, into `hearing`.
    fn opened(&self, who: &Who<'_>, hearing: &mut Hearing<'_>);

    /// Something arrived: a message, or in streamed mode a piece of the stream.
    fn heard(&self, who: &Who<'_>, message: &[u8], hearing: &mut Hearing<'_>);

    /// Appends the frames that publish `data` to `room`.
    fn publish(&self, room: &str, data: &[u8], out: &mut Vec<u8>);
}

/// Writes one JSON text frame around `data`, which needs no escaping.
fn push_json_publish(head: &str, room: &str, middle: &str, data: &[u8], tail: &str, out: &mut Vec<u8>) {
    let mut message = String::with_capacity(64 + room.len() + data.len());
    // Writing to a String cannot fail.
    let _ = write!(message, "{head}{room}{middle}{}{tail}", String::from_utf8_lossy(data));
    frame::push(out, OpCode::Text, message.as_bytes());
}

/// Checks the rules that the generator relies on for every adapter.
#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> (Ledger, Tally, Link) {
        let mut ledger = Ledger::new(std::sync::Arc::default());
        ledger.open_rooms(1, false);
        let mut tally = Tally::counted(0);
        ledger.enter(&mut tally);
        ledger.publish(0);
        ledger.publish(0);
        (ledger, tally, Link::default())
    }

    /// Plays what a server says to a subscriber and returns (ready, deliveries, faults, bytes sent).
    fn check(peer: Peer, says: &[&str]) -> (bool, u64, u64, usize) {
        let (mut ledger, mut tally, mut link) = scene();
        let who = Who { role: Role::Subscriber, room: "r" };
        let mut out = Vec::new();
        let mut hearing =
            Hearing { link: &mut link, tally: &mut tally, ledger: &mut ledger, out: &mut out, now_ns: 1 };
        peer.adapter().opened(&who, &mut hearing);
        for message in says {
            peer.adapter().heard(&who, message.as_bytes(), &mut hearing);
        }
        (link.ready, ledger.deliveries(), ledger.faults_total(), out.len())
    }

    const FIRST: &str = "~000000000000000000000000";
    const SECOND: &str = "~000000010000000000000000";

    #[test]
    fn json_peers_subscribe_and_deliver() {
        for peer in [Peer::Fanfare, Peer::Ws] {
            let message = format!(r#"{{"type":"message","channel":"r","from":"u","data":"{FIRST}"}}"#);
            let says = [r#"{"type":"subscribed","id":1,"channel":"r"}"#, &message];
            let (ready, deliveries, faults, _) = check(peer, &says);
            assert_eq!((ready, deliveries, faults), (true, 1, 0), "{peer:?}");
            let (ready, _, faults, _) = check(peer, &[r#"{"type":"error","id":1,"code":"c","error":"e"}"#]);
            assert_eq!((ready, faults), (false, 1), "{peer:?}");
        }
    }

    #[test]
    fn socketio_greets_subscribes_and_answers_pings() {
        let message = format!(r#"42["message","{FIRST}"]"#);
        let says = [r#"0{"sid":"x"}"#, r#"40{"sid":"y"}"#, "430[]", &message];
        let (ready, deliveries, faults, sent) = check(Peer::SocketIo, &says);
        assert_eq!((ready, deliveries, faults), (true, 1, 0));
        let (.., sent_with_pong) = check(Peer::SocketIo, &[says[0], says[1], says[2], says[3], "2"]);
        assert!(sent_with_pong > sent);
    }

    #[test]
    fn nats_records_may_be_cut_anywhere() {
        let stream =
            format!("INFO {{}}\r\nPONG\r\nMSG r 1 25\r\n{FIRST}\r\nPING\r\nMSG r 1 25\r\n{SECOND}\r\n");
        for cut in 0..=stream.len() {
            let (ready, deliveries, faults, _) = check(Peer::Nats, &[&stream[..cut], &stream[cut..]]);
            assert_eq!((ready, deliveries, faults), (true, 2, 0), "cut at {cut}");
        }
        assert_eq!(check(Peer::Nats, &["-ERR 'no'\r\n"]).2, 1);
    }

    #[test]
    fn nchan_delivers_messages_bare() {
        assert_eq!(check(Peer::Nchan, &[FIRST, SECOND]), (true, 2, 0, 0));
    }

    #[test]
    fn what_is_published_carries_the_data_unchanged() {
        for peer in [Peer::Fanfare, Peer::Ws, Peer::SocketIo, Peer::Nats, Peer::Nchan] {
            let mut out = Vec::new();
            peer.adapter().publish("r", FIRST.as_bytes(), &mut out);
            if peer == Peer::Nchan {
                let text = String::from_utf8(out).unwrap();
                assert!(text.starts_with("POST /pub/r HTTP/1.1\r\n") && text.ends_with(FIRST));
                continue;
            }
            let limits = fanfare_wire::Limits { message_bytes_max: 1 << 16, fragments_max: 1 };
            let mut decoder = fanfare_wire::Decoder::new(fanfare_wire::Role::Server);
            let decoded = decoder.decode(&mut out, &limits).unwrap();
            let text = format!("{:?}", decoded.message.unwrap());
            assert!(text.contains(FIRST) || text.contains("126, 48, 48"), "{peer:?}: {text}");
        }
    }
}
