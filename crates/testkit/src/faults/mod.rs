//! A line between real sockets that fails when it is told to.
//!
//! A [`FaultProxy`] listens on the loopback interface, makes a connection to its upstream for each that it accepts, and
//! passes bytes on in both directions. What goes wrong with them may change at any time and holds for every connection
//! of the proxy, those that come later too; [`FaultProxy::cut_one`] is about a single one. A client that is to have
//! faults of its own gets a proxy of its own: that costs two descriptors and a task, and holds for whatever
//! connections the client makes.
//!
//! | fault | those that are open | those that come |
//! |---|---|---|
//! | [`FaultProxy::delay`] | each byte waits; the order stays | likewise |
//! | [`FaultProxy::slow`] | a rate, for each direction of each connection | likewise |
//! | [`Line::Cut`] | both sides are reset | are refused |
//! | [`Line::Blackhole`] | stay open, and nothing passes, not even their end | are accepted; the upstream hears of them when the line is whole again |
//! | [`Line::Dropping`] | end in the middle of what is said | are accepted and closed |
//!
//! What is random follows from the seed. A connection holds at most [`QUEUE_BYTES_MAX`] of each direction and fixed
//! buffers in the kernel: when one side does not take, the other is not read.
//!
//! [`orders`] is the same as lines of text, for tests in other languages; the program `fanfare-faults` takes them on its
//! standard input.

mod connection;
pub mod orders;
mod pipe;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::rng::Rng;

/// How many bytes of one direction of a connection wait in the proxy at most.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024;

/// What is asked of the kernel for each direction of a socket; Linux takes it twice.
pub const KERNEL_BUFFER_BYTES: u32 = 128 * 1024;

/// Connections that the kernel keeps for the proxy to accept.
const BACKLOG: i32 = 1024;

/// How long the proxy leaves new connections alone when it cannot accept any, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Whether a line carries anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Line {
    /// It does.
    #[default]
    Whole,
    /// Connections are reset, and new ones refused.
    Cut,
    /// Nothing passes, and nobody is told.
    Blackhole,
    /// Each direction of a connection carries a random number of further bytes, and when one more comes, that byte
    /// and everything behind it are lost and the connection is closed. New connections are closed at once.
    Dropping {
        /// The number is below this.
        within_bytes: usize,
    },
}

/// Everything that is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Faults {
    line: Line,
    /// What the client says waits so long.
    delay_up: Duration,
    /// What the upstream says waits so long.
    delay_down: Duration,
    /// Of each direction of each connection; none for as fast as it goes.
    bytes_per_second: Option<u32>,
}

/// The proxy. Dropping it closes its connections and its port.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    seed: u64,
    faults: watch::Sender<Faults>,
    board: Arc<Mutex<Board>>,
    /// Has the port, also while the line is cut and it does not listen.
    port: Socket,
}

/// Who may come, and who is there. One lock over both: a connection that is accepted before a cut is known to the cut.
#[derive(Debug)]
struct Board {
    /// None while the line is cut.
    listener: Option<TcpListener>,
    upstream: SocketAddr,
    accepted: u64,
    open: BTreeMap<u64, Open>,
}

/// A connection that has not ended. Dropping it resets the connection.
#[derive(Debug)]
struct Open {
    peer: SocketAddr,
    _uncut: oneshot::Sender<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // The task that owns the connections ends when it finds that nobody can change the faults any more.
        lock(&self.board).listener = None;
        // A listener that is closed goes on listening while a child of this process, between its fork and its exec, still
        // has a copy.
        let _ = self.port.shutdown(Shutdown::Both);
    }
}

impl FaultProxy {
    /// A whole line to `upstream`, on a port of its own; it works on the runtime it is started on.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn start(upstream: SocketAddr, seed: u64) -> io::Result<Self> {
        let port = port()?;
        let listener = listen(&port)?;
        let address = listener.local_addr()?;
        let listener = Some(listener);
        let board = Board { listener, upstream, accepted: 0, open: BTreeMap::new() };
        let board = Arc::new(Mutex::new(board));
        let (faults, receiver) = watch::channel(Faults::default());
        tokio::spawn(accept(board.clone(), receiver, seed));
        Ok(Self { address, seed, faults, board, port })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets connections that come from now on lead elsewhere.
    pub fn lead_to(&self, upstream: SocketAddr) {
        lock(&self.board).upstream = upstream;
    }

    /// Makes what the client says wait for `up`, and what the upstream says for `down`.
    pub fn delay(&self, up: Duration, down: Duration) {
        self.faults.send_modify(|faults| (faults.delay_up, faults.delay_down) = (up, down));
    }

    /// Lets each direction of each connection carry so much; 0 is as good as [`Line::Blackhole`] for what is open.
    pub fn slow(&self, bytes_per_second: u32) {
        self.faults.send_modify(|faults| faults.bytes_per_second = Some(bytes_per_second));
    }

    /// Breaks the line, or makes it whole; delay and rate stay. When this returns it has happened to who connects, and
    /// no byte that is sent later passes a line that carries none; connections that are reset learn of it at once, but
    /// after it.
    ///
    /// # Errors
    /// When the proxy cannot listen again after a cut.
    pub fn set_line(&self, line: Line) -> io::Result<()> {
        let mut board = lock(&self.board);
        if line == Line::Cut {
            if board.listener.take().is_some() {
                // Closing it would not do: a child of this process, between its fork and its exec, has a copy.
                self.port.shutdown(Shutdown::Both)?;
            }
            board.open.clear();
        } else if board.listener.is_none() {
            board.listener = Some(listen(&self.port)?);
        }
        self.faults.send_modify(|faults| faults.line = line);
        Ok(())
    }

