//! The questions of a shard that are not answered yet.

use slab::Slab;

use super::Asking;
use crate::ports::broker::Ticket;

/// The bits of a ticket that are its slot; the others count. So 16 million questions may be open at a time, and a ticket
/// comes again after a trillion of them.
const SLOT_BITS: u32 = 24;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// Open questions by their tickets. A slot is used again, a ticket is not: an answer that comes late or twice meets nobody
/// else's question.
#[derive(Debug, Default)]
pub(super) struct Questions {
    slots: Slab<(Ticket, Asking)>,
    asked: u64,
}

impl Questions {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn insert(&mut self, asking: Asking) -> Ticket {
        let entry = self.slots.vacant_entry();
        let ticket = Ticket(self.asked << SLOT_BITS | entry.key() as u64 & SLOT_MASK);
        self.asked = self.asked.wrapping_add(1);
        entry.insert((ticket, asking));
        ticket
    }

    /// Takes the question of a ticket out, if it is open.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Asking> {
        let slot = (ticket.0 & SLOT_MASK) as usize;
        let (open, _) = self.slots.get(slot)?;
        (*open == ticket).then(|| self.slots.remove(slot).1)
    }
}

impl Ticket {
    /// The ticket's slot, which no other open question of the shard has.
    pub(crate) fn slot(self) -> u32 {
        (self.0 & SLOT_MASK) as u32
    }
}
