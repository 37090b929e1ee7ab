//! How a socket is opened: where to, from which address, with which buffers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use fanfare_wire::handshake::ClientRequest;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;
use crate::process;

/// Connections from one source address to one listener, well below the usual range of 28,232 ports.
const PER_SOURCE_ADDRESS: usize = 25_000;
/// What is offered: no context is kept, for one inflater serves all connections.
const DEFLATE: (&str, &str) = (
    "Sec-WebSocket-Extensions",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
);
/// How long a server may take to accept the first connection.
const REACH_MAX: Duration = Duration::from_secs(5);
/// Descriptors kept free for everything that is no connection.
const DESCRIPTORS_RESERVED: usize = 32;

/// The server under test.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    host: String,
    /// Path and query, where the URL names one; otherwise the adapter's.
    path: Option<String>,
    /// Whether compression is offered.
    deflate: bool,
}

impl Target {
    /// Reads `ws://host:port[/path]`, or the same with `http`, as the other commands take it.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let rest = url
            .strip_prefix("ws://")
            .or_else(|| url.strip_prefix("http://"))
            .ok_or_else(|| Error::new(format!("the URL must begin with ws:// or http://, not {url:?}")))?;
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) => (host, (!path.is_empty()).then(|| format!("/{path}"))),
            None => (rest, None),
        };
        let with_port = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let address = with_port
            .to_socket_addrs()
            .map_err(|error| Error::new(format!("cannot resolve {with_port:?}: {error}")))?
            .find(SocketAddr::is_ipv4)
            .ok_or_else(|| Error::new(format!("{with_port:?} has no IPv4 address")))?;
        Ok(Self { address, host: host.to_owned(), path, deflate: false })
    }

    /// Whether the server is on this host.
    pub(crate) fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Connects once, to learn whether anybody listens.
    pub(crate) fn reach(&self) -> Result<(), Error> {
        let connected = std::net::TcpStream::connect_timeout(&self.address, REACH_MAX);
        connected.map(drop).map_err(|error| {
            Error::new(format!("cannot connect to {}: {error}; is the server running?", self.address))
        })
    }

    /// The same, offering compression or not.
    pub(crate) fn with_deflate(self, deflate: bool) -> Self {
        Self { deflate, ..self }
    }

    /// The upgrade request. The nonce may be the same each time: nothing caches here.
    pub(crate) fn request(&self, path: &str) -> ClientRequest {
        let path = self.path.as_deref().unwrap_or(path);
        let headers: &[(&str, &str)] = if self.deflate { &[DEFLATE] } else { &[] };
        ClientRequest::new(&self.host, path, &[], headers, *b"fanfare load gen")
    }

    /// Opens the `index`th socket, without waiting for the connection to stand.
    pub(crate) fn connect(&self, index: usize, options: SocketOptions) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if options.no_delay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(receive_bytes) = options.receive_bytes {
            socket.set_recv_buffer_size(receive_bytes)?;
        }
        if let Some(source) = self.source(index, options.rotate_sources) {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&self.address.into()) {
            // EINPROGRESS, which std has no stable name for, is the usual answer.
            Err(error) if error.raw_os_error() != Some(115) && error.kind() != io::ErrorKind::WouldBlock => {
                Err(error)
            }
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }

    /// Which address of the loopback network a connection comes from; none leaves it to the kernel.
    fn source(&self, index: usize, rotate: bool) -> Option<IpAddr> {
        if !self.address.ip().is_loopback() {
            return None;
        }
        let host = if rotate { index % 200 } else { index / PER_SOURCE_ADDRESS };
        let host = u8::try_from(host).ok().filter(|host| *host > 0)?;
        Some(IpAddr::V4(Ipv4Addr::new(127, 0, 1, host)))
    }
}

/// What differs between sockets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SocketOptions {
    /// Send at once: for those who publish.
    pub(crate) no_delay: bool,
    /// A receive buffer smaller than the kernel's, so that not reading is soon noticed.
    pub(crate) receive_bytes: Option<usize>,
    /// Spread over many source addresses: for those who come and go quickly.
    pub(crate) rotate_sources: bool,
}

/// Refuses a scenario that needs more descriptors than this process may open.
pub(crate) fn check_descriptors(connections: usize) -> Result<(), Error> {
    let needed = connections + DESCRIPTORS_RESERVED;
    match process::descriptors_max() {
        Some(limit) if limit < needed => Err(Error::new(format!(
            "{connections} connections need {needed} file descriptors, and this process may open {limit}: \
             raise the limit (ulimit -n), here and for the server"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let target = Target::parse("ws://127.0.0.1:8000").unwrap();
        assert_eq!(target.address, "127.0.0.1:8000".parse().unwrap());
        assert_eq!(target.path, None);
        assert_eq!(Target::parse("ws://127.0.0.1/x?y=1").unwrap().path.as_deref(), Some("/x?y=1"));
        assert_eq!(Target::parse("http://127.0.0.1/").unwrap().path, None);
        assert!(Target::parse("wss://127.0.0.1").is_err());
        assert!(Target::parse("127.0.0.1:80").is_err());
    }

    #[test]
    fn many_connections_come_from_many_addresses() {
        let target = Target::parse("ws://127.0.0.1:8000").unwrap();
        assert_eq!(target.source(24_999, false), None);
        assert_eq!(target.source(25_000, false), Some(IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1))));
        assert_eq!(target.source(201, true), Some(IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1))));
    }
}
