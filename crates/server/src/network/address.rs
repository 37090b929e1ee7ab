//! Where a client is, when others stand between it and the server.
//!
//! A header says what whoever wrote it wants to say. It counts only when the peer that sent it is a trusted proxy, and
//! of what it lists only what trusted proxies have added: read from its end, up to the first address that is none.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderName, VIA};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use super::forwarded;
use super::origin::Scheme;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Where the address of a client is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAddress {
    /// The connection itself.
    #[default]
    Peer,
    /// `X-Forwarded-For`, as most proxies write it.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies in front of the server, and how they say for whom they ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    pub(crate) trusted: Vec<IpNet>,
    pub(crate) source: ClientAddress,
}

impl Proxies {
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client's address, given the peer's.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        match self.source {
            ClientAddress::Peer => peer,
            ClientAddress::XForwardedFor => {
                let lines = headers.get_all(X_FORWARDED_FOR).iter();
                self.walk(peer, lines.flat_map(x_forwarded_for).collect())
            }
            ClientAddress::Forwarded => {
                let lines = headers.get_all(FORWARDED).iter();
                self.walk(peer, lines.flat_map(|line| forwarded::nodes(line.as_bytes())).collect())
            }
        }
    }

    /// From the last hop to the first that is no trusted proxy. Past one that does not say where it is, nothing that
    /// is written can be relied on.
    fn walk(&self, peer: IpAddr, hops: Vec<Option<IpAddr>>) -> IpAddr {
        let mut last = peer;
        for hop in hops.into_iter().rev() {
            let Some(address) = hop else { return last };
            last = address;
            if !self.trusts(address) {
                return last;
            }
        }
        last
    }

    /// What a trusted proxy says its client's connection is encrypted with; none if it says nothing.
    pub(crate) fn scheme(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Scheme> {
        if !self.trusts(peer) {
            return None;
        }
        let value = headers.get_all(X_FORWARDED_PROTO).iter().next_back()?.to_str().ok()?;
        match value.rsplit(',').next()?.trim().to_ascii_lowercase().as_str() {
            "https" | "wss" => Some(Scheme::Https),
            "http" | "ws" => Some(Scheme::Http),
            _ => None,
        }
    }
}

/// Whether a request says that it came through a proxy. What does may come from another host, wherever the peer is.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    let tells = |name: &HeaderName| {
        name.as_str().starts_with("x-forwarded-") || [FORWARDED, VIA, X_REAL_IP].contains(name)
    };
    headers.keys().any(tells)
}

/// The addresses of one header, none for what is no address. Empty elements are none of a list (RFC 9110 §5.6.1).
fn x_forwarded_for(line: &HeaderValue) -> Vec<Option<IpAddr>> {
    let Ok(text) = line.to_str() else { return vec![None] };
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(address).collect()
}

