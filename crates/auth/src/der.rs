//! As much of DER (X.690) as it takes to find a public key in a `SubjectPublicKeyInfo` or a certificate (RFC 5280).
//! What the bytes inside mean, and whether they are a key at all, is checked by who uses them.

/// Tags (X.690, section 8).
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OBJECT_ID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
/// `[0]`, which holds a certificate's version.
const VERSION: u8 = 0xa0;

/// Bytes of which elements are taken off the front. Every method answers `None` where the bytes are not what it takes.
#[derive(Clone, Copy)]
pub(crate) struct Der<'b>(pub(crate) &'b [u8]);

impl<'b> Der<'b> {
    /// The next element and what comes after it, if it has this tag.
    fn split(self, tag: u8) -> Option<(&'b [u8], &'b [u8])> {
        let (&found, rest) = self.0.split_first()?;
        let (&length, rest) = rest.split_first()?;
        if found != tag {
            return None;
        }
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            // DER has one form for each length, and no key is longer than what two bytes count.
            0x81 => rest
                .split_first()
                .map(|(&byte, rest)| (usize::from(byte), rest))
                .filter(|(n, _)| *n > 0x7f)?,
            0x82 => {
                let (bytes, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*bytes)), rest)
            }
            _ => return None,
        };
        if self.0.len() - rest.len() == 4 && length <= 0xff {
            return None;
        }
        rest.split_at_checked(length)
    }

    /// Takes the content of the next element.
    pub(crate) fn take(&mut self, tag: u8) -> Option<Der<'b>> {
        let (content, rest) = self.split(tag)?;
        self.0 = rest;
        Some(Der(content))
    }

    /// Takes the next element, which is the last.
    pub(crate) fn only(mut self, tag: u8) -> Option<Der<'b>> {
        let content = self.take(tag)?;
        self.0.is_empty().then_some(content)
    }

    /// Takes an integer that is positive: its bytes without leading zeros.
    pub(crate) fn take_positive(&mut self) -> Option<&'b [u8]> {
        match self.take(INTEGER)?.0 {
            [] | [0] => None,
            [0, rest @ ..] if rest[0] & 0x80 != 0 => Some(rest),
            [0, ..] => None,
            [first, ..] if first & 0x80 != 0 => None,
            bytes => Some(bytes),
        }
    }

    /// The content of a bit string whose bits are whole bytes.
    pub(crate) fn take_bytes(&mut self) -> Option<&'b [u8]> {
        self.take(BIT_STRING)?.0.strip_prefix(&[0])
    }
}

/// The `SubjectPublicKeyInfo` of a certificate, whole (RFC 5280, section 4.1).
pub(crate) fn key_of_certificate(certificate: &[u8]) -> Option<&[u8]> {
    let mut signed = Der(certificate).only(SEQUENCE)?.take(SEQUENCE)?;
    let mut ahead = signed;
    if ahead.take(VERSION).is_some() {
        signed = ahead;
    }
    signed.take(INTEGER)?;
    // How it is signed, by whom, from when until when, for whom.
    for _ in 0..4 {
        signed.take(SEQUENCE)?;
    }
    let whole = signed.0;
    signed.take(SEQUENCE)?;
    Some(&whole[..whole.len() - signed.0.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_one_form() {
        let of = |head: &[u8], length: usize| {
            let bytes: Vec<u8> = head.iter().copied().chain(std::iter::repeat_n(1, length)).collect();
            Der(&bytes).only(SEQUENCE).map(|content| content.0.len())
        };
        assert_eq!(of(&[0x30, 0x03], 3), Some(3));
        assert_eq!(of(&[0x30, 0x81, 0x80], 128), Some(128));
        assert_eq!(of(&[0x30, 0x82, 0x01, 0x00], 256), Some(256));
        assert_eq!(of(&[0x30, 0x81, 0x03], 3), None, "longer than needed");
        assert_eq!(of(&[0x30, 0x82, 0x00, 0x80], 128), None, "longer than needed");
        assert_eq!(of(&[0x30, 0x80], 3), None, "without end");
        assert_eq!(of(&[0x30, 0x03], 2), None, "cut off");
        assert_eq!(of(&[0x30, 0x03], 4), None, "more behind it");
        assert_eq!(of(&[0x31, 0x03], 3), None, "another tag");
        assert_eq!(of(&[0x30], 0), None);
        assert_eq!(of(&[], 0), None);
    }

    #[test]
    fn integers_are_positive_and_short() {
        let of = |bytes: &[u8]| Der(bytes).take_positive().map(<[u8]>::to_vec);
        assert_eq!(of(&[2, 1, 3]), Some(vec![3]));
        assert_eq!(of(&[2, 2, 0, 0x80]), Some(vec![0x80]));
        for odd in [&[2u8, 0][..], &[2, 1, 0], &[2, 2, 0, 1], &[2, 1, 0x80], &[3, 1, 1], &[2, 2, 1]] {
            assert_eq!(of(odd), None, "{odd:?}");
        }
    }
}
