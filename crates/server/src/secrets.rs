//! Secrets: kept without a printed form, compared in constant time, generated where none is configured.

mod key_file;

use std::sync::{Arc, PoisonError, RwLock};

use subtle::{Choice, ConstantTimeEq as _};

pub use key_file::{KeyFile, KeyFileError, KeyKind};

/// A credential. It has no `Debug`, no `Display` and no `==`: it can be matched, or handed to what signs with it.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Wraps a credential.
    pub fn new(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }

    /// Wraps a credential that need not be text.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Whether `candidate` is this secret. The time it takes tells whether the lengths differ, and no more.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.ct_eq(candidate).into()
    }

    /// The credential itself, for what signs and verifies with it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The keys that open the HTTP API. Cheap to clone.
#[derive(Clone)]
pub struct KeyRing(Arc<RwLock<Arc<[Secret]>>>);

impl KeyRing {
    /// The keys that open it; without any, nothing does.
    pub fn new(keys: Vec<Secret>) -> Self {
        Self(Arc::new(RwLock::new(keys.into())))
    }

    /// Puts other keys in force, for all copies of this ring.
    pub fn replace(&self, keys: Vec<Secret>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
    }

    /// Whether `candidate` is one of the keys. Looks at all of them, so that the time does not tell which.
    pub fn admits(&self, candidate: &[u8]) -> bool {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        keys.iter().fold(Choice::from(0), |found, key| found | key.0.ct_eq(candidate)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_admits_each_of_its_keys_and_nothing_else() {
        let ring = KeyRing::new(vec![Secret::new("first-key"), Secret::new("second")]);
        assert!(ring.admits(b"first-key") && ring.admits(b"second"));
        for wrong in [&b""[..], b"first-ke", b"first-key ", b"FIRST-KEY", b"secone"] {
            assert!(!ring.admits(wrong));
        }
        let copy = ring.clone();
        ring.replace(vec![Secret::new("third")]);
        assert!(copy.admits(b"third") && !copy.admits(b"second"));
        assert!(!KeyRing::new(Vec::new()).admits(b""));
        assert!(Secret::new("x").matches(b"x") && !Secret::new("x").matches(b"y"));
    }
}
