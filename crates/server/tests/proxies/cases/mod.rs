//! The cases: what is sent, with the publication that nobody may carry out hidden in it.

mod bodies;
mod heads;
mod upgrades;

/// A case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// With `{PUBLICATION}` for the hidden request, `{LENGTH}`, `{HEX}` and `{LENGTH+5}` for its length, and `{KEY}`,
    /// `{BODY}` and `{BODY-LENGTH}` for its parts.
    pub(crate) sent: &'static str,
    /// The request is not hidden: without a proxy, who has the key is served.
    pub(crate) open: bool,
}

/// A request that is hidden.
const fn hidden(name: &'static str, sent: &'static str) -> Case {
    Case { name, sent, open: false }
}

/// A request in the open.
const fn open(name: &'static str, sent: &'static str) -> Case {
    Case { name, sent, open: true }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    upgrades::UPGRADES.iter().chain(bodies::BODIES).chain(heads::HEADS)
}
