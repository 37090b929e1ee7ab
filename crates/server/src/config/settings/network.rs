//! Who may connect from where: origins, proxies, rates of connections.

use super::{MIB, Setting};
use crate::config::kinds::{Bytes, Choice, Count, Flag, Kind, Networks, Origins};
use crate::network::ClientAddress;

const RATE_MAX: u64 = 1_000_000;

const SOURCES: &[(&str, ClientAddress)] = &[
    ("peer", ClientAddress::Peer),
    ("x-forwarded-for", ClientAddress::XForwardedFor),
    ("forwarded", ClientAddress::Forwarded),
];

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "network.origins",
        network.origins,
        Origins,
        "origins whose pages may connect, beside those of the same host and port; \"*\" is any"
    ),
    setting!(
        "network.trusted_proxies",
        network.trusted_proxies,
        Networks,
        "addresses and networks of proxies that are believed when they say for whom they ask"
    ),
    setting!(
        "network.client_address",
        network.client_address,
        Choice(SOURCES),
        "where a client's address is taken from, when a trusted proxy asks"
    ),
    setting!(
        "network.proxy_protocol",
        network.proxy_protocol,
        Flag,
        "whether connections of trusted proxies begin with a PROXY header, version 1 or 2"
    ),
    setting!("network.http2", network.http2, Flag, "whether HTTP/2 is spoken, and WebSockets within it"),
    setting!(
        "network.pending_bytes_per_connection_max",
        network.pending_bytes_per_connection_max,
        Bytes::new(16 * 1024, 1024 * MIB),
        "bytes that unfinished requests and unread answers of one connection may hold"
    ),
    setting!(
        "network.pending_bytes_per_ip_max",
        network.pending_bytes_per_ip_max,
        Bytes::new(16 * 1024, 1024 * MIB),
        "the same for all connections of one address"
    ),
    setting!(
        "network.accepts_per_second",
        network.accepts.per_second,
        Count::<u32>::new(0, RATE_MAX),
        "connections a second from one address; 0 is without bound"
    ),
    setting!(
        "network.accepts_burst",
        network.accepts.burst,
        Count::<u32>::new(1, RATE_MAX),
        "connections that one address can have saved up"
    ),
    setting!(
        "network.handshakes_per_second",
        network.handshakes.per_second,
        Count::<u32>::new(0, RATE_MAX),
        "handshakes a second from one address, failed ones included; 0 is without bound"
    ),
    setting!(
        "network.handshakes_burst",
        network.handshakes.burst,
        Count::<u32>::new(1, RATE_MAX),
        "handshakes that one address can have saved up"
    ),
    setting!(
        "network.addresses_max",
        network.addresses_max,
        Count::<usize>::new(1_000, 100_000_000),
        "addresses of which a rate is remembered; beyond it all that are new share the rate of one"
    ),
];
