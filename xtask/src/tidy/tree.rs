//! A small repository in a temporary folder, for tests that show a rule failing.

use std::path::{Path, PathBuf};

use super::source::Source;

/// Removed when dropped.
pub(crate) struct Tree(PathBuf);

impl Tree {
    /// An empty tree; `name` must be unlike that of every other test.
    pub(crate) fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("fanfare-tidy-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        Self(root)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn files(&self) -> Vec<String> {
        super::walk::files(&self.0).unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A source file that needs no folder.
pub(crate) fn source(path: &str, text: &str) -> Source {
    Source::parse(path, text).unwrap()
}
