//! Secrets of a server that was given none: made at the first start, kept for the later ones.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Secret;
use crate::private_file;

/// More than any secret; a larger file is something else.
const FILE_BYTES_MAX: u64 = 4096;

/// What a generated secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// It opens the HTTP API. A person needs it, so it is shown when it is made.
    Api,
    /// It signs tokens. Nobody needs to see it: `fanfare token` and the server read the file.
    Token,
}

/// The key in its file.
pub struct KeyFile {
    /// The key itself.
    pub key: Secret,
    /// Where it is kept.
    pub path: PathBuf,
    /// The key in clear, if it was made just now and people need it: to be shown this once.
    pub created: Option<String>,
    /// Whether others than the owner may read the file.
    pub exposed: bool,
}

/// Why there is no key.
#[derive(Debug)]
pub struct KeyFileError {
    kind: KeyKind,
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Io(io::Error),
    Random,
    NotAKey,
}

impl KeyKind {
    /// How many bytes of randomness: 192 bits that nobody guesses and that fit a line, and as many as HS256 uses.
    fn random_bytes(self) -> usize {
        match self {
            KeyKind::Api => 24,
            KeyKind::Token => 32,
        }
    }

    /// Makes a leaked one recognisable to whoever scans for such.
    fn prefix(self) -> &'static str {
        match self {
            KeyKind::Api => "ffk_",
            KeyKind::Token => "ffs_",
        }
    }

    /// The shortest that a file may hold. RFC 7518, section 3.2, wants 256 bits for HS256.
    fn bytes_min(self) -> usize {
        match self {
            KeyKind::Api => 16,
            KeyKind::Token => 32,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            KeyKind::Api => "API key",
            KeyKind::Token => "signing secret",
        }
    }

    /// What to set instead.
    fn settings(self) -> &'static str {
        match self {
            KeyKind::Api => "api.keys, api.key_file or data_dir",
            KeyKind::Token => "auth.secret_file or data_dir",
        }
    }
}

impl KeyFile {
    /// Reads the key, or makes one if there is no file yet. Of several servers that do so at once, all get
    /// the same key.
    ///
    /// # Errors
    /// When the file holds no key, or can be neither read nor made.
    pub fn open(path: &Path, kind: KeyKind) -> Result<Self, KeyFileError> {
        let fail = |reason| KeyFileError { kind, path: path.to_owned(), reason };
        match read(path, kind) {
            Err(Reason::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(reason) => return Err(fail(reason)),
            Ok((text, exposed)) => return Ok(Self::found(path, &text, exposed)),
        }
        let key = generate(kind).map_err(fail)?;
        if create(path, &key).map_err(|error| fail(Reason::Io(error)))? {
            let (secret, path) = (Secret::new(&key), path.to_owned());
            let created = (kind == KeyKind::Api).then_some(key);
            return Ok(Self { key: secret, path, created, exposed: false });
        }
        let (text, exposed) = read(path, kind).map_err(fail)?;
        Ok(Self::found(path, &text, exposed))
    }

    /// The key in clear, for a program that has to show it to the server.
    ///
    /// # Errors
    /// When the file holds no key or cannot be read.
    pub fn text(path: &Path, kind: KeyKind) -> Result<String, KeyFileError> {
        match read(path, kind) {
            Ok((text, _)) => Ok(text),
            Err(reason) => Err(KeyFileError { kind, path: path.to_owned(), reason }),
        }
    }

    fn found(path: &Path, text: &str, exposed: bool) -> Self {
        Self { key: Secret::new(text), path: path.to_owned(), created: None, exposed }
    }
}

fn read(path: &Path, kind: KeyKind) -> Result<(String, bool), Reason> {
    let file = File::open(path).map_err(Reason::Io)?;
    let exposed = exposed(&file).map_err(Reason::Io)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(Reason::Io)?;
    let key = text.trim();
    if key.len() < kind.bytes_min() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Reason::NotAKey);
    }
    Ok((key.to_owned(), exposed))
}

fn generate(kind: KeyKind) -> Result<String, Reason> {
    let mut random = vec![0; kind.random_bytes()];
    getrandom::fill(&mut random).map_err(|_| Reason::Random)?;
    Ok(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random)))
}

/// Writes the file whole or not at all; false if another one was there first.
fn create(path: &Path, key: &str) -> io::Result<bool> {
    private_file::make_directory_of(path)?;
    let mut draft = path.as_os_str().to_owned();
    // Not the process id: in containers that share a volume all have the same.
    let suffix = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    draft.push(format!(".{suffix:016x}.new"));
    let draft = PathBuf::from(draft);
    let written = write_private(&draft, key).and_then(|()| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // A file system without links. Still only one of several servers makes the file; another one may find it
        // half written, refuses it as no key, and is right at its next start.
        Err(_) => match write_private(path, key) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
    });
    // What is left of the draft does no harm but clutter.
    let _ = fs::remove_file(&draft);
    written
}

