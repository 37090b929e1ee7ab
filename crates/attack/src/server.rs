//! The server process under its memory limit: what it says, what it holds.

use std::fs;
use std::io::{self, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;

use crate::tokens;

/// What the process may have: of writable memory by the kernel's limit on it, and of resident memory by our account.
pub(crate) const MEMORY_KIB_MAX: u64 = 512 * 1024;

/// How long it may take to start, and to end once it is told to.
const PATIENCE: Duration = Duration::from_secs(40);

/// Lines of its log that are kept; the first ones tell most.
const LINES_MAX: usize = 10_000;

/// Whom the certificate is for.
pub(crate) const TLS_NAME: &str = "fanfare.test";

/// A new folder.
fn home() -> io::Result<PathBuf> {
    static HOMES: AtomicU32 = AtomicU32::new(0);
    let serial = HOMES.fetch_add(1, Ordering::Relaxed);
    let home = std::env::temp_dir().join(format!("fanfare-attack-{}-{serial}", std::process::id()));
    fs::create_dir_all(&home)?;
    Ok(home)
}

/// A running server with a home of its own.
pub struct Server {
    child: Child,
    home: PathBuf,
    address: SocketAddr,
    /// Where it listens with TLS, and its certificate.
    tls: Option<(SocketAddr, CertificateDer<'static>)>,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

impl Server {
    /// Starts it and waits until it listens.
    ///
    /// The limit is on writable private memory (`RLIMIT_DATA`), which needs no privilege and is stricter than one on
    /// what is resident: beyond it an allocation fails, and the process aborts.
    ///
    /// # Errors
    /// When it cannot be started, or ends or falls silent before it listens; the error has its log.
    pub fn start(binary: &Path, settings: &[(String, String)]) -> io::Result<Self> {
        Self::start_in(home()?, binary, settings, None)
    }

    /// The same for a server that wants to know who connects, and that speaks TLS beside.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(crate) fn start_guarded(binary: &Path, settings: &[(String, String)]) -> io::Result<Self> {
        let home = home()?;
        tokens::install(&home)?;
        let names = vec![TLS_NAME.to_owned()];
        let certified = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let path = |name: &str| home.join(name).to_string_lossy().into_owned();
        let (certificate, key) = (path("tls.crt"), path("tls.key"));
        fs::write(&certificate, certified.cert.pem())?;
        fs::write(&key, certified.signing_key.serialize_pem())?;
        let own = [
            ("FANFARE_DATA_DIR", path("")),
            ("FANFARE_AUTH_MODE", "required".to_owned()),
            ("FANFARE_TLS_LISTEN", "127.0.0.1:0".to_owned()),
            ("FANFARE_TLS_CERT_FILE", certificate),
            ("FANFARE_TLS_KEY_FILE", key),
        ];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        let settings: Vec<(String, String)> = own.chain(settings.iter().cloned()).collect();
        Self::start_in(home, binary, &settings, Some(certified.cert.der().clone()))
    }

    fn start_in(
        home: PathBuf,
        binary: &Path,
        settings: &[(String, String)],
        certificate: Option<CertificateDer<'static>>,
    ) -> io::Result<Self> {
        let command = format!("ulimit -d {MEMORY_KIB_MAX} && exec \"$0\" serve --listen 127.0.0.1:0");
        let mut child = Command::new("sh")
            .args(["-c", &command])
            .arg(binary)
            .env_clear()
            .env("HOME", &home)
            // The kernel counts addresses that the allocator has emptied and keeps for later, which take no memory.
            .env("_RJEM_MALLOC_CONF", "retain:false")
            .env("FANFARE_ADMIN_LISTEN", "127.0.0.1:0")
            .envs(settings.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut readers = Vec::new();
        if let Some(errors) = child.stderr.take() {
            let log = log.clone();
            readers.push(std::thread::spawn(move || keep(BufReader::new(errors), &log)));
        }
        let kept = certificate.clone();
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, receiver) = std::sync::mpsc::channel();
        readers.push(std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let _ = sender.send(announced(&mut output, certificate.is_some()));
            // It must never wait for somebody to read.
            let _ = output.read_to_end(&mut Vec::new());
        }));
        let announced = receiver.recv_timeout(PATIENCE).ok().flatten();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, home, address: nowhere, tls: None, log, readers };
        match announced {
            Some((plain, tls)) => {
                server.address = plain;
                server.tls = tls.zip(kept);
                Ok(server)
            }
            None => Err(io::Error::other(format!("the server does not start: {:?}", server.lines()))),
        }
    }

    fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens with TLS, and its certificate.
    pub(crate) fn tls(&self) -> Option<(SocketAddr, CertificateDer<'static>)> {
        self.tls.clone()
    }

    /// What its log says about panics.
    pub(crate) fn panics(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains("panicked")).collect()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// How many descriptors it holds; none once it is gone.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).map_or(0, Iterator::count)
    }

    /// Resident memory in KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most resident memory since [`Server::forget_peak`], in KiB.
    pub(crate) fn rss_peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    /// Begins the peak anew, where the kernel lets us.
    pub(crate) fn forget_peak(&self) {
        let _ = fs::write(self.proc("clear_refs"), "5");
    }

    fn status_kib(&self, field: &str) -> u64 {
        let text = fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// Tells it to end and waits for that.
    pub(crate) fn end(mut self) -> io::Result<ExitStatus> {
        let pid = self.child.id().to_string();
        Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status()?;
        let told = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if told.elapsed() > PATIENCE {
                return Err(io::Error::other("the server does not end"));
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Ok(status)
    }
}

/// Pages that the kernel's TCP holds for all sockets of this host, in KiB: they are not the process's own.
pub(crate) fn tcp_kib() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or_default();
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem").skip(1);
    words.next().and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}

fn keep(errors: impl io::BufRead, log: &Mutex<Vec<String>>) {
    for line in errors.lines().map_while(Result::ok) {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        // A panic is never too late to be kept.
        if log.len() < LINES_MAX || line.contains("panicked") {
            log.push(line);
        }
    }
}

/// The addresses that the server says it listens on: the plain one, and the one with TLS if there is to be one.
fn announced(output: &mut impl io::BufRead, with_tls: bool) -> Option<(SocketAddr, Option<SocketAddr>)> {
    let (mut plain, mut tls) = (None, None);
    let mut line = String::new();
    while plain.is_none() || (with_tls && tls.is_none()) {
        line.clear();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let named = |scheme: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(scheme)?.parse().ok())
        };
        plain = plain.or_else(|| named("http://"));
        tls = tls.or_else(|| named("https://"));
    }
    Some((plain?, tls))
}
