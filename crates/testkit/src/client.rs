//! One connection's far end: a socket that takes as much as the test allows.

use fanfare_core::session::SessionKey;

/// A client and its socket.
#[derive(Debug)]
pub struct Client {
    /// What scripts call it.
    pub name: String,
    /// The shard that owns its connection.
    pub shard: usize,
    /// Its session; none once the connection has gone.
    pub key: Option<SessionKey>,
    /// What each of its lines must begin with.
    pub letter: char,
    /// Whether it answers neither pings nor closes.
    pub silent: bool,
    /// How many more bytes its socket takes.
    pub room: usize,
    /// Bytes that came and were not read as lines yet.
    received: Vec<u8>,
    /// How many of them were already looked at for pings and closes.
    seen: usize,
    closed: bool,
    /// Whether it has begun a message that it has not finished.
    pub unfinished: bool,
    /// How many pings have come.
    pub pings: usize,
    /// Whether a script's transcript says already that the connection has gone.
    pub told_gone: bool,
}

impl Client {
    /// A client whose socket takes everything.
    pub fn new(name: &str, shard: usize, key: SessionKey, letter: char, silent: bool) -> Self {
        let name = name.to_owned();
        Self {
            name,
            shard,
            key: Some(key),
            letter,
            silent,
            room: usize::MAX,
            received: Vec::new(),
            seen: 0,
            closed: false,
            unfinished: false,
            pings: 0,
            told_gone: false,
        }
    }

    /// Takes what it has room for, and says how much that was.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room);
        self.received.extend_from_slice(&bytes[..count]);
        if self.room != usize::MAX {
            self.room -= count;
        }
        count
    }

    /// Whether a ping has come since it was last asked.
    pub fn was_pinged(&mut self) -> bool {
        let Some(end) = self.received.iter().rposition(|byte| *byte == b'\n') else { return false };
        let mut pinged = false;
        for line in self.received[self.seen.min(end)..end].split(|byte| *byte == b'\n') {
            if line.ends_with(b" PING") {
                pinged = true;
                self.pings += 1;
            }
            self.closed |= line.get(2..).is_some_and(|line| line.starts_with(b"CLOSE "));
        }
        self.seen = end;
        pinged
    }

    /// Whether the server's close has come; to be asked after [`Client::was_pinged`].
    pub fn was_closed(&self) -> bool {
        self.closed
    }

    /// The complete lines that came, without their letter; pings only if the client is silent.
    ///
    /// # Panics
    /// When a line is of another lane.
    pub fn take_lines(&mut self) -> Vec<String> {
        let Some(end) = self.received.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = self.received.drain(..=end).collect();
        self.seen = 0;
        let text = String::from_utf8_lossy(&whole);
        let own = format!("{} ", self.letter);
        let silent = self.silent;
        text.lines()
            .map(|line| match line.strip_prefix(&own) {
                Some(line) => line.to_owned(),
                None => panic!("{} speaks lane {} and received: {line}", self.name, self.letter),
            })
            .filter(|line| silent || line != "PING")
            .collect()
    }

    /// What has come of a line that is not complete.
    pub fn partial(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}
