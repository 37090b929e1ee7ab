//! Who may connect from where, and how often.

use ipnet::IpNet;

use crate::network::holdings::REQUEST_BYTES;
use crate::network::origin::OriginPattern;
use crate::network::{AddressRate, ClientAddress};

/// The network's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Origins whose pages may connect, beside those that are served under the same host and port.
    pub origins: Vec<OriginPattern>,
    /// Proxies that are believed when they say for whom they ask.
    pub trusted_proxies: Vec<IpNet>,
    /// Where the address of a client is taken from.
    pub client_address: ClientAddress,
    /// Whether connections of trusted proxies begin with a PROXY header.
    pub proxy_protocol: bool,
    /// Whether HTTP/2 is spoken, and WebSockets within it.
    pub http2: bool,
    /// Bytes that the unfinished requests and unread answers of one connection may hold. Beyond it: HTTP/2 streams are
    /// refused, and bodies answered with 429 `too_many_requests_in_flight`.
    pub pending_bytes_per_connection_max: usize,
    /// The same for one address.
    pub pending_bytes_per_ip_max: usize,
    /// How often one address may connect. Beyond it: HTTP 429, and the end.
    pub accepts: AddressRate,
    /// How often one address may shake hands, whether it succeeds or not. Beyond it: HTTP 429 `rate_limited`.
    pub handshakes: AddressRate,
    /// Addresses of which a rate is remembered. Beyond it: all that are new share the rate of one.
    pub addresses_max: usize,
}

impl NetworkConfig {
    /// The same, without rates.
    #[must_use]
    pub fn without_rates(mut self) -> Self {
        self.accepts.per_second = 0;
        self.handshakes.per_second = 0;
        self
    }

    /// The same, with room for the largest message at least: a smaller bound would refuse what is allowed.
    #[must_use]
    pub(crate) fn with_room_for(mut self, message_bytes: usize) -> Self {
        let least = message_bytes + REQUEST_BYTES;
        self.pending_bytes_per_connection_max = self.pending_bytes_per_connection_max.max(least);
        self.pending_bytes_per_ip_max = self.pending_bytes_per_ip_max.max(least);
        self
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            client_address: ClientAddress::Peer,
            proxy_protocol: false,
            http2: true,
            pending_bytes_per_connection_max: 256 * 1024,
            pending_bytes_per_ip_max: 4 * 1024 * 1024,
            accepts: AddressRate { per_second: 100, burst: 500 },
            handshakes: AddressRate { per_second: 20, burst: 100 },
            addresses_max: 100_000,
        }
    }
}
