//! An upstream that sends back what it hears and says how each of its connections ended.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare_testkit::faults::FaultProxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What takes longer than this has not happened.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How a connection ended for one side.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Eof,
    Reset,
}

pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    /// Bytes over all connections.
    heard: Arc<AtomicUsize>,
    endings: mpsc::UnboundedReceiver<Ending>,
    _serving: JoinSet<()>,
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))
}

fn ending(outcome: &io::Result<()>) -> Ending {
    match outcome {
        Ok(()) => Ending::Eof,
        Err(error) => {
            let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
            assert!(kinds.contains(&error.kind()), "{error}");
            Ending::Reset
        }
    }
}

impl Echo {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(AtomicUsize::new(0));
        let (sender, endings) = mpsc::unbounded_channel();
        let counter = heard.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (counter, sender) = (counter.clone(), sender.clone());
                connections.spawn(async move {
                    let _ = sender.send(ending(&echo(stream, &counter).await));
                });
            }
        });
        Self { address, heard, endings, _serving: serving }
    }

    pub(crate) async fn ending(&mut self) -> Ending {
        within("the end at the upstream", self.endings.recv()).await.unwrap()
    }

    /// Waits until it has heard so many bytes.
    pub(crate) async fn hears(&self, bytes: usize) {
        within("the upstream to hear", async {
            while self.heard() < bytes {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(crate) fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

async fn echo(mut stream: TcpStream, heard: &AtomicUsize) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        heard.fetch_add(count, Ordering::SeqCst);
        stream.write_all(&buffer[..count]).await?;
    }
}

/// A client of the proxy.
pub(crate) struct Talker(pub(crate) TcpStream);

impl Talker {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within("connecting", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        within("writing", self.0.write_all(bytes)).await.unwrap();
    }

    /// Exactly these bytes come next.
    pub(crate) async fn hears(&mut self, wanted: &[u8]) {
        let mut got = vec![0; wanted.len()];
        within("the echo", self.0.read_exact(&mut got)).await.unwrap();
        assert_eq!(got, wanted);
    }

    /// Says it, and hears it again.
    pub(crate) async fn asks(&mut self, bytes: &[u8]) {
        self.say(bytes).await;
        self.hears(bytes).await;
    }

    /// Waits for the end; the bytes before it, and how it ended.
    pub(crate) async fn end(&mut self) -> (Vec<u8>, Ending) {
        let mut rest = Vec::new();
        let outcome = within("the end at the client", self.0.read_to_end(&mut rest)).await;
        (rest, ending(&outcome.map(drop)))
    }

    pub(crate) fn has_heard_nothing(&self) {
        let error = self.0.try_read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}

/// An upstream and a whole line to it.
pub(crate) async fn line(seed: u64) -> (Echo, FaultProxy) {
    let echo = Echo::start().await;
    let proxy = FaultProxy::start(echo.address, seed).await.unwrap();
    (echo, proxy)
}

/// Bytes of which no two places look alike.
pub(crate) fn numbered(count: usize) -> Vec<u8> {
    (0..count as u32).flat_map(u32::to_be_bytes).collect()
}
