//! Certificates that are replaced while the server runs: on SIGHUP, and when their files change.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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

/// Puts what the files hold in force whenever they change or the signal comes, for ever. What cannot be used is
/// logged, and the old certificate stays.
pub(super) async fn renew(files: &CertificateFiles, certificate: &Certificate) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut folders = Folders::new();
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => Some(hangup),
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be heard; certificates are replaced when their files change");
            None
        }
    };
    loop {
        // After each look too: a symbolic link may lead elsewhere now.
        folders.watch(files);
        tokio::select! {
            () = heard(&mut hangup) => tracing::info!("SIGHUP: reading the certificate again"),
            () = folders.changed() => {}
        }
        match files.load(&provider) {
            Ok(pair) => {
                pair.log_warnings();
                if certificate.replace(pair.certified) {
                    tracing::info!(path = %files.cert.display(), "a new certificate is in force");
                }
            }
            Err(error) => tracing::error!(%error, "the new certificate cannot be used; the old one stays"),
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

    /// Waits for a change, and until no more of them come.
    async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(SETTLED, self.changes.recv()).await {}
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
