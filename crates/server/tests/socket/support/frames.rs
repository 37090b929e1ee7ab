//! Frames by hand, the broken ones included.

use std::fmt::Write as _;

use serde_json::Value;

pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV: [u8; 3] = [0x40, 0x20, 0x10];
pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// How a length is written, whether that form fits it or not.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Short(u8),
    Medium(u16),
    Long(u64),
}

impl Length {
    fn shortest(bytes: usize) -> Self {
        match bytes {
            0..126 => Length::Short(bytes as u8),
            126..=0xFFFF => Length::Medium(bytes as u16),
            _ => Length::Long(bytes as u64),
        }
    }
}

/// A header that says anything.
pub(crate) fn header(first: u8, masked: bool, length: Length) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut out = vec![first];
    match length {
        Length::Short(length) => out.push(mask | length),
        Length::Medium(length) => {
            out.push(mask | 126);
            out.extend(length.to_be_bytes());
        }
        Length::Long(length) => {
            out.push(mask | 127);
            out.extend(length.to_be_bytes());
        }
    }
    if masked {
        out.extend(KEY);
    }
    out
}

/// A masked frame of any kind with its length in the form given.
pub(crate) fn frame_of(first: u8, length: Length, payload: &[u8]) -> Vec<u8> {
    let mut out = header(first, true, length);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

/// A masked frame.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    frame_of(first, Length::shortest(payload.len()), payload)
}

/// A frame as only servers may send it.
pub(crate) fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = header(first, false, Length::shortest(payload.len()));
    out.extend(payload);
    out
}

/// A whole text message.
pub(crate) fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}

pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, [&code.to_be_bytes()[..], reason].concat())
}

/// An application's ping, which the server answers with this id.
pub(crate) fn ask(id: &str) -> Vec<u8> {
    text(format!(r#"{{"type":"ping","id":"{id}"}}"#))
}

/// A frame from the server.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Takes one whole frame off the front; it must be one that a server may send.
    pub(crate) fn take(buffer: &mut Vec<u8>) -> Result<Option<Self>, String> {
        let [first, second, ..] = buffer[..] else { return Ok(None) };
        if first & 0x70 != 0 || first & FIN == 0 || second & 0x80 != 0 {
            return Err(format!("the server sent a frame that begins with {first:#x} {second:#x}"));
        }
        let (start, length) = match second {
            126 if buffer.len() < 4 => return Ok(None),
            126 => (4, usize::from(u16::from_be_bytes([buffer[2], buffer[3]]))),
            127 => match buffer.get(2..10).and_then(|bytes| bytes.try_into().ok()) {
                Some(bytes) => (10, u64::from_be_bytes(bytes) as usize),
                None => return Ok(None),
            },
            short => (2, usize::from(short)),
        };
        if buffer.len() < start + length {
            return Ok(None);
        }
        let payload = buffer[start..start + length].to_vec();
        buffer.drain(..start + length);
        Ok(Some(Self { opcode: first & 0x0F, payload }))
    }

    /// The code of a close frame.
    pub(crate) fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.opcode == CLOSE).then(|| u16::from_be_bytes(*code))
    }

    /// The message, if it is one.
    pub(crate) fn json(&self) -> Option<Value> {
        (self.opcode == TEXT).then(|| serde_json::from_slice(&self.payload).ok())?
    }

    /// In a few words, as the tables of cases have it.
    pub(crate) fn summary(&self) -> String {
        if let Some(code) = self.close_code() {
            return format!("CLOSE {code}");
        }
        let Some(value) = self.json() else {
            let payload = String::from_utf8_lossy(&self.payload);
            let kind = match self.opcode {
                PING => "PING",
                PONG => "PONG",
                CLOSE => "CLOSE",
                _ => "FRAME",
            };
            return format!("{kind} {payload}").trim_end().to_owned();
        };
        let mut out = value["type"].as_str().unwrap_or("?").to_owned();
        for member in ["id", "code", "data"] {
            match &value[member] {
                Value::Null => {}
                Value::String(text) => drop(write!(out, " {text}")),
                other => drop(write!(out, " {other}")),
            }
        }
        out
    }
}
