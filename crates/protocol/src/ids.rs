//! Identities the server gives out or hands back.

use std::fmt;
use std::str::FromStr;

/// One connection, unique among all nodes for as long as anyone may remember it.
///
/// Its text form is 26 hexadecimal digits and a dash at most; it is public and no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Drawn at random by each node when it starts.
    pub node: u32,
    /// Counted by the node; the upper byte is the shard.
    pub serial: u64,
}

impl ConnectionId {
    /// The shard that owns the connection, on its node.
    pub fn shard(self) -> u8 {
        (self.serial >> 56) as u8
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.node, self.serial)
    }
}

/// A text that is not the written form of the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id of this kind")
    }
}

impl std::error::Error for BadId {}

impl FromStr for ConnectionId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (node, serial) = text.split_once('-').ok_or(BadId)?;
        if node.len() != 8 || node.starts_with('+') || serial.starts_with('+') {
            return Err(BadId);
        }
        Ok(Self {
            node: u32::from_str_radix(node, 16).map_err(|_| BadId)?,
            serial: u64::from_str_radix(serial, 16).map_err(|_| BadId)?,
        })
    }
}

/// The client's own name for a request; the reply carries it back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// A number in the client's own spelling: `7`, `-1`, `1e3`.
    Number(Box<str>),
    /// A string, unescaped.
    Text(Box<str>),
}

/// The life of a channel's numbering. It changes whenever continuity is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.starts_with('+') {
            return Err(BadId);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| BadId)
    }
}

/// A place in a channel: the offset of the last message seen, in an epoch.
///
/// Offsets are contiguous and begin with 1; offset 0 is the place before the first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which numbering the offset belongs to.
    pub epoch: Epoch,
    /// The offset of the last message at or before this place.
    pub offset: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text_form() {
        let id = ConnectionId { node: 7, serial: 0x0200_0000_0000_0003 };
        assert_eq!(id.shard(), 2);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(Epoch(255).to_string().parse(), Ok(Epoch(255)));
        for odd in ["", "-", "7-3", "0000000g-1", "00000007-", "+0000007-1", "00000007-+1"] {
            assert_eq!(odd.parse::<ConnectionId>(), Err(BadId), "{odd:?}");
        }
    }
}
