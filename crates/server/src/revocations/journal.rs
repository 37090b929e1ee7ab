//! The file of revocations: one JSON object a line, only ever appended to, rewritten at the start without those that have
//! run out. A line that was not finished was never acknowledged and is dropped; anything else that cannot be read is an
//! error, because a revocation that is passed over lets somebody in. It belongs to one server at a time, which has it
//! locked: another one would not hear of what is taken back, and could cut off the line that is being written.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use fanfare_protocol::UserId;
use serde::{Deserialize, Serialize};

use super::list::{Entry, Subject};
use crate::private_file;

/// More than any line that is written here.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// How often the file may be replaced while it is being opened: each time by a server that starts and ends at once.
const OPEN_ATTEMPTS: usize = 100;

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_unix_ms: Option<u64>,
    until_unix_ms: u64,
}

/// The open file.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Whether a line may have been left unfinished, which the next one must not continue.
    torn: bool,
}

/// Why the revocations cannot be read or written.
#[derive(Debug)]
pub struct JournalError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Io(io::Error),
    /// Another server has it open.
    Held,
    /// The number of the line, and what is wrong with it.
    Line(usize, String),
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Journal {
    /// Reads the file, making it if there is none; each entry that has not run out is given to `restore`.
    pub(super) fn open(
        path: &Path,
        now_unix_ms: u64,
        mut restore: impl FnMut(&Entry),
    ) -> Result<Self, JournalError> {
        let opened = open(path, now_unix_ms);
        let (file, entries) = opened.map_err(|reason| JournalError { path: path.to_owned(), reason })?;
        entries.iter().for_each(&mut restore);
        Ok(Self { path: path.to_owned(), file, torn: false })
    }

    /// Appends entries; when this returns they are on the disk.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), JournalError> {
        let written = self.try_append(entries);
        // Where the last line ends is not known any more.
        self.torn |= written.is_err();
        written.map_err(|error| JournalError { path: self.path.clone(), reason: Reason::Io(error) })
    }

    fn try_append(&mut self, entries: &[Entry]) -> io::Result<()> {
        // An empty line is passed over; it separates an unfinished line from the next one only if that is cut off.
        if self.torn {
            let whole = whole_bytes(&mut self.file)?;
            self.file.set_len(whole)?;
            self.torn = false;
        }
        let mut text = Vec::new();
        for entry in entries {
            write_line(&mut text, entry)?;
        }
        self.file.write_all(&text)?;
        self.file.sync_data()
    }
}

/// Opens and locks the file, and rewrites it.
fn open(path: &Path, now_unix_ms: u64) -> Result<(File, Vec<Entry>), Reason> {
    private_file::make_directory_of(path)?;
    for _ in 0..OPEN_ATTEMPTS {
        let file = private_file::options().read(true).append(true).create(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Reason::Held),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Why again: it was replaced before it was locked.
        if is_at(&file, path)? {
            let mut entries = read(&file)?;
            entries.retain(|entry| entry.until_unix_ms > now_unix_ms);
            // Only now is the old file's lock given up: whoever waits for that finds it replaced.
            return Ok((rewrite(path, &entries)?, entries));
        }
    }
    Err(io::Error::other("other servers replace it again and again").into())
}

/// Writes the entries to a new file, locked, and puts it in the place of the old one.
fn rewrite(path: &Path, entries: &[Entry]) -> Result<File, Reason> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let mut text = Vec::new();
    for entry in entries {
        write_line(&mut text, entry)?;
    }
    // What a server that died has left behind is nobody's.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = private_file::options().read(true).append(true).create_new(true).open(&draft)?;
    file.lock()?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(file)
}

/// The entries.
fn read(file: &File) -> Result<Vec<Entry>, Reason> {
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(0))?;
    let mut entries = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let bytes = io::Read::take(&mut reader, LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if bytes == 0 {
            break;
        }
        let finished = line.last() == Some(&b'\n');
        match parse(&line) {
            Ok(entry) if finished => entries.push(entry),
            Err(problem) if finished || bytes == LINE_BYTES_MAX => return Err(Reason::Line(number, problem)),
            // The last line, without its end: it was never acknowledged.
            Ok(entry) => entries.push(entry),
            Err(_) => {}
        }
    }
    Ok(entries)
}

fn parse(line: &[u8]) -> Result<Entry, String> {
    // Its text would repeat what the line says.
    let line: Line = serde_json::from_slice(line).map_err(|error| format!("{:?} error", error.classify()))?;
    let subject = match (line.token, line.user, line.before_unix_ms) {
        (Some(token), None, None) => Subject::Token(token.into()),
        (None, Some(user), Some(before)) => {
            Subject::User(UserId::new(&user).map_err(|error| error.to_string())?, before)
        }
        _ => return Err("neither a token nor a user with a time".to_owned()),
    };
    Ok(Entry { subject, until_unix_ms: line.until_unix_ms })
}

fn write_line(text: &mut Vec<u8>, entry: &Entry) -> io::Result<()> {
    let until_unix_ms = entry.until_unix_ms;
    let line = match &entry.subject {
        Subject::Token(id) => {
            Line { token: Some(id.to_string()), user: None, before_unix_ms: None, until_unix_ms }
        }
        Subject::User(user, before) => {
            Line { token: None, user: Some(user.to_string()), before_unix_ms: Some(*before), until_unix_ms }
        }
    };
    serde_json::to_writer(&mut *text, &line)?;
    text.push(b'\n');
    Ok(())
}