    /// Ends every fault.
    ///
    /// # Errors
    /// When the proxy cannot listen again after a cut.
    pub fn heal(&self) -> io::Result<()> {
        self.set_line(Line::Whole)?;
        self.faults.send_replace(Faults::default());
        Ok(())
    }

    /// Resets every connection; new ones are welcome.
    ///
    /// # Errors
    /// When the proxy cannot listen again.
    pub fn cut_once(&self) -> io::Result<()> {
        self.set_line(Line::Cut)?;
        self.set_line(Line::Whole)
    }

    /// Resets one connection, by its number in the order of acceptance from 0; whether there was such a one.
    pub fn cut_one(&self, number: u64) -> bool {
        lock(&self.board).open.remove(&number).is_some()
    }

    /// The connections that have not ended: their numbers and where they come from.
    pub fn connections(&self) -> Vec<(u64, SocketAddr)> {
        lock(&self.board).open.iter().map(|(number, open)| (*number, open.peer)).collect()
    }

    /// Cuts the line for `length` in each `period`, the first time after a part of a period that follows from the seed.
    /// Ends only when the proxy cannot listen again; who drops it leaves the line as it is at that moment.
    pub async fn cut_every(&self, period: Duration, length: Duration) -> io::Error {
        let mut begin = Instant::now() + phase(self.seed, period);
        loop {
            sleep_until(begin).await;
            let cut = self.set_line(Line::Cut);
            sleep_until(begin + length).await;
            if let Err(error) = cut.and_then(|()| self.set_line(Line::Whole)) {
                return error;
            }
            begin += period;
        }
    }
}

/// When within a period the cuts of a proxy begin.
fn phase(seed: u64, period: Duration) -> Duration {
    Duration::from_micros(Rng::new(seed).bits() % period.as_micros().max(1) as u64)
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket that has a port, with the proxy's buffers. It does not listen yet.
fn port() -> io::Result<Socket> {
    // A port that the kernel chose is lost at a shutdown. One that was asked for by number stays.
    let chosen = bound(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    bound(&chosen.local_addr()?)
}

fn bound(address: &SockAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES as usize)?;
    socket.set_send_buffer_size(KERNEL_BUFFER_BYTES as usize)?;
    socket.set_nonblocking(true)?;
    // Connections that have not ended, and those that have just ended, do not stop it from listening again.
    socket.set_reuse_address(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Lets the port listen, for the first time or again after it was shut down.
fn listen(port: &Socket) -> io::Result<TcpListener> {
    port.listen(BACKLOG)?;
    TcpListener::from_std(port.try_clone()?.into())
}

/// A connection, and what becomes ready when it is to be reset.
struct Accepted {
    number: u64,
    near: TcpStream,
    upstream: SocketAddr,
    cut: oneshot::Receiver<()>,
}

impl Board {
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        // The task is woken by a change of the faults when there is a listener again.
        let Some(listener) = &self.listener else { return Poll::Pending };
        let Poll::Ready(accepted) = listener.poll_accept(context) else { return Poll::Pending };
        Poll::Ready(accepted.map(|(near, peer)| {
            let (uncut, cut) = oneshot::channel();
            let number = self.accepted;
            self.accepted += 1;
            self.open.insert(number, Open { peer, _uncut: uncut });
            Accepted { number, near, upstream: self.upstream, cut }
        }))
    }
}

async fn accept(board: Arc<Mutex<Board>>, mut faults: watch::Receiver<Faults>, seed: u64) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = poll_fn(|context| lock(&board).poll_accept(context)) => match accepted {
                Ok(accepted) => {
                    let (board, faults) = (board.clone(), faults.clone());
                    connections.spawn(async move {
                        let number = accepted.number;
                        connection::serve(accepted, faults, seed).await;
                        lock(&board).open.remove(&number);
                    });
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            // Looks for the listener anew.
            changed = faults.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    /// The kernel gives a child a copy of every descriptor when it is forked, and takes those that are not its own away
    /// when it executes its program. A proxy that was cut in between, and only closed its listener, went on listening,
    /// and could not listen again: "Address already in use", once in many runs of a test that starts servers.
    #[tokio::test]
    async fn a_cut_holds_and_heals_while_a_child_has_a_copy_of_the_listener() {
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = FaultProxy::start(upstream.local_addr().unwrap(), 1).await.unwrap();
        let copy = lock(&proxy.board).listener.as_ref().unwrap().as_fd().try_clone_to_owned().unwrap();
        proxy.set_line(Line::Cut).unwrap();
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        proxy.set_line(Line::Whole).unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(proxy.address()), upstream.accept());
        near.unwrap();
        far.unwrap();
        drop(copy);
    }

    #[test]
    fn the_cuts_of_a_thousand_proxies_are_spread_over_the_period() {
        let period = Duration::from_secs(10);
        let mut tenths = [0; 10];
        for seed in 0..1000 {
            tenths[phase(seed, period).as_secs() as usize] += 1;
            assert_eq!(phase(seed, period), phase(seed, period));
        }
        assert!(tenths.iter().all(|count| (60..=140).contains(count)), "{tenths:?}");
    }
}
