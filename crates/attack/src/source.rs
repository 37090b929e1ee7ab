//! Where connections come from: many addresses of the loopback network, so that what is bounded per address is
//! bounded as it would be between strangers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// A set of addresses, taken in turn.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The second byte of all of them: 127.x.0.0/16.
    network: u8,
    hosts: u32,
    next: AtomicU32,
}

impl Sources {
    pub(crate) const fn new(network: u8, hosts: u32) -> Self {
        Self { network, hosts, next: AtomicU32::new(0) }
    }

    pub(crate) fn next(&self) -> Ipv4Addr {
        // Starts behind 127.x.0.0.
        let host = self.next.fetch_add(1, Ordering::Relaxed) % self.hosts + 1;
        let [.., third, fourth] = host.to_be_bytes();
        Ipv4Addr::new(127, self.network, third, fourth)
    }

    /// Connects from the next address.
    pub(crate) async fn connect(&self, server: SocketAddr) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SocketAddr::new(IpAddr::V4(self.next()), 0).into())?;
        TcpSocket::from_std_stream(socket.into()).connect(server).await
    }

    /// Connects as who leaves nothing behind: closing sends a reset, so that no port stays taken.
    pub(crate) async fn connect_abrupt(&self, server: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.connect(server).await?;
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_in_turn() {
        let sources = Sources::new(7, 300);
        let taken: Vec<Ipv4Addr> = (0..301).map(|_| sources.next()).collect();
        assert_eq!(taken[0], Ipv4Addr::new(127, 7, 0, 1));
        assert_eq!(taken[299], Ipv4Addr::new(127, 7, 1, 44));
        assert_eq!(taken[300], taken[0]);
    }
}
