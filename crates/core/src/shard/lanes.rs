//! The lanes of a shard.

use fanfare_protocol::Event;
use fanfare_protocol::dialect::Habits;

use crate::ports::lane::{Lane, LaneEncoder};

/// Every way in which the shard's connections are spoken to.
pub(crate) struct Lanes(Vec<Box<dyn LaneEncoder>>);

impl Lanes {
    pub(crate) fn new(lanes: Vec<Box<dyn LaneEncoder>>) -> Self {
        Self(lanes)
    }

    /// Appends the event as the lane has it.
    pub(crate) fn encode(&mut self, lane: Lane, event: &Event<'_>, out: &mut Vec<u8>) {
        if let Some(encoder) = self.get(lane) {
            encoder.event(event, out);
        }
    }

    /// Appends the event as one of several in a message of the lane.
    pub(crate) fn part(&mut self, lane: Lane, event: &Event<'_>, out: &mut Vec<u8>) {
        if let Some(encoder) = self.get(lane) {
            encoder.part(event, out);
        }
    }

    /// Appends one message of the lane, made of such events.
    pub(crate) fn join(&mut self, lane: Lane, parts: &[u8], out: &mut Vec<u8>) {
        if let Some(encoder) = self.get(lane) {
            encoder.join(parts, out);
        }
    }

    /// Whether several events of the lane may go as one message.
    pub(crate) fn joins(&self, lane: Lane) -> bool {
        self.0.get(usize::from(lane.0)).is_some_and(|encoder| encoder.joins())
    }

    /// What the clients of a lane expect.
    pub(crate) fn habits(&self, lane: Lane) -> Habits {
        self.0.get(usize::from(lane.0)).map_or(Habits::default(), |encoder| encoder.habits())
    }

    /// Whether the lane's events are not framed yet, each a chunk of its own.
    pub(crate) fn is_bare(&self, lane: Lane) -> bool {
        self.0.get(usize::from(lane.0)).is_some_and(|encoder| encoder.is_bare())
    }

    pub(crate) fn get(&mut self, lane: Lane) -> Option<&mut Box<dyn LaneEncoder>> {
        let encoder = self.0.get_mut(usize::from(lane.0));
        debug_assert!(encoder.is_some(), "a session was opened on a lane that does not exist");
        encoder
    }
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} lanes", self.0.len())
    }
}
