//! What unfinished requests and unread answers may hold in memory, per connection and per address.
//!
//! Who asks needs no credential for either: a body that never ends is kept as far as it came, and an answer that is not
//! read is kept whole.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;

use super::rates::AddressKey;

/// What a request of HTTP/2 costs until its answer is read, beside bodies: its task, its stream, both heads.
pub(crate) const REQUEST_BYTES: usize = 2560;

/// Bytes held, by address. Written by requests as they begin, as their bodies come, and at their end.
#[derive(Default)]
pub(crate) struct Holdings {
    by_address: Mutex<HashMap<AddressKey, usize>>,
}

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) connection_bytes_max: usize,
    pub(super) address_bytes_max: usize,
}

/// What one request holds; it is given back when this is dropped.
pub(crate) struct Held {
    holdings: Arc<Holdings>,
    bounds: Bounds,
    /// None where the address is not bounded.
    address: Option<AddressKey>,
    /// What the requests of its connection hold together; none where there is one at a time.
    connection: Option<Arc<AtomicUsize>>,
    bytes: usize,
}

impl Holdings {
    /// A request that holds nothing yet.
    pub(super) fn request(
        self: &Arc<Self>,
        bounds: Bounds,
        address: Option<IpAddr>,
        connection: Option<Arc<AtomicUsize>>,
    ) -> Held {
        let address = address.map(AddressKey::of);
        Held { holdings: self.clone(), bounds, address, connection, bytes: 0 }
    }

    /// Adds to what an address holds, unless that would be too much.
    fn take(&self, address: AddressKey, bytes: usize, bytes_max: usize) -> bool {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let held = by_address.get(&address).copied().unwrap_or_default();
        let fits = bytes <= bytes_max.saturating_sub(held);
        if fits {
            by_address.insert(address, held + bytes);
        }
        fits
    }

    fn give_back(&self, address: AddressKey, bytes: usize) {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = by_address.get_mut(&address) {
            *held -= bytes;
            if *held == 0 {
                by_address.remove(&address);
            }
        }
    }
}

impl Held {
    /// Whether the request may hold so many more bytes. They count from now on if it may.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        if let Some(connection) = &self.connection
            && connection.fetch_add(bytes, Ordering::Relaxed) + bytes > self.bounds.connection_bytes_max
        {
            connection.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        let fits = self
            .address
            .is_none_or(|address| self.holdings.take(address, bytes, self.bounds.address_bytes_max));
        match (fits, &self.connection) {
            (true, _) => self.bytes += bytes,
            (false, Some(connection)) => drop(connection.fetch_sub(bytes, Ordering::Relaxed)),
            (false, None) => {}
        }
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        if let Some(connection) = &self.connection {
            connection.fetch_sub(self.bytes, Ordering::Relaxed);
        }
        if let Some(address) = self.address {
            self.holdings.give_back(address, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { connection_bytes_max: 100, address_bytes_max: 250 };

    #[test]
    fn a_connection_and_an_address_hold_so_much_and_give_it_back() {
        let holdings = Arc::new(Holdings::default());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let connections: Vec<_> = (0..3).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let request = |connection: usize| {
            holdings.request(BOUNDS, Some(address), Some(connections[connection].clone()))
        };
        let (mut first, mut second) = (request(0), request(0));
        assert!(first.grow(60) && second.grow(40));
        assert!(!second.grow(1) && !first.grow(usize::MAX / 2), "the connection is full");
        let mut third = request(1);
        assert!(third.grow(100), "another connection of the address");
        let mut fourth = request(2);
        assert!(!fourth.grow(51) && fourth.grow(50), "the address is full at 250");
        assert!(!fourth.grow(1));
        drop(third);
        assert!(fourth.grow(50), "what is dropped is given back");
        drop((first, second, fourth));
        assert!(holdings.by_address.lock().unwrap().is_empty());
        assert!(connections.iter().all(|connection| connection.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn what_has_no_bound_is_not_counted() {
        let holdings = Arc::new(Holdings::default());
        let mut request = holdings.request(BOUNDS, None, None);
        assert!(request.grow(1 << 40));
        assert!(holdings.by_address.lock().unwrap().is_empty());
    }
}