/// How many bytes the finished lines have.
fn whole_bytes(file: &mut File) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let (mut whole, mut position, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line)? as u64 {
            0 => return Ok(whole),
            bytes => position += bytes,
        }
        if line.last() == Some(&b'\n') {
            whole = position;
        }
    }
}

/// Whether the file is still the one at this path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(theirs) => Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Reason::Io(error) => {
                write!(f, "the revocations in {path} can be neither read nor written ({error})")
            }
            Reason::Held => write!(
                f,
                "another server that runs has the revocations in {path}: end it, or give this one its own data_dir, \
                 for neither would hear what the other takes back"
            ),
            Reason::Line(number, problem) => write!(
                f,
                "line {number} of {path} is no revocation ({problem}); tokens that were taken back could be used \
                 again: repair the line, or remove the file if none of them matters"
            ),
        }
    }
}

impl std::error::Error for JournalError {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("fanfare-revoked-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("deep/revocations.jsonl")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn token(id: &str, until_unix_ms: u64) -> Entry {
        Entry { subject: Subject::Token(id.into()), until_unix_ms }
    }

    fn opened(path: &Path, now_unix_ms: u64) -> (Journal, Vec<Entry>) {
        let mut entries = Vec::new();
        let journal = Journal::open(path, now_unix_ms, |entry| entries.push(entry.clone()));
        (journal.unwrap_or_else(|error| panic!("{error}")), entries)
    }

    fn refused(path: &Path) -> String {
        Journal::open(path, 0, |_| {}).err().map(|error| error.to_string()).unwrap()
    }

    #[test]
    fn what_was_noted_is_there_again_without_what_has_run_out() {
        let directory = Directory::new("again");
        let path = directory.file();
        let ann =
            Entry { subject: Subject::User(UserId::new("ann \"quoted\"").unwrap(), 7), until_unix_ms: 90 };
        let (mut journal, entries) = opened(&path, 0);
        assert!(entries.is_empty());
        journal.append(&[token("a", 50), token("new\nline", 60)]).unwrap();
        journal.append(std::slice::from_ref(&ann)).unwrap();
        drop(journal);
        let (journal, entries) = opened(&path, 50);
        assert_eq!(entries, [token("new\nline", 60), ann]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "the file is rewritten");
        drop(journal);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = Directory::new("mode");
        let path = directory.file();
        drop(opened(&path, 0));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_line_that_was_not_finished_is_dropped_and_nothing_is_written_behind_it() {
        let directory = Directory::new("torn");
        let path = directory.file();
        let (mut journal, _) = opened(&path, 0);
        journal.append(&[token("a", 50)]).unwrap();
        // As when the disk ran full within a line.
        (&journal.file).write_all(b"{\"token\":\"b").unwrap();
        journal.torn = true;
        journal.append(&[token("c", 50)]).unwrap();
        (&journal.file).write_all(b"{\"token\":\"d\",\"until").unwrap();
        drop(journal);
        assert_eq!(opened(&path, 0).1, [token("a", 50), token("c", 50)]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_and_left_alone() {
        let directory = Directory::new("odd");
        let path = directory.file();
        drop(opened(&path, 0));
        let good = "{\"token\":\"a\",\"until_unix_ms\":5}\n";
        for odd in [
            "\n",
            "{\"token\":\"secret-a\"}\n",
            "{\"until_unix_ms\":5}\n",
            "{\"token\":\"secret-a\",\"user\":\"b\",\"before_unix_ms\":1,\"until_unix_ms\":5}\n",
            "{\"user\":\"\",\"before_unix_ms\":1,\"until_unix_ms\":5}\n",
            "secret-a\n",
            "\0\0\0\0\n",
        ] {
            let text = format!("{good}{odd}{good}");
            fs::write(&path, &text).unwrap();
            let error = refused(&path);
            assert!(error.contains("line 2 of") && !error.contains("secret-a"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::write(&path, "x".repeat(LINE_BYTES_MAX + 1)).unwrap();
        assert!(refused(&path).contains("line 1 of"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(refused(&path).contains("neither read nor written"));
    }

    /// Each of two servers saw what the other one had taken back at its next start only, and could cut off the line that the
    /// other one was just writing.
    #[test]
    fn a_second_server_does_not_get_it_before_the_first_one_has_ended() {
        let directory = Directory::new("held");
        let path = directory.file();
        let (mut first, _) = opened(&path, 0);
        assert!(refused(&path).contains("another server that runs has the revocations"));
        first.append(&[token("a", 50)]).unwrap();
        assert!(refused(&path).contains("another server that runs has the revocations"));
        first.append(&[token("b", 50)]).unwrap();
        drop(first);
        assert_eq!(opened(&path, 0).1, [token("a", 50), token("b", 50)]);
    }

    #[test]
    fn of_many_that_open_it_at_once_one_gets_it() {
        let directory = Directory::new("many");
        let path = directory.file();
        for _ in 0..20 {
            let opened: Vec<_> = std::thread::scope(|scope| {
                let open = || Journal::open(&path, 0, |_| {}).ok();
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(opened.len(), 1);
        }
    }
}
