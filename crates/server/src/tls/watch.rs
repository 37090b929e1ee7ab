//! Certificates that are replaced while the server runs: on SIGHUP, and when their files change.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use rustls::crypto::aws_lc_rs;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::certificate::Certificate;
use super::files::CertificateFiles;

/// How long files have to be left alone before they are read: a certificate and its key are written one after
/// the other.
const SETTLED: Duration = Duration::from_millis(250);

/// How long that is waited for at most: other files of the folder may never be left alone.
const SETTLED_MAX: Duration = Duration::from_secs(2);

/// Who keeps a certificate as its files have it.
pub(super) struct Watch {
    files: CertificateFiles,
    certificate: Arc<Certificate>,
    folders: Folders,
    hangup: Option<Signal>,
    /// The files as they were read last.
    state: State,
}

/// What tells one content of the files from another, without reading them. A symbolic link that leads elsewhere shows in
/// it too.
type State = [Option<(PathBuf, u64, u64, SystemTime)>; 2];

fn state(files: &CertificateFiles) -> State {
    [&files.cert, &files.key].map(|path| {
        let real = path.canonicalize().ok()?;
        let data = real.metadata().ok()?;
        Some((real, data.ino(), data.len(), data.modified().ok()?))
    })
}

impl Watch {
    /// Listens from now on.
    pub(super) fn new(files: CertificateFiles, certificate: Arc<Certificate>) -> Self {
        let mut folders = Folders::new();
        folders.watch(&files);
        let hangup = signal(SignalKind::hangup());
        if let Err(error) = &hangup {
            tracing::warn!(%error, "SIGHUP cannot be heard; certificates are replaced when their files change");
        }
        let state = state(&files);
        Self { files, certificate, folders, hangup: hangup.ok(), state }
    }

    /// Puts what the files hold in force whenever they change or the signal comes, for ever. What cannot be used is
    /// logged, and the old certificate stays.
    pub(super) async fn run(mut self) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        loop {
            tokio::select! {
                () = heard(&mut self.hangup) => tracing::info!("SIGHUP: reading the certificate again"),
                () = self.folders.changed() => {
                    // Something else in their folder has changed, such as a log.
                    if state(&self.files) == self.state {
                        continue;
                    }
                }
            }
            self.state = state(&self.files);
            // Before they are read, so that no change is missed: a symbolic link may lead elsewhere now.
            self.folders.watch(&self.files);
            match self.files.load(&provider) {
                Ok(pair) => {
                    pair.log_warnings();
                    if self.certificate.replace(pair.certified) {
                        tracing::info!(path = %self.files.cert.display(), "a new certificate is in force");
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the new certificate cannot be used; the old one stays")
                }
            }
        }
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The folders of the files. Not the files themselves: those are replaced by renaming others over them, or, in
/// Kubernetes, by turning a symbolic link elsewhere.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    changes: mpsc::Receiver<()>,
}

impl Folders {
    fn new() -> Self {
        // One change that waits stands for all.
        let (sender, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                let _ = sender.try_send(());
            }
        });
        let watcher = watcher.map_err(|error| warn(&error)).ok();
        Self { watcher, watched: HashSet::new(), changes }
    }

    fn watch(&mut self, files: &CertificateFiles) {
        let Some(watcher) = &mut self.watcher else { return };
        for path in [&files.cert, &files.key] {
            let real = path.canonicalize().ok();
            for folder in [Some(path), real.as_ref()].into_iter().flatten().filter_map(|path| folder_of(path))
            {
                if !self.watched.contains(&folder) {
                    match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                        Ok(()) => drop(self.watched.insert(folder)),
                        Err(error) => warn(&error),
                    }
                }
            }
        }
    }

    /// Waits for a change, and until no more of them come for a while.
    async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        let since = Instant::now();
        while since.elapsed() < SETTLED_MAX
            && let Ok(Some(())) = tokio::time::timeout(SETTLED, self.changes.recv()).await
        {}
    }
}

fn folder_of(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

fn warn(error: &notify::Error) {
    tracing::warn!(%error, "the folder of the certificate cannot be watched; SIGHUP still replaces it");
}

/// Reading is none: it would be heard by whoever reads because of it.
fn is_change(kind: EventKind) -> bool {
    !kind.is_access() || kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log beside the certificate, written to again and again, put a renewal off for ever.
    #[tokio::test]
    async fn a_folder_that_is_never_left_alone_is_read_all_the_same() {
        let folder = std::env::temp_dir().join(format!("fanfare-watch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let files = CertificateFiles { cert: folder.join("a.crt"), key: folder.join("a.key") };
        let mut folders = Folders::new();
        folders.watch(&files);
        let log = folder.join("a.log");
        let noise = async {
            let mut often = tokio::time::interval(SETTLED / 5);
            for _ in 0..200 {
                often.tick().await;
                std::fs::write(&log, "line").unwrap();
            }
        };
        let noticed = tokio::select! {
            () = folders.changed() => true,
            () = noise => false,
        };
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(noticed);
    }

    /// A certificate that was refused was read again, and complained of, at every line of a log in its folder.
    #[test]
    fn only_the_files_themselves_change_their_state() {
        let folder = std::env::temp_dir().join(format!("fanfare-state-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let files = CertificateFiles { cert: folder.join("a.crt"), key: folder.join("a.key") };
        let missing = state(&files);
        std::fs::write(&files.cert, "one").unwrap();
        let first = state(&files);
        assert_ne!(missing, first);
        std::fs::write(folder.join("a.log"), "line").unwrap();
        assert_eq!(state(&files), first, "another file");
        std::fs::write(folder.join("other"), "two").unwrap();
        std::fs::rename(folder.join("other"), &files.cert).unwrap();
        let renamed = state(&files);
        assert_ne!(renamed, first, "another file of the same length was renamed over it");
        std::fs::write(folder.join("target"), "two").unwrap();
        std::fs::remove_file(&files.cert).unwrap();
        std::os::unix::fs::symlink(folder.join("target"), &files.cert).unwrap();
        let linked = state(&files);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_ne!(linked, renamed, "a link leads elsewhere");
    }
}
