//! The dialects a node speaks. Which ones there are is the composition root's choice.

use std::sync::Arc;

use fanfare_core::ports::lane::Lane;
use fanfare_protocol::Dialect;

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

/// All of them; the index is the lane.
#[derive(Clone)]
pub(crate) struct Dialects(Arc<[NamedDialect]>);

impl Dialects {
    pub(crate) fn new(dialects: Vec<NamedDialect>) -> Self {
        Self(dialects.into())
    }

    pub(crate) fn all(&self) -> &[NamedDialect] {
        &self.0
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Lane> {
        self.0.iter().position(|dialect| dialect.name == name).map(|index| Lane(index as u8))
    }

    /// The first of the offered subprotocols that is spoken here.
    pub(crate) fn by_subprotocol(&self, offered: &[String]) -> Option<(Lane, String)> {
        offered.iter().find_map(|offer| {
            let name = offer.strip_prefix("fanfare.");
            let spoken = |dialect: &NamedDialect| dialect.subprotocol == offer || name == Some(dialect.name);
            let index = self.0.iter().position(spoken)?;
            Some((Lane(index as u8), offer.clone()))
        })
    }
}
