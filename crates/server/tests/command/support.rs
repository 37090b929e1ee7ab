//! The command in a home of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// A home directory that is gone afterwards.
pub(crate) struct Home(pub(crate) PathBuf);

impl Home {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fanfare-command-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The command with this home and an otherwise empty environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
        command.args(arguments).env_clear().env("HOME", &self.0).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.0.join(".local/share/fanfare/api.key")
    }

    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Starts a server on loopback with these arguments too.
    pub(crate) fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut said = String::new();
        // The line with the command to publish is among the last.
        while !said.contains("/api/publish") {
            assert_ne!(output.read_line(&mut said).unwrap(), 0, "the server ended: {said}");
        }
        Server { process, output, said }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    pub(crate) said: String,
}

impl Server {
    pub(crate) fn url(&self) -> &str {
        self.said.split_whitespace().find(|word| word.starts_with("http://")).unwrap()
    }

    /// Asks it to end, and returns how it did.
    pub(crate) fn end(mut self) -> Option<i32> {
        let kill = format!("kill -TERM {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let code = self.process.wait().unwrap().code();
        self.output.read_to_string(&mut self.said).unwrap();
        code
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
