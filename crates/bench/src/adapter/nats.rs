//! nats-server: the NATS text protocol as a byte stream inside binary frames.

use fanfare_wire::OpCode;

use super::{Adapter, Hearing, Role, Who};
use crate::frame;

/// Subscribes by `SUB`, publishes by `PUB`, counts `MSG`.
pub(crate) struct Nats;

impl Adapter for Nats {
    fn path(&self, _who: &Who<'_>) -> Option<String> {
        Some("/".to_owned())
    }

    fn is_streamed(&self) -> bool {
        true
    }

    fn opened(&self, who: &Who<'_>, hearing: &mut Hearing<'_>) {
        let subscribe = match who.role {
            Role::Publisher => String::new(),
            Role::Subscriber => format!("SUB {} 1\r\n", who.room),
        };
        let hello = format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\n{subscribe}PING\r\n");
        hearing.reply(OpCode::Binary, hello.as_bytes());
    }

    fn heard(&self, _who: &Who<'_>, piece: &[u8], hearing: &mut Hearing<'_>) {
        if hearing.link.partial.is_empty() {
            let done = records(piece, hearing);
            hearing.link.partial.extend_from_slice(&piece[done..]);
        } else {
            let mut stream = std::mem::take(&mut hearing.link.partial);
            stream.extend_from_slice(piece);
            let done = records(&stream, hearing);
            // Only the cut record is kept, in memory of its own size.
            hearing.link.partial = stream[done..].to_vec();
        }
    }

    fn publish(&self, room: &str, data: &[u8], out: &mut Vec<u8>) {
        let mut record = format!("PUB {room} {}\r\n", data.len()).into_bytes();
        record.extend_from_slice(data);
        record.extend_from_slice(b"\r\n");
        frame::push(out, OpCode::Binary, &record);
    }
}

/// Takes whole records from the front and returns how many bytes they were.
fn records(stream: &[u8], hearing: &mut Hearing<'_>) -> usize {
    let mut at = 0;
    while let Some(line_bytes) = memchr::memchr(b'\n', &stream[at..]) {
        let line = &stream[at..at + line_bytes];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let after_line = at + line_bytes + 1;
        if line.starts_with(b"MSG ") {
            let Some(payload_bytes) = payload_bytes(line) else {
                hearing.refused(line);
                return stream.len();
            };
            let Some(payload) = stream.get(after_line..after_line + payload_bytes) else { break };
            if stream.len() < after_line + payload_bytes + 2 {
                break;
            }
            hearing.delivered(payload);
            at = after_line + payload_bytes + 2;
            continue;
        }
        match line {
            b"PING" => hearing.reply(OpCode::Binary, b"PONG\r\n"),
            b"PONG" => hearing.ready(),
            info if info.starts_with(b"INFO ") => {}
            other => hearing.refused(other),
        }
        at = after_line;
    }
    at
}

/// The last word of a `MSG` line.
fn payload_bytes(line: &[u8]) -> Option<usize> {
    let word = &line[memchr::memrchr(b' ', line)? + 1..];
    if word.is_empty() || word.len() > 9 {
        return None;
    }
    word.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + usize::from(byte - b'0')))
}
