//! The generator's own way through WebSocket frames: hop from header to header, copy nothing.
//!
//! It trusts the server more than a real client may (no UTF-8 check, no limits): its task is to count.

use fanfare_wire::OpCode;

/// What stands between two headers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A whole data message, or in streamed mode as much of its payload as has arrived.
    Data(&'a [u8]),
    /// A whole data message, compressed.
    Deflated(&'a [u8]),
    /// A question that wants its payload back.
    Ping(&'a [u8]),
    /// Nothing to do.
    Pong,
    /// The end, with its code (1005 when it carries none).
    Close(u16),
}

/// A header, as far as the generator cares.
struct Header {
    opcode: u8,
    compressed: bool,
    header_bytes: usize,
    payload_bytes: usize,
}

/// Walks over `bytes`, calls `hear` for every piece, and says how many bytes are done with.
///
/// In message mode a frame that is not complete is left for the next time. In streamed mode (peers whose
/// frames are slices of a byte stream) the part of a payload that has arrived is heard at once, and `owed`
/// keeps how many bytes of that payload are still to come.
///
/// # Errors
/// When the server breaks the framing, or whatever `hear` returns.
pub(crate) fn walk<E>(
    bytes: &[u8],
    streamed: bool,
    owed: &mut usize,
    mut hear: impl FnMut(Piece<'_>) -> Result<(), E>,
) -> Result<usize, E>
where
    E: From<&'static str>,
{
    let mut at = 0;
    if *owed > 0 {
        at = bytes.len().min(*owed);
        *owed -= at;
        hear(Piece::Data(&bytes[..at]))?;
    }
    while let Some(header) = parse(&bytes[at..])? {
        let start = at + header.header_bytes;
        let data = header.opcode < 8;
        if let Some(payload) = bytes.get(start..start + header.payload_bytes) {
            hear(if header.compressed { Piece::Deflated(payload) } else { piece(header.opcode, payload)? })?;
            at = start + header.payload_bytes;
        } else if streamed && data {
            *owed = start + header.payload_bytes - bytes.len();
            hear(Piece::Data(&bytes[start..]))?;
            return Ok(bytes.len());
        } else {
            break;
        }
    }
    Ok(at)
}

fn parse(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if second & 0x80 != 0 {
        return Err("the server sent a masked frame");
    }
    let compressed = first & 0x40 != 0;
    if first & 0x30 != 0 || (compressed && !matches!(first & 0x0F, 1 | 2)) {
        return Err("the server used an extension that was not negotiated");
    }
    let (header_bytes, payload_bytes) = match second {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => {
                (10, usize::try_from(u64::from_be_bytes(*length)).map_err(|_| "a frame too long")?)
            }
            None => return Ok(None),
        },
        short => (2, usize::from(*short)),
    };
    Ok(Some(Header { opcode: first & 0x0F, compressed, header_bytes, payload_bytes }))
}

fn piece(opcode: u8, payload: &[u8]) -> Result<Piece<'_>, &'static str> {
    match opcode {
        0..=2 => Ok(Piece::Data(payload)),
        8 => Ok(Piece::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)))),
        9 => Ok(Piece::Ping(payload)),
        10 => Ok(Piece::Pong),
        _ => Err("the server used a reserved opcode"),
    }
}

/// Appends a masked frame. The key need not be unpredictable here: nobody's cache is between.
pub(crate) fn push(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    fanfare_wire::encode_frame_masked(out, opcode, payload, [0x5A, 0x17, 0xC3, 0x68]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` cut at `cut`, carrying the rest over as a seat does, and returns what was heard.
    fn heard(bytes: &[u8], cut: usize, streamed: bool) -> Vec<String> {
        let mut log = Vec::new();
        let mut owed = 0;
        let mut carry = Vec::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            carry.extend_from_slice(part);
            let done = walk::<&'static str>(&carry, streamed, &mut owed, |piece| {
                log.push(match piece {
                    Piece::Data(data) => String::from_utf8_lossy(data).into_owned(),
                    other => format!("{other:?}"),
                });
                Ok(())
            });
            carry.drain(..done.unwrap());
        }
        log
    }

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        fanfare_wire::encode_frame(&mut bytes, OpCode::Text, b"short");
        fanfare_wire::encode_frame(&mut bytes, OpCode::Ping, b"");
        fanfare_wire::encode_frame(&mut bytes, OpCode::Binary, &[b'x'; 300]);
        fanfare_wire::encode_close(&mut bytes, 4011, "slow");
        bytes
    }

    #[test]
    fn messages_are_whole_wherever_the_bytes_are_cut() {
        let bytes = sample();
        let whole = heard(&bytes, 0, false);
        assert_eq!(whole, ["short", "Ping([])", &"x".repeat(300), "Close(4011)"]);
        for cut in 1..bytes.len() {
            assert_eq!(heard(&bytes, cut, false), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_streamed_payload_is_heard_as_it_comes() {
        let bytes = sample();
        for cut in 0..bytes.len() {
            let joined = heard(&bytes, cut, true).concat();
            assert_eq!(joined.replace("Ping([])", ""), format!("short{}Close(4011)", "x".repeat(300)));
        }
    }

    #[test]
    fn broken_framing_is_an_error() {
        for bytes in [[0x81, 0x80], [0xA1, 0x00], [0xC9, 0x00], [0x8B, 0x00]] {
            assert!(walk::<&'static str>(&bytes, false, &mut 0, |_| Ok(())).is_err());
        }
    }
}
