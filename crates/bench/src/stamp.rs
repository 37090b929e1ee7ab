//! The first bytes of every payload: which publication it is, and when it was due.
//!
//! The stamp is text of fixed width, so that it survives any envelope (JSON strings, NATS records) and is
//! read back without parsing the envelope: a mark that occurs nowhere else, then digits.

/// Stands before the digits; no envelope and no name used here contains it.
const MARK: u8 = b'~';
/// The mark, eight digits of sequence, sixteen digits of nanoseconds.
pub(crate) const STAMP_BYTES: usize = 25;

/// What payloads are filled with.
const WORDS: [&str; 64] = [
    "the", "of", "and", "to", "in", "that", "was", "his", "he", "it", "with", "is", "for", "as", "had",
    "you", "not", "be", "her", "on", "at", "by", "which", "have", "or", "from", "this", "him", "but", "all",
    "she", "they", "were", "my", "are", "me", "one", "their", "so", "an", "said", "them", "we", "who",
    "would", "been", "will", "no", "when", "there", "if", "more", "out", "up", "into", "do", "any", "your",
    "what", "has", "man", "could", "other", "than",
];

/// What a payload says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The publication's place in its room, from 0.
    pub(crate) sequence: u32,
    /// When it was due to be sent, in nanoseconds since the generator's start. The schedule's time and
    /// not the time of the write: a generator or a server that falls behind must not hide it.
    pub(crate) due_ns: u64,
}

impl Stamp {
    /// Appends the stamp and fills up to `payload_bytes` with words, other ones for each publication: dots would be
    /// compressed to nothing.
    pub(crate) fn write(self, out: &mut Vec<u8>, payload_bytes: usize) {
        let start = out.len();
        out.push(MARK);
        push_digits(out, u64::from(self.sequence), 8);
        push_digits(out, self.due_ns, 16);
        let end = start + payload_bytes.max(STAMP_BYTES);
        let mut state = self.sequence.wrapping_mul(2_654_435_761) | 1;
        while out.len() < end {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            out.push(b' ');
            out.extend_from_slice(WORDS[(state >> 26) as usize].as_bytes());
        }
        out.truncate(end);
    }

    /// Finds the stamp in a delivered message, whatever stands around it.
    pub(crate) fn find(message: &[u8]) -> Option<Self> {
        let mark = memchr::memchr(MARK, message)?;
        let digits: &[u8; 24] = message.get(mark + 1..)?.first_chunk()?;
        let (groups, _) = digits.as_chunks::<8>();
        let [sequence, high, low] = groups else { return None };
        Some(Self {
            sequence: u32::try_from(eight_digits(*sequence)?).ok()?,
            due_ns: eight_digits(*high)? * 100_000_000 + eight_digits(*low)?,
        })
    }
}

fn push_digits(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Reads eight decimal digits in one word: neighbours are joined to pairs, pairs to fours, fours to eight.
fn eight_digits(digits: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(digits).wrapping_sub(0x3030_3030_3030_3030);
    if (word | word.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = word.wrapping_mul(10) + (word >> 8);
    let lows = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let highs = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    Some(lows.wrapping_add(highs) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_inside_any_envelope() {
        for (sequence, due_ns) in [(0, 0), (1, 9), (99_999_999, 9_999_999_999_999_999), (12_345_678, 1_234)] {
            let stamp = Stamp { sequence, due_ns };
            let mut message = br#"{"type":"message","data":""#.to_vec();
            stamp.write(&mut message, 64);
            message.extend_from_slice(br#""}"#);
            assert_eq!(message.len(), 26 + 64 + 2);
            assert_eq!(Stamp::find(&message), Some(stamp));
        }
    }

    #[test]
    fn what_is_no_stamp_is_not_found() {
        assert_eq!(Stamp::find(b""), None);
        assert_eq!(Stamp::find(b"~123"), None);
        assert_eq!(Stamp::find(b"no mark 000000000000000000000000"), None);
        for wrong in [b'/', b':', 0, 0xFF] {
            let mut message = b"~000000010000000000000001".to_vec();
            message[5] = wrong;
            assert_eq!(Stamp::find(&message), None);
        }
    }
}