fn write_private(path: &Path, key: &str) -> io::Result<()> {
    let mut file = private_file::options().write(true).create_new(true).open(path)?;
    file.write_all(format!("{key}\n").as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn exposed(_file: &File) -> io::Result<bool> {
    Ok(false)
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, noun) = (self.path.display(), self.kind.noun());
        let (settings, bytes_min) = (self.kind.settings(), self.kind.bytes_min());
        match &self.reason {
            Reason::Io(error) => {
                write!(f, "the {noun} in {path} can be neither read nor made ({error}); set {settings}")
            }
            Reason::Random => write!(f, "the system gives no random numbers for the {noun}; set {settings}"),
            Reason::NotAKey => write!(
                f,
                "{path} holds no {noun}: at least {bytes_min} visible ASCII characters on one line; \
                 remove it, and the next start makes one"
            ),
        }
    }
}

impl std::error::Error for KeyFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("fanfare-key-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_first_start_makes_a_key_and_later_ones_use_it() {
        let directory = Directory::new("first");
        let path = directory.0.join("deep/api.key");
        let first = KeyFile::open(&path, KeyKind::Api).unwrap_or_else(|error| panic!("{error}"));
        let shown = first.created.unwrap();
        assert!(shown.starts_with("ffk_") && shown.len() == 36 && first.key.matches(shown.as_bytes()));
        let second = KeyFile::open(&path, KeyKind::Api).unwrap_or_else(|error| panic!("{error}"));
        assert!(second.created.is_none() && second.key.matches(shown.as_bytes()) && !second.exposed);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "the draft is gone");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = Directory::new("mode");
        let path = directory.0.join("api.key");
        KeyFile::open(&path, KeyKind::Api).unwrap_or_else(|error| panic!("{error}"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&directory.0)), (0o600, 0o700));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(KeyFile::open(&path, KeyKind::Api).is_ok_and(|file| file.exposed));
    }

    #[test]
    fn servers_that_start_at_once_agree() {
        let directory = Directory::new("race");
        let path = directory.0.join("api.key");
        assert!(create_twice(&path));
        let opened = KeyFile::open(&path, KeyKind::Api).unwrap_or_else(|error| panic!("{error}"));
        assert!(opened.key.matches(b"ffk_first-first-first"));
    }

    /// A server that died while it made its key left its draft behind. Where every start has the same process id, as in
    /// a container, none of them could make one any more.
    #[test]
    fn a_draft_that_was_left_behind_stops_no_later_start() {
        let directory = Directory::new("stale");
        fs::create_dir_all(&directory.0).unwrap();
        let path = directory.0.join("api.key");
        fs::write(directory.0.join(format!("api.key.{}.new", std::process::id())), "half a k").unwrap();
        let made = KeyFile::open(&path, KeyKind::Api).unwrap_or_else(|error| panic!("{error}"));
        assert!(made.created.is_some());
    }

    /// Nobody needs to see the signing secret, so nobody is given it to print.
    #[test]
    fn a_signing_secret_is_long_and_is_never_handed_out_in_clear() {
        let directory = Directory::new("token");
        let path = directory.0.join("token.secret");
        let first = KeyFile::open(&path, KeyKind::Token).unwrap_or_else(|error| panic!("{error}"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(first.created.is_none() && first.key.matches(text.trim().as_bytes()));
        assert!(text.starts_with("ffs_") && text.trim().len() == 47, "32 random bytes");
        fs::write(&path, "thirty-one-characters-are-short").unwrap();
        let error = KeyFile::open(&path, KeyKind::Token).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("holds no signing secret") && !error.contains("thirty-one"), "{error}");
    }

    #[test]
    fn many_that_open_at_once_get_the_same_secret() {
        let directory = Directory::new("many");
        let path = directory.0.join("token.secret");
        let opened: Vec<KeyFile> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| KeyFile::open(&path, KeyKind::Token).ok().unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(opened.iter().all(|file| file.key.matches(opened[0].key.expose())));
    }

    fn create_twice(path: &Path) -> bool {
        create(path, "ffk_first-first-first").unwrap() && !create(path, "ffk_second-second").unwrap()
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_alone() {
        let directory = Directory::new("odd");
        fs::create_dir_all(&directory.0).unwrap();
        let path = directory.0.join("api.key");
        for odd in ["", "short", "two words are not a key", "line one is long enough\nsecond"] {
            fs::write(&path, odd).unwrap();
            let text = KeyFile::open(&path, KeyKind::Api).err().map(|error| error.to_string()).unwrap();
            assert!(text.contains("holds no API key"), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), odd);
        }
        let below_a_file = path.join("api.key");
        assert!(KeyFile::open(&below_a_file, KeyKind::Api).is_err());
    }
}
