//! Lanes: what makes two subscribers' bytes equal.

use fanfare_protocol::Event;
use fanfare_protocol::dialect::Habits;

/// The index of a lane in the list that the shards were built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub u8);

/// Encodes events for every connection of one lane: a dialect in a transport's framing.
///
/// The same event always gives the same bytes; that is why one encoding serves all subscribers of a lane.
pub trait LaneEncoder {
    /// Appends the event, framed. Appends nothing if the dialect has no form for it.
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>);

    /// What the clients of the lane expect.
    fn habits(&self) -> Habits {
        Habits::default()
    }

    /// Whether events are appended without the framing of any transport, since that depends on the connection: its
    /// place in a session, or the one it has reached in its channels. Such a lane has no pings, pongs and closes of
    /// its own, and its events are taken one by one ([`Shard::take_entry`](crate::shard::Shard::take_entry)).
    fn is_bare(&self) -> bool {
        false
    }

    /// Appends what stands for a place in a channel that no event tells. Nothing, but on a bare lane: a connection that
    /// only listens says by its places where it goes on.
    fn place(&mut self, _out: &mut Vec<u8>) {}

    /// Whether several events may go as one message: then those of a batch are appended as [`LaneEncoder::part`] has
    /// them, and framed by [`LaneEncoder::join`].
    fn joins(&self) -> bool {
        false
    }

    /// Appends the event so that others may follow it in the same message. Appends nothing if the dialect has no form
    /// for it.
    fn part(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.event(event, out);
    }

    /// Appends one message, framed, of what [`LaneEncoder::part`] appended for one event or for several, one behind
    /// the other. Appends nothing for nothing.
    fn join(&mut self, parts: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(parts);
    }

    /// Appends the transport's own ping.
    fn ping(&mut self, out: &mut Vec<u8>);

    /// Appends the transport's own answer to a ping.
    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>);

    /// Appends the transport's own end of the connection: with a number, since a peer's own comes back to it. Where the
    /// transport can say it, `wait_ms` is how long the client is to wait before it connects again.
    fn close(&mut self, number: u16, reason: &str, wait_ms: u32, out: &mut Vec<u8>);
}
