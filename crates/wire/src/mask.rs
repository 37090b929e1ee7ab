//! Masking (§5.3): an XOR with a repeating key, its own inverse.

/// Masks or unmasks `payload` in place, the key's first byte falling on the payload's first byte.
///
/// Eight bytes go at a time through arrays of known size: the compiler turns that into vector
/// instructions without any unsafe code here.
pub(crate) fn mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// The key to go on with once `done_bytes` of the payload were masked.
pub(crate) fn advance(mut key: [u8; 4], done_bytes: usize) -> [u8; 4] {
    key.rotate_left(done_bytes % 4);
    key
}
