//! How many connections of one address speak HTTP at a time.
//!
//! A listener has a number of places for connections that have not become WebSockets. Without a share for each address, a
//! few of them that open connections and say nothing could hold all, and everyone else would wait behind.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;

use super::rates::AddressKey;

/// The connections of each address, for as long as there is one.
#[derive(Default)]
pub(super) struct Visits {
    /// Changed when connections come and when they end or become WebSockets.
    counts: Mutex<HashMap<AddressKey, u32>>,
}

/// One connection's place among those of its address, given back when it is dropped.
pub(crate) struct Visit {
    visits: Arc<Visits>,
    address: AddressKey,
}

impl Visits {
    /// Takes a place, if the address has fewer than `most`.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, most: u32) -> Option<Visit> {
        let address = AddressKey::of(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Visit { visits: self.clone(), address })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut counts = self.visits.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nine addresses that opened connections and said nothing held every place of a listener.
    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let visits = Arc::new(Visits::default());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let held: Vec<_> = (0..3).map(|_| visits.enter(ip("192.0.2.1"), 3)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(visits.enter(ip("192.0.2.1"), 3).is_none());
        assert!(visits.enter(ip("192.0.2.2"), 3).is_some());
        drop(held);
        assert!(visits.counts.lock().unwrap().is_empty());
        assert!(visits.enter(ip("192.0.2.1"), 3).is_some());
    }
}
