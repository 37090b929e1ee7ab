//! The real binary, where it matters that it is a process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{PATIENCE, within};

static HOMES: AtomicU32 = AtomicU32::new(0);

/// A running server with a home of its own.
pub(crate) struct Process {
    child: Child,
    home: PathBuf,
    pub(crate) address: SocketAddr,
    /// Where it speaks TLS, if it does.
    pub(crate) tls_address: Option<SocketAddr>,
    /// From its start until it said where it listens.
    pub(crate) start: Duration,
    /// Lines of its log as they come.
    pub(crate) log: mpsc::UnboundedReceiver<String>,
    _output: JoinHandle<()>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

impl Process {
    /// Starts it, with `descriptors` as its limit on them, and waits until it listens.
    pub(crate) async fn start(settings: &[(&str, &str)], descriptors: u32) -> Self {
        let serial = HOMES.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("fanfare-socket-{}-{serial}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let started = Instant::now();
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" serve --listen 127.0.0.1:0")])
            .arg(env!("CARGO_BIN_EXE_fanfare"))
            .env_clear()
            .env("HOME", &home)
            // Not the usual address, which only one server on this host can have.
            .env("FANFARE_ADMIN_LISTEN", "")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = mpsc::unbounded_channel();
        spawn_blocking(move || errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let reading = spawn_blocking(move || {
            let mut said = String::new();
            while !said.contains("\n\n") {
                assert_ne!(output.read_line(&mut said).unwrap(), 0, "the server ended: {said}");
            }
            (said, output)
        });
        let (said, mut output) = within("the server to listen", reading).await.unwrap().unwrap();
        let start = started.elapsed();
        let at = |scheme| said.split_whitespace().find_map(|word| word.strip_prefix(scheme)?.parse().ok());
        let (address, tls_address) = (at("http://").unwrap(), at("https://"));
        let _output = spawn_blocking(move || drop(output.read_to_string(&mut String::new())));
        Self { child, home, address, tls_address, start, log, _output }
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Its number on this machine.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid();
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
        assert!(status.unwrap().success());
    }

    /// The key of its API, as it keeps it.
    pub(crate) fn api_key(&self) -> String {
        let path = self.home.join(".local/share/fanfare/api.key");
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }

    /// How many descriptors it holds.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let given_up = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < given_up, "the server does not end");
            tokio::task::yield_now().await;
        }
    }

    /// Waits for a line of its log.
    pub(crate) async fn logged(&mut self, text: &str) -> String {
        let found = async {
            while let Some(line) = self.log.recv().await {
                if line.contains(text) {
                    return line;
                }
            }
            panic!("the log ended without {text:?}")
        };
        within("a line in the log", found).await.unwrap()
    }
}
