//! Compression of WebSocket messages.

/// Compression's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressionConfig {
    /// Whether clients that offer permessage-deflate (RFC 7692) get it.
    pub enabled: bool,
    /// Messages shorter than this go as they are.
    pub threshold_bytes: usize,
    /// From 1, fast, to 9, small.
    pub level: u8,
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self { enabled: false, threshold_bytes: 256, level: 6 }
    }
}
