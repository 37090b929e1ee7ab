//! Secrets: kept without a printed form, compared in constant time.

use subtle::ConstantTimeEq as _;

/// A credential. It has no `Debug`, no `Display` and no `==`: it can be matched, and nothing else.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Wraps a credential.
    pub fn new(text: &str) -> Self {
        Self(text.as_bytes().into())
    }

    /// Whether `candidate` is this secret. The time it takes tells the candidate's length and no more.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.ct_eq(candidate).into()
    }
}
