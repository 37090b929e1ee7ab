//! The hub in Node on the npm package `ws` (`benches/peers/ws-hub.mjs`).

use super::fanfare::Fanfare;
use super::{Adapter, Hearing, Who};

/// The hub speaks the same subset of the native JSON as is used of Fanfare, at another path.
pub(crate) struct Ws;

impl Adapter for Ws {
    fn path(&self, _who: &Who<'_>) -> Option<String> {
        Some("/".to_owned())
    }

    fn opened(&self, who: &Who<'_>, hearing: &mut Hearing<'_>) {
        Fanfare.opened(who, hearing);
    }

    fn heard(&self, who: &Who<'_>, message: &[u8], hearing: &mut Hearing<'_>) {
        Fanfare.heard(who, message, hearing);
    }

    fn publish(&self, room: &str, data: &[u8], out: &mut Vec<u8>) {
        Fanfare.publish(room, data, out);
    }
}
