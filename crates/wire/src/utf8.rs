//! Text that arrives in pieces cut anywhere (§8.1).

use crate::violation::{Rule, Violation};

/// Text so far, and the bytes of a character whose end has not arrived.
///
/// Only checked text enters the string, so nothing is checked twice when the message is complete.
#[derive(Default)]
pub(crate) struct TextBuffer {
    text: String,
    tail: [u8; 4],
    tail_bytes: usize,
}

impl TextBuffer {
    /// Appends bytes, and fails at the first one that no further byte could make valid.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let rest = self.finish_tail(bytes)?;
        let (whole, tail) = split_unfinished(rest);
        let text = simdutf8::basic::from_utf8(whole).map_err(|_| Rule::Utf8)?;
        self.text.push_str(text);
        tail.iter().try_for_each(|&byte| self.push_tail(byte))
    }

    /// The text, if it does not end inside a character.
    pub(crate) fn complete(&self) -> Result<&str, Violation> {
        if self.tail_bytes == 0 { Ok(&self.text) } else { Err(Rule::Utf8.into()) }
    }

    /// Payload bytes held, the unfinished character included.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.tail_bytes
    }

    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Feeds the unfinished character until it is whole and returns the bytes after it.
    fn finish_tail<'a>(&mut self, mut bytes: &'a [u8]) -> Result<&'a [u8], Violation> {
        while self.tail_bytes > 0
            && let Some((&byte, rest)) = bytes.split_first()
        {
            self.push_tail(byte)?;
            bytes = rest;
        }
        Ok(bytes)
    }

    /// Adds one byte to the unfinished character, and the character to the text when it is whole.
    fn push_tail(&mut self, byte: u8) -> Result<(), Violation> {
        // Four bytes are always whole or wrong, so there is room for another one.
        let Some(slot) = self.tail.get_mut(self.tail_bytes) else { return Err(Rule::Utf8.into()) };
        *slot = byte;
        self.tail_bytes += 1;
        match std::str::from_utf8(&self.tail[..self.tail_bytes]) {
            Ok(character) => {
                self.text.push_str(character);
                self.tail_bytes = 0;
                Ok(())
            }
            Err(error) if error.error_len().is_none() => Ok(()),
            Err(_) => Err(Rule::Utf8.into()),
        }
    }
}

/// Cuts off a last character that wants more bytes than there are.
///
/// A lead byte says how long its character is, so looking at the last three bytes suffices; whether
/// the bytes are valid is for the caller to check.
fn split_unfinished(bytes: &[u8]) -> (&[u8], &[u8]) {
    for (back, &byte) in (1..=3).zip(bytes.iter().rev()) {
        let wanted = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        let unfinished = if wanted > back { back } else { 0 };
        return bytes.split_at(bytes.len() - unfinished);
    }
    (bytes, &[])
}
