//! Histories after the settings of their namespaces have changed.

use super::{Memory, lock};
use crate::namespace::Namespaces;

impl Memory {
    /// Lets go of what the new settings would not keep. What stays keeps its offsets.
    pub(super) fn trim(&self, namespaces: &Namespaces) {
        let now_ms = (self.clock)().steady_ms;
        for stripe in &*self.stripes {
            let mut stripe = lock(stripe);
            let stripe = &mut *stripe;
            stripe.channels.retain(|name, channel| {
                channel.history.move_to(&self.ledger, name);
                if let Some(namespace) = namespaces.get(name.namespace()) {
                    channel.history.trim(namespace, now_ms);
                }
                self.stays(name, channel, now_ms)
            });
        }
    }
}
