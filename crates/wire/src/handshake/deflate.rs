//! permessage-deflate in a handshake (RFC 7692, section 7.1): what the client offers, and what we make of it.

use super::list;
use crate::deflate::{WINDOW_BITS, WINDOW_BITS_MAX};

/// What was agreed on: every message is compressed on its own, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateAgreement {
    /// The client asked for a bound on our window, and has to be told of it.
    bound: Option<u8>,
}

/// `Sec-WebSocket-Extensions` that is no list of extensions: the client's fault, and the handshake fails
/// (RFC 6455, section 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedExtensions;

impl DeflateAgreement {
    /// Chooses the first offer of permessage-deflate that we can keep to; `values` are those of every
    /// `Sec-WebSocket-Extensions` in the request.
    ///
    /// An offer is passed over that has a parameter which is unknown, repeated, or without a value that it may have
    /// (section 7.1), and one that wants us to keep to a window of 256 bytes, in which we cannot compress.
    ///
    /// # Errors
    /// When the values are not what the grammar of the header allows.
    pub fn choose<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, MalformedExtensions> {
        let mut chosen = None;
        for value in values {
            let mut rest = Rest(value);
            while let Some(extension) = rest.extension()? {
                // The rest is read even so: a list is well-formed as a whole or not at all.
                chosen = chosen.or_else(|| Self::accept(&extension));
            }
        }
        Ok(chosen)
    }

    fn accept(offer: &Extension<'_>) -> Option<Self> {
        if !offer.name.eq_ignore_ascii_case("permessage-deflate") {
            return None;
        }
        let mut bound = None;
        for (index, (name, value)) in offer.parameters.iter().enumerate() {
            let is_repeated = offer.parameters[..index].iter().any(|(earlier, _)| earlier == name);
            let is_acceptable = match (*name, value.as_deref()) {
                // Both are imposed in any case: nobody's context is kept here.
                ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
                // Whatever window the client chooses, it can be inflated.
                ("client_max_window_bits", value) => value.is_none_or(|value| window_bits(value).is_some()),
                ("server_max_window_bits", Some(value)) => {
                    bound = window_bits(value);
                    bound.is_some_and(|bits| WINDOW_BITS.contains(&bits))
                }
                _ => false,
            };
            if is_repeated || !is_acceptable {
                return None;
            }
        }
        Some(Self { bound })
    }

    /// How far back we may refer, as a power of two: one of [`WINDOW_BITS`](crate::deflate::WINDOW_BITS).
    pub fn window_bits(&self) -> u8 {
        self.bound.unwrap_or(WINDOW_BITS_MAX)
    }

    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub fn answer(&self) -> String {
        let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        match self.bound {
            Some(bits) => format!("{answer}; server_max_window_bits={bits}"),
            None => answer.to_owned(),
        }
    }
}

/// A number from 8 to 15 without leading zeros (section 7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (8..=WINDOW_BITS_MAX).contains(bits))?;
    (bits.to_string() == value).then_some(bits)
}

struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<String>)>,
}

/// What is left of a header's value.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// The next extension and the comma behind it; none at the end.
    fn extension(&mut self) -> Result<Option<Extension<'a>>, MalformedExtensions> {
        while self.eats(b',') {}
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut extension = Extension { name: self.token()?, parameters: Vec::new() };
        while self.eats(b';') {
            let name = self.token()?;
            let value = if self.eats(b'=') { Some(self.value()?) } else { None };
            extension.parameters.push((name, value));
        }
        if self.eats(b',') || self.0.is_empty() { Ok(Some(extension)) } else { Err(MalformedExtensions) }
    }

    /// Takes the byte, and the blanks around it, if it comes next.
    fn eats(&mut self, byte: u8) -> bool {
        self.0 = self.0.trim_ascii_start();
        let Some(rest) = self.0.strip_prefix(&[byte]) else { return false };
        self.0 = rest.trim_ascii_start();
        true
    }

    fn token(&mut self) -> Result<&'a str, MalformedExtensions> {
        let end = self.0.iter().position(|byte| !list::is_token_byte(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        list::token(token).ok_or(MalformedExtensions)
    }

    /// A token, or one in quotes: without them it has to be a token too (RFC 6455, section 9.1).
    fn value(&mut self) -> Result<String, MalformedExtensions> {
        let Some(mut rest) = self.0.strip_prefix(b"\"") else { return self.token().map(str::to_owned) };
        let mut value = Vec::new();
        loop {
            rest = match rest {
                [b'"', behind @ ..] => {
                    self.0 = behind;
                    return list::token(&value).map(str::to_owned).ok_or(MalformedExtensions);
                }
                [b'\\', byte, behind @ ..] | [byte, behind @ ..] => {
                    value.push(*byte);
                    behind
                }
                [] => return Err(MalformedExtensions),
            };
        }
    }
}
