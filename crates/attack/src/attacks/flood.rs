//! Few connections, each of which sends as much as it can.

use std::fmt::Write as _;
use std::io;
use std::sync::OnceLock;

use fanfare_wire::deflate::Deflater;
use fanfare_wire::{OpCode, encode_frame_masked};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Attack, Field, REFUSED_PAUSE, Tally};
use crate::line::{Line, MASK, request_deflated};
use crate::tokens;

/// What is written in one go, more or less.
const BURST_BYTES: usize = 32 * 1024;

/// How deep arrays are put into one another.
const NESTING: usize = 15_000;

pub(super) async fn run(attack: Attack, field: &Field) {
    for number in 0..field.scale.floods as u64 {
        let field = field.clone();
        tokio::task::spawn_local(async move {
            let mut flood = Flood { attack, field, number, serial: 0 };
            loop {
                if flood.once().await.is_err() {
                    Tally::add(&flood.field.tally.refused, 1);
                    sleep(REFUSED_PAUSE).await;
                }
            }
        });
    }
    std::future::pending().await
}

/// One attacker, who comes again whenever it is cut.
struct Flood {
    attack: Attack,
    field: Field,
    number: u64,
    /// Counts whatever has to be new each time.
    serial: u64,
}

impl Flood {
    /// One connection, from its beginning to its end.
    async fn once(&mut self) -> io::Result<()> {
        let server = self.field.server;
        let stream = self.field.sources.connect_abrupt(self.field.target(self.attack)).await?;
        Tally::add(&self.field.tally.opened, 1);
        let stream = match self.attack {
            Attack::Connects => return Ok(()),
            Attack::Requests => stream,
            Attack::TlsHandshakes => return self.field.tls_handshake(stream).await,
            Attack::ForgedTokens => {
                let refused = Line::shake(stream, server, &tokens::forged_path()?).await;
                return refused.map(|_| ());
            }
            Attack::InflateBombs | Attack::InflatedMessages => {
                let request = request_deflated(server, &tokens::path(&tokens::stranger())?);
                Line::shake_by(&request, stream).await?.into_stream()
            }
            _ => Line::shake(stream, server, &tokens::path(&tokens::stranger())?).await?.into_stream(),
        };
        if self.attack != Attack::Upgrades {
            self.pour(stream).await;
            Tally::add(&self.field.tally.cut, 1);
        }
        Ok(())
    }

