//! What is done to the server.
//!
//! - `crowd`: many connections, each of which does little or nothing
//! - `unread`: connections of HTTP/2 that read no answer
//! - `flood`: few connections, each of which sends as much as it can

mod crowd;
mod flood;
mod patterns;
mod unread;

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::plan::Scale;
use crate::server::{Server, TLS_NAME};
use crate::source::Sources;

/// Where attackers come from.
const NETWORK: u8 = 2;
const ADDRESSES: u32 = 5_000;

/// How much less urgent attackers are than the server and the healthy ones: in the world they have machines of their
/// own, here they would otherwise win by taking processor time instead of by what they send.
const NICENESS: &str = "10";

macro_rules! attacks {
    ($($(#[doc = $about:literal])+ $variant:ident = $name:literal,)+) => {
        /// One way to harm a server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Attack {
            $($(#[doc = $about])+ $variant,)+
        }

        impl Attack {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in results and on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What is done, as a sentence without a full stop.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($about),+).trim_ascii()),+ }
            }
        }
    };
}

attacks! {
    /// Each connection sends its handshake at a byte a second
    SlowHandshakes = "slow_handshakes",
    /// Each connection sends nothing at all
    SilentConnections = "silent_connections",
    /// Each connection sends 30 KiB of a head and then nothing
    LargeHeads = "large_heads",
    /// Each connection is upgraded without a token and sends nothing
    NeverAuthenticate = "never_authenticate",
    /// Each connection sends 60 KiB of a message and then nothing
    UnfinishedMessages = "unfinished_messages",
    /// Each connection sends the beginning of a TLS handshake at a byte a second
    SlowTlsHandshakes = "slow_tls_handshakes",
    /// TLS handshakes are completed, and the connections reset, as fast as possible
    TlsHandshakes = "tls_handshakes",
    /// Connections are opened and reset as fast as possible
    Connects = "connects",
    /// Connections are opened, upgraded and reset as fast as possible
    Upgrades = "upgrades",
    /// Handshakes with a forged token each
    ForgedTokens = "forged_tokens",
    /// Each connection of HTTP/2 asks for the largest page on a hundred streams and reads nothing of it
    UnreadAnswers = "unread_answers",
    /// Each connection of HTTP/2 begins a hundred bodies of 64,000 bytes and ends none
    UnfinishedBodies = "unfinished_bodies",
    /// Each connection subscribes to as many of the worst patterns as it may, and publishes to what they nearly match
    Patterns = "patterns",
    /// Requests to publish without a key are pipelined
    Requests = "requests",
    /// A hundred channels are subscribed to and left again and again
    Subscribes = "subscribes",
    /// Channels with a new name each are subscribed to and left
    ChannelNames = "channel_names",
    /// WebSocket pings with the largest payload
    ProtocolPings = "protocol_pings",
    /// WebSocket pongs that nobody has asked for
    UnaskedPongs = "unasked_pongs",
    /// Pings of the application
    ApplicationPings = "application_pings",
    /// Pings of both kinds, the answers to which are never read
    UnreadPings = "unread_pings",
    /// Messages with a new type each that nobody knows
    UnknownTypes = "unknown_types",
    /// A message in fragments of no bytes that never ends
    EmptyFragments = "empty_fragments",
    /// A message in fragments of one byte that never ends
    ByteFragments = "byte_fragments",
    /// Messages of nothing but blanks and newlines
    Newlines = "newlines",
    /// Messages whose data are arrays within arrays, 15,000 deep
    Nesting = "nesting",
    /// Each connection sends 62 KiB that inflate to 62 MiB
    InflateBombs = "inflate_bombs",
    /// Messages of a hundred bytes that inflate to 60 KiB of blanks, or of arrays within arrays
    InflatedMessages = "inflated_messages",
    /// Frames that break the protocol
    BrokenFrames = "broken_frames",
}

impl Attack {
    /// The attack of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|attack| attack.name() == name)
    }

    /// Whether it is about what requests hold that are not at their end.
    pub(crate) fn holds_requests(self) -> bool {
        matches!(self, Self::UnreadAnswers | Self::UnfinishedBodies)
    }

    /// Does it until it is dropped.
    async fn run(self, field: &Field) {
        match self {
            Self::SlowHandshakes
            | Self::SlowTlsHandshakes
            | Self::SilentConnections
            | Self::LargeHeads
            | Self::NeverAuthenticate
            | Self::UnfinishedMessages => crowd::run(self, field).await,
            Self::UnreadAnswers | Self::UnfinishedBodies => unread::run(self, field).await,
            Self::Patterns => patterns::run(field).await,
            _ => flood::run(self, field).await,
        }
    }
}

/// What an attacker works with.
#[derive(Clone)]
struct Field {
    server: SocketAddr,
    tls: Option<(SocketAddr, TlsConnector)>,
    scale: Scale,
    sources: Arc<Sources>,
    tally: Arc<Tally>,
}

impl Field {
    /// Where an attack goes to.
    fn target(&self, attack: Attack) -> SocketAddr {
        match &self.tls {
            Some((address, _)) if matches!(attack, Attack::SlowTlsHandshakes | Attack::TlsHandshakes) => {
                *address
            }
            _ => self.server,
        }
    }

    /// Shakes hands for TLS, and no more.
    async fn tls_handshake(&self, stream: TcpStream) -> io::Result<()> {
        let Some((_, connector)) = &self.tls else { return Err(io::ErrorKind::NotConnected.into()) };
        let name = ServerName::try_from(TLS_NAME).map_err(io::Error::other)?;
        connector.connect(name, stream).await.map(|_| ())
    }
}

/// What an attack has done so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Connections made.
    opened: AtomicU64,
    /// Connections that could not be made, and handshakes that were refused.
    refused: AtomicU64,
    /// Connections that the server ended.
    cut: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Tally {
    fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    pub(crate) fn to_json(&self) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "opened": read(&self.opened),
            "refused": read(&self.refused),
            "cut_by_server": read(&self.cut),
            "sent_bytes": read(&self.sent_bytes),
        })
    }
}

/// Begins an attack on a thread of its own; when that ends, everything it held is given back.
pub(crate) fn begin(
    attack: Attack,
    server: &Server,
    scale: Scale,
    tally: Arc<Tally>,
) -> JoinHandle<io::Result<()>> {
    let sources = Arc::new(Sources::new(NETWORK, ADDRESSES));
    let tls = server.tls().map(|(address, certificate)| (address, connector(certificate)));
    let field = Field { server: server.address(), tls, scale, sources, tally };
    std::thread::spawn(move || {
        stand_back();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            // The time is the attack's end; before it, it has none.
            let _ = timeout(scale.attack, attack.run(&field)).await;
        });
        Ok(())
    })
}

/// A client of TLS that trusts this certificate and begins anew each time: a session resumed is cheap for the server.
fn connector(certificate: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    // One that cannot be parsed shows as handshakes that fail.
    let _ = roots.add(certificate);
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

/// Makes this thread less urgent. Where that is not possible, only the numbers are worse.
fn stand_back() {
    let thread = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(id) = thread.file_name() {
        let _ = Command::new("renice").args(["-n", NICENESS, "-p"]).arg(id).output();
    }
}

/// The pause before a refused connection is tried again.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_are_found_by_their_names() {
        for attack in Attack::ALL {
            assert_eq!(Attack::named(attack.name()), Some(*attack));
            assert!(!attack.about().is_empty() && !attack.about().ends_with('.'));
        }
        assert_eq!(Attack::named("nothing"), None);
    }
}