/// An address, perhaps with a port.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let plain = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    plain().or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn proxies(source: ClientAddress) -> Proxies {
        let trusted = ["10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32"].map(|network| network.parse().unwrap());
        Proxies { trusted: trusted.into(), source }
    }

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    fn client(source: ClientAddress, name: &HeaderName, peer: &str, lines: &[&str]) -> String {
        proxies(source).client(peer.parse().unwrap(), &headers(name, lines)).to_string()
    }

    #[test]
    fn x_forwarded_for_is_read_from_its_end_up_to_the_first_stranger() {
        let cases: &[(&str, &[&str], &str)] = &[
            (PROXY, &[], PROXY),
            (PROXY, &["192.0.2.7"], "192.0.2.7"),
            (PROXY, &["192.0.2.7:5000"], "192.0.2.7"),
            (PROXY, &["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
            (PROXY, &["6.6.6.6, 192.0.2.7, 10.9.9.9"], "192.0.2.7"),
            (PROXY, &["6.6.6.6", "192.0.2.7", "10.9.9.9"], "192.0.2.7"),
            (PROXY, &["10.2.2.2, 10.9.9.9"], "10.2.2.2"),
            (PROXY, &["127.0.0.1, 192.0.2.7"], "192.0.2.7"),
            (PROXY, &["garbage, 192.0.2.7"], "192.0.2.7"),
            (PROXY, &["192.0.2.7, garbage"], PROXY),
            (PROXY, &["192.0.2.7, garbage, 10.9.9.9"], "10.9.9.9"),
            (PROXY, &["192.0.2.7, unknown"], PROXY),
            (PROXY, &["192.0.2.7, ,"], "192.0.2.7"),
            (PROXY, &[""], PROXY),
            (PROXY, &["192.0.2.7\u{fe}"], PROXY),
            (PROXY, &["192.0.2.007"], PROXY),
            (PROXY, &["3221225991"], PROXY),
            (PROXY, &["2001:db9::5"], "2001:db9::5"),
            (PROXY, &["[2001:db9::5]:443"], "2001:db9::5"),
            (PROXY, &["[2001:db9::5]"], "2001:db9::5"),
            (PROXY, &["::ffff:192.0.2.7"], "192.0.2.7"),
            ("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("2001:db8::1", &["192.0.2.7"], "192.0.2.7"),
            ("192.0.2.1", &["6.6.6.6"], "192.0.2.1"),
            ("192.0.2.1", &["127.0.0.1"], "192.0.2.1"),
        ];
        for (peer, lines, wanted) in cases {
            let got = client(ClientAddress::XForwardedFor, &X_FORWARDED_FOR, peer, lines);
            assert_eq!(got, *wanted, "{lines:?} from {peer}");
        }
    }

    #[test]
    fn forwarded_is_read_alike() {
        let cases: &[(&str, &[&str], &str)] = &[
            (PROXY, &["for=192.0.2.7"], "192.0.2.7"),
            (PROXY, &["for=6.6.6.6, for=192.0.2.7;proto=https;by=10.0.0.1"], "192.0.2.7"),
            (PROXY, &["for=6.6.6.6", "For=\"192.0.2.7:80\"", "FOR=10.9.9.9"], "192.0.2.7"),
            (PROXY, &["for=\"[2001:db9::5]:4711\""], "2001:db9::5"),
            (PROXY, &["for=192.0.2.7, for=_hidden"], PROXY),
            (PROXY, &["for=192.0.2.7, for=unknown, for=10.9.9.9"], "10.9.9.9"),
            (PROXY, &["for=192.0.2.7, by=10.0.0.1"], PROXY),
            ("192.0.2.1", &["for=6.6.6.6"], "192.0.2.1"),
        ];
        for (peer, lines, wanted) in cases {
            let got = client(ClientAddress::Forwarded, &FORWARDED, peer, lines);
            assert_eq!(got, *wanted, "{lines:?} from {peer}");
        }
    }

    #[test]
    fn only_the_header_that_is_configured_counts() {
        assert_eq!(client(ClientAddress::Peer, &X_FORWARDED_FOR, PROXY, &["192.0.2.7"]), PROXY);
        assert_eq!(client(ClientAddress::Forwarded, &X_FORWARDED_FOR, PROXY, &["192.0.2.7"]), PROXY);
        assert_eq!(client(ClientAddress::XForwardedFor, &FORWARDED, PROXY, &["for=192.0.2.7"]), PROXY);
    }

    #[test]
    fn a_proxy_says_what_the_client_speaks() {
        let scheme = |peer: &str, lines: &[&str]| {
            let headers = headers(&X_FORWARDED_PROTO, lines);
            proxies(ClientAddress::Peer).scheme(peer.parse().unwrap(), &headers)
        };
        assert_eq!(scheme(PROXY, &["https"]), Some(Scheme::Https));
        assert_eq!(scheme(PROXY, &["https, http"]), Some(Scheme::Http));
        assert_eq!(scheme(PROXY, &["http", "WSS"]), Some(Scheme::Https));
        assert_eq!(scheme(PROXY, &["gopher"]), None);
        assert_eq!(scheme(PROXY, &[]), None);
        assert_eq!(scheme("192.0.2.1", &["https"]), None);
    }

    #[test]
    fn every_header_of_a_proxy_tells() {
        for name in ["x-forwarded-for", "X-Forwarded-Whatever", "forwarded", "via", "x-real-ip"] {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            assert!(is_forwarded(&headers(&name, &[""])), "{name}");
        }
        assert!(!is_forwarded(&headers(&HeaderName::from_static("x-forwarded"), &["x"])));
    }
}