    /// Sends until the server has had enough.
    async fn pour(&mut self, mut stream: TcpStream) {
        let (mut reader, mut writer) = stream.split();
        let unread = self.attack == Attack::UnreadPings;
        let ended = async {
            let mut bytes = vec![0; 16 * 1024];
            if unread {
                std::future::pending::<()>().await;
            }
            while matches!(reader.read(&mut bytes).await, Ok(1..)) {}
        };
        let pouring = async {
            let mut burst = Vec::with_capacity(2 * BURST_BYTES);
            let mut first = true;
            loop {
                burst.clear();
                self.fill(&mut burst, first);
                first = false;
                if writer.write_all(&burst).await.is_err() {
                    return;
                }
                Tally::add(&self.field.tally.sent_bytes, burst.len() as u64);
                if self.attack == Attack::InflateBombs {
                    // It is over, and the next bomb needs another connection.
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = ended => {}
            () = pouring => {}
        }
    }

    /// The next burst; `first` when nothing was sent on this connection before.
    fn fill(&mut self, out: &mut Vec<u8>, first: bool) {
        match self.attack {
            Attack::EmptyFragments => fragments(out, b"", first),
            Attack::ByteFragments => fragments(out, b" ", first),
            Attack::BrokenFrames => out.extend(BROKEN[self.turn() as usize % BROKEN.len()]),
            Attack::InflateBombs => out.extend(bomb()),
            Attack::InflatedMessages => {
                while out.len() < BURST_BYTES {
                    let [blanks, nested] = inflated_messages();
                    out.extend(if self.turn().is_multiple_of(2) { blanks } else { nested });
                }
            }
            Attack::Requests => {
                while out.len() < BURST_BYTES {
                    out.extend(
                        b"POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                          Content-Length: 35\r\n\r\n{\"channel\":\"room-0\",\"data\":\"hello\"}",
                    );
                }
            }
            Attack::ProtocolPings => self.frames(out, OpCode::Ping, |_, payload| payload.extend([b'p'; 125])),
            Attack::UnaskedPongs => self.frames(out, OpCode::Pong, |_, _| {}),
            _ => self.frames(out, OpCode::Text, Self::message),
        }
    }

    fn turn(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn frames(&mut self, out: &mut Vec<u8>, opcode: OpCode, payload: impl Fn(&mut Self, &mut Vec<u8>)) {
        let mut bytes = Vec::new();
        while out.len() < BURST_BYTES {
            bytes.clear();
            payload(self, &mut bytes);
            encode_frame_masked(out, opcode, &bytes, MASK);
            if self.attack == Attack::UnreadPings {
                encode_frame_masked(out, OpCode::Ping, &[b'p'; 125], MASK);
            }
        }
    }

    /// The payload of the next text message.
    fn message(&mut self, out: &mut Vec<u8>) {
        let (number, turn) = (self.number, self.turn());
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = match self.attack {
            Attack::Subscribes => {
                let verb = if turn / 100 % 2 == 0 { "subscribe" } else { "unsubscribe" };
                write!(text, r#"{{"type":"{verb}","channel":"flood-{}"}}"#, turn % 100)
            }
            Attack::ChannelNames => {
                let verb = if turn % 2 == 0 { "unsubscribe" } else { "subscribe" };
                write!(text, r#"{{"type":"{verb}","channel":"name-{number}-{}"}}"#, turn.div_ceil(2))
            }
            Attack::UnknownTypes => {
                write!(text, r#"{{"type":"nobody-knows-{number}-{turn}","id":"{turn}"}}"#)
            }
            Attack::Newlines => {
                text.extend(std::iter::repeat_n("\n \t\r\n", BURST_BYTES / 5));
                Ok(())
            }
            Attack::Nesting => {
                let (open, close) = ("[".repeat(NESTING), "]".repeat(NESTING));
                write!(text, r#"{{"type":"publish","channel":"deep","data":{open}{close}}}"#)
            }
            _ => write!(text, r#"{{"type":"ping","id":"{turn}"}}"#),
        };
        out.extend(text.as_bytes());
    }
}

/// A text message that is compressed.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut deflater = Deflater::new(9, 15);
    encode_frame_masked(&mut out, OpCode::Text, deflater.deflate(message).unwrap_or_default(), MASK);
    // RSV1.
    out[0] |= 0x40;
    out
}

/// As much as a server would take if it looked at the compressed size alone. Made once: it takes a while.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| compressed(&vec![0; 62 << 20]))
}

/// Small, and as large as a message may be when they are inflated.
fn inflated_messages() -> [&'static [u8]; 2] {
    static MESSAGES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let messages = MESSAGES.get_or_init(|| {
        let (open, close) = ("[".repeat(2 * NESTING), "]".repeat(2 * NESTING));
        let nested = format!(r#"{{"type":"publish","channel":"deep","data":{open}{close}}}"#);
        [compressed(&vec![b' '; 60 * 1024]), compressed(nested.as_bytes())]
    });
    [&messages[0], &messages[1]]
}

/// Fragments of a text message that never ends.
fn fragments(out: &mut Vec<u8>, payload: &[u8], first: bool) {
    let mut opcode = u8::from(first);
    while out.len() < BURST_BYTES {
        out.extend([opcode, 0x80 | payload.len() as u8]);
        out.extend(MASK);
        out.extend(payload.iter().map(|byte| byte ^ MASK[0]));
        opcode = 0;
    }
}

/// Frames that no client may send: reserved bits and opcodes, no mask, control frames too long or in parts, a
/// continuation of nothing, a length of 2^63, text that is not UTF-8, a close code that may not travel.
const BROKEN: [&[u8]; 10] = [
    b"\xC1\x80\0\0\0\0",
    b"\x83\x80\0\0\0\0",
    b"\x8B\x80\0\0\0\0",
    b"\x81\x05hello",
    b"\x89\xFE\x00\x7E\0\0\0\0",
    b"\x09\x80\0\0\0\0",
    b"\x80\x80\0\0\0\0",
    b"\x81\xFF\x80\0\0\0\0\0\0\0\0\0\0\0",
    b"\x81\x82\0\0\0\0\xFF\xFE",
    b"\x88\x82\0\0\0\0\x03\xED",
];
