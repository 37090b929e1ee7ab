//! The dialects a node speaks, and the lanes that follow from them. Which dialects there are is the composition root's
//! choice.

use std::sync::Arc;

use fanfare_core::ports::lane::{Lane, LaneEncoder};
use fanfare_protocol::Dialect;
use fanfare_protocol::dialect::Habits;

use crate::config::CompressionConfig;
use crate::connection::deflated_lane::{Compressor, DeflatedLane};
use crate::connection::lane::{BareLane, WebSocketLane};

/// A dialect under the names it is chosen by.
#[derive(Clone)]
pub struct NamedDialect {
    /// As in `/ws/NAME`, `?dialect=NAME` and `Sec-WebSocket-Protocol: fanfare.NAME`, and in metrics.
    pub name: &'static str,
    /// Another subprotocol that stands for it; the same as the first where there is none.
    pub subprotocol: &'static str,
    /// The dialect itself.
    pub dialect: Arc<dyn Dialect>,
}

/// What is put around a dialect's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// WebSocket frames.
    Frames,
    /// WebSocket frames whose messages may be compressed, by this size of window as a power of two.
    Deflated(u8),
    /// Nothing yet: the connection does it, when it writes.
    Bare,
}

/// Every framing there is. Each brings a lane for every dialect, in this order.
const FRAMINGS: &[Framing] = &[
    Framing::Frames,
    Framing::Bare,
    Framing::Deflated(9),
    Framing::Deflated(10),
    Framing::Deflated(11),
    Framing::Deflated(12),
    Framing::Deflated(13),
    Framing::Deflated(14),
    Framing::Deflated(15),
];

/// A dialect's place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken(usize);

/// All of them.
#[derive(Clone)]
pub(crate) struct Dialects {
    named: Arc<[NamedDialect]>,
    compression: CompressionConfig,
}

impl Dialects {
    pub(crate) fn new(dialects: Vec<NamedDialect>, compression: CompressionConfig) -> Self {
        assert!(dialects.len() * FRAMINGS.len() <= usize::from(u8::MAX), "more lanes than have a number");
        Self { named: dialects.into(), compression }
    }

    /// Whether clients that offer to compress are taken at their word.
    pub(crate) fn compress(&self) -> bool {
        self.compression.enabled
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Spoken> {
        self.named.iter().position(|dialect| dialect.name == name).map(Spoken)
    }

    /// The first of the offered subprotocols that is spoken here.
    pub(crate) fn by_subprotocol(&self, offered: &[String]) -> Option<(Spoken, String)> {
        offered.iter().find_map(|offer| {
            let name = offer.strip_prefix("fanfare.");
            let spoken = |dialect: &NamedDialect| dialect.subprotocol == offer || name == Some(dialect.name);
            let index = self.named.iter().position(spoken)?;
            Some((Spoken(index), offer.clone()))
        })
    }

    /// What a dialect's clients expect.
    pub(crate) fn habits(&self, spoken: Spoken) -> Habits {
        self.named[spoken.0].dialect.habits()
    }

    /// The names of all dialects.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.named.iter().map(|dialect| dialect.name)
    }

    /// The name of a dialect.
    pub(crate) fn name(&self, spoken: Spoken) -> &'static str {
        self.named[spoken.0].name
    }

    /// The lane of a dialect in a framing.
    pub(crate) fn lane(&self, spoken: Spoken, framing: Framing) -> Lane {
        let framing = FRAMINGS.iter().position(|known| *known == framing).unwrap_or_default();
        Lane((framing * self.named.len() + spoken.0) as u8)
    }

    /// The dialect of a lane; none for a lane that does not exist.
    pub(crate) fn of(&self, lane: Lane) -> Option<&NamedDialect> {
        self.named.get(usize::from(lane.0).checked_rem(self.named.len())?)
    }

    /// The dialect of every lane.
    pub(crate) fn by_lane(&self) -> Arc<[Arc<dyn Dialect>]> {
        FRAMINGS.iter().flat_map(|_| self.named.iter()).map(|named| named.dialect.clone()).collect()
    }

    /// What encodes for every lane, to be made on the thread that will own it.
    pub(crate) fn encoders(&self) -> Vec<Box<dyn LaneEncoder>> {
        let compressor = Compressor::new(&self.compression);
        let of = |framing: Framing, named: &NamedDialect| -> Box<dyn LaneEncoder> {
            match framing {
                Framing::Frames => Box::new(WebSocketLane::new(named.dialect.clone())),
                Framing::Deflated(window_bits) => {
                    Box::new(DeflatedLane::new(named.dialect.clone(), window_bits, compressor.clone()))
                }
                Framing::Bare => Box::new(BareLane::new(named.dialect.clone())),
            }
        };
        FRAMINGS.iter().flat_map(|framing| self.named.iter().map(|named| of(*framing, named))).collect()
    }
}
