//! What waits to be written to one connection: shared bytes, bounded, owning nothing when empty.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;

use fanfare_protocol::ChannelName;

use crate::namespace::OutboxPolicy;

/// No chunk is that large.
const EXEMPT: u32 = 1 << 31;

/// Whole frames, shared by every outbox that they wait in.
#[derive(Debug, Clone)]
pub struct Chunk {
    bytes: Rc<[u8]>,
    start: u32,
    /// The top bit says whether the outbox's bound does not hold for it: a flag of its own would make every entry
    /// of every outbox a quarter larger.
    end: u32,
    tag: Option<Rc<Tag>>,
}

/// Marks a chunk as one that may be given up, and of which channel.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag {
    /// The channel's name: a shard's key of it may be in use again when the client is told.
    pub channel: ChannelName,
    /// What conflation goes by.
    pub key: Option<Box<str>>,
    /// Whether a newer chunk of the same key replaces this one.
    pub keep_latest: bool,
}

impl Chunk {
    /// All of the bytes.
    pub fn whole(bytes: Rc<[u8]>) -> Self {
        let end = bytes.len() as u32;
        Self { bytes, start: 0, end, tag: None }
    }

    /// A part of the bytes.
    pub fn part(bytes: Rc<[u8]>, start: u32, end: u32) -> Self {
        Self { bytes, start, end, tag: None }
    }

    /// The same, but it may be given up when the outbox is full.
    pub fn tagged(mut self, tag: Option<Rc<Tag>>) -> Self {
        self.tag = tag;
        self
    }

    fn len(&self) -> usize {
        (self.end & !EXEMPT) as usize - self.start as usize
    }

    fn is_exempt(&self) -> bool {
        self.end & EXEMPT != 0
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start as usize..(self.end & !EXEMPT) as usize]
    }
}

/// How many times the bound a burst may be for a peer of whom nothing says that it is slow.
pub const BURST_FACTOR: usize = 16;

/// The outbox cannot take the chunk, and nothing in it may be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The queue of one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Bytes of a replay, which the bound does not hold for: it was bounded when it was read.
    exempt_bytes: usize,
    /// How much of the first chunk is written.
    written: u32,
    /// Whether something was refused. Nothing is taken after it but last words: the peer must not read a
    /// stream with a hole in it.
    refused: bool,
}

impl Outbox {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of them the bound does not hold for.
    pub fn exempt_bytes(&self) -> usize {
        self.exempt_bytes
    }

    /// Whether a quarter of the bound is free, or would be once everything were given up that may be.
    pub fn has_room(&self, bytes_max: usize) -> bool {
        let most = bytes_max - bytes_max / 4;
        let bound = self.bytes.saturating_sub(self.exempt_bytes);
        let droppable = || self.chunks.iter().filter(|chunk| chunk.tag.is_some()).map(Chunk::len).sum();
        bound <= most || bound.saturating_sub(droppable()) <= most
    }

    /// Appends a chunk that may not be lost. An empty outbox takes one of any size: else what is larger than
    /// the bound could never be delivered, however fast the peer reads.
    ///
    /// The bound is on what a peer leaves unread. Where the socket is not known to be `blocked`, nothing says
    /// that the peer is slow: a burst of one turn is taken beyond the bound, up to [`BURST_FACTOR`] times it,
    /// and does not count against the peer afterwards.
    ///
    /// # Errors
    /// When more than that would wait, even after giving up what may be given up, and ever after.
    pub fn push(&mut self, chunk: Chunk, bytes_max: usize, blocked: bool) -> Result<Vec<Rc<Tag>>, Full> {
        let mut dropped = Vec::new();
        if self.refused {
            return Err(Full);
        }
        if let Some(tag) = &chunk.tag
            && tag.keep_latest
            && tag.key.is_some()
        {
            self.replace_same(tag, &mut dropped);
        }
        let room_for = chunk.len();
        if room_for == 0 {
            return Ok(dropped);
        }
        let over = |outbox: &Self| {
            !outbox.chunks.is_empty() && outbox.bytes + room_for > bytes_max + outbox.exempt_bytes
        };
        if over(self) && !blocked && self.bytes + room_for <= bytes_max.saturating_mul(BURST_FACTOR) {
            self.push_exempt(chunk);
            return Ok(dropped);
        }
        while over(self) {
            match self.give_up_oldest() {
                Some(tag) => dropped.push(tag),
                None => match chunk.tag {
                    Some(tag) => {
                        dropped.push(tag);
                        return Ok(dropped);
                    }
                    None => {
                        self.refused = true;
                        return Err(Full);
                    }
                },
            }
        }
        self.bytes += room_for;
        self.chunks.push_back(chunk);
        Ok(dropped)
    }

    /// Whether something was refused, so that the connection has to end.
    pub fn has_refused(&self) -> bool {
        self.refused
    }

    /// Appends a chunk whatever its size: a replay, or the last words of a connection.
    pub fn push_exempt(&mut self, mut chunk: Chunk) {
        if chunk.len() == 0 {
            return;
        }
        chunk.end |= EXEMPT;
        self.bytes += chunk.len();
        self.exempt_bytes += chunk.len();
        self.chunks.push_back(chunk);
    }

    /// The first chunk is never given up once a part of it is on the wire.
    fn first_droppable(&self) -> usize {
        usize::from(self.written > 0)
    }

    fn give_up_oldest(&mut self) -> Option<Rc<Tag>> {
        let from = self.first_droppable();
        let index = self.chunks.iter().skip(from).position(|chunk| chunk.tag.is_some())? + from;
        let chunk = self.chunks.remove(index)?;
        self.forget(&chunk);
        chunk.tag
    }

    fn replace_same(&mut self, tag: &Rc<Tag>, dropped: &mut Vec<Rc<Tag>>) {
        let from = self.first_droppable();
        let same = |chunk: &Chunk| chunk.tag.as_ref().is_some_and(|known| **known == **tag);
        let Some(index) = self.chunks.iter().skip(from).position(same) else { return };
        if let Some(chunk) = self.chunks.remove(index + from) {
            self.forget(&chunk);
            dropped.extend(chunk.tag);
        }
    }

    fn forget(&mut self, chunk: &Chunk) {
        self.bytes -= chunk.len();
        if chunk.is_exempt() {
            self.exempt_bytes -= chunk.len();
        }
    }

    /// Gives up everything that is not partly on the wire.
    pub fn clear_unwritten(&mut self) {
        self.chunks.truncate(self.first_droppable());
        self.bytes = self.chunks.iter().map(Chunk::len).sum::<usize>() - self.written as usize;
        self.exempt_bytes = if self.chunks.front().is_some_and(Chunk::is_exempt) { self.bytes } else { 0 };
    }

    /// What to write next: fills `slices` and says how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, chunk) in slices.iter_mut().zip(&self.chunks) {
            let skip = if count == 0 { self.written as usize } else { 0 };
            *slot = IoSlice::new(&chunk.as_slice()[skip..]);
            count += 1;
        }
        count
    }

    /// Takes off what was written.
    pub fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(first) = self.chunks.front() {
            let rest = first.len() - self.written as usize;
            if first.is_exempt() {
                self.exempt_bytes = self.exempt_bytes.saturating_sub(written.min(rest));
            }
            if written < rest {
                self.written += written as u32;
                return;
            }
            written -= rest;
            self.written = 0;
            self.chunks.pop_front();
        }
        // An idle connection owns no buffer: 15,000 rings of four chunks would be 1.9 MB.
        self.chunks = VecDeque::new();
        self.exempt_bytes = 0;
    }
}

/// Which tag the messages of a channel get under its policy.
pub fn tag(policy: OutboxPolicy, channel: &ChannelName, key: Option<&str>) -> Option<Rc<Tag>> {
    let channel = channel.clone();
    match policy {
        OutboxPolicy::Disconnect => None,
        OutboxPolicy::DropOldest => Some(Rc::new(Tag { channel, key: None, keep_latest: false })),
        OutboxPolicy::KeepLatest => {
            Some(Rc::new(Tag { channel, key: key.map(Into::into), keep_latest: true }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str, tag: Option<Rc<Tag>>) -> Chunk {
        Chunk::whole(text.as_bytes().into()).tagged(tag)
    }

    fn channel() -> ChannelName {
        ChannelName::new("x").unwrap()
    }

    fn waiting(outbox: &Outbox) -> String {
        let mut slices = [IoSlice::new(&[]); 16];
        let count = outbox.slices(&mut slices);
        slices[..count].iter().map(|slice| std::str::from_utf8(slice).unwrap()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn advances_over_chunk_borders_and_owns_nothing_when_empty() {
        let mut outbox = Outbox::default();
        for text in ["abc", "def", "g"] {
            outbox.push(chunk(text, None), 100, true).unwrap();
        }
        outbox.advance(4);
        assert_eq!(waiting(&outbox), "ef|g");
        assert_eq!(outbox.bytes(), 3);
        outbox.advance(3);
        assert!(outbox.is_empty());
        assert_eq!(outbox.chunks.capacity(), 0);
    }

    #[test]
    fn a_full_outbox_refuses_what_may_not_be_lost() {
        let mut outbox = Outbox::default();
        outbox.push(chunk("abcd", None), 5, true).unwrap();
        assert_eq!(outbox.push(chunk("ef", None), 5, true), Err(Full));
        assert_eq!(waiting(&outbox), "abcd");
    }

    #[test]
    fn drop_oldest_gives_up_the_oldest_but_never_what_is_partly_written() {
        let droppable = || tag(OutboxPolicy::DropOldest, &channel(), None);
        let mut outbox = Outbox::default();
        for text in ["abc", "def", "ghi"] {
            assert!(outbox.push(chunk(text, droppable()), 9, true).unwrap().is_empty());
        }
        outbox.advance(1);
        assert_eq!(outbox.push(chunk("jkl", droppable()), 9, true).unwrap().len(), 1);
        assert_eq!(waiting(&outbox), "bc|ghi|jkl");
        assert_eq!(outbox.push(chunk("0123456789", droppable()), 9, true).unwrap().len(), 3);
        assert_eq!(waiting(&outbox), "bc");
    }

    #[test]
    fn keep_latest_replaces_only_its_own_key() {
        let keyed = |key| tag(OutboxPolicy::KeepLatest, &channel(), Some(key));
        let mut outbox = Outbox::default();
        outbox.push(chunk("a1", keyed("a")), 100, true).unwrap();
        outbox.push(chunk("b1", keyed("b")), 100, true).unwrap();
        assert_eq!(outbox.push(chunk("a2", keyed("a")), 100, true).unwrap().len(), 1);
        assert_eq!(waiting(&outbox), "b1|a2");
        assert_eq!(outbox.bytes(), 4);
    }

    #[test]
    fn last_words_follow_what_is_partly_written() {
        let mut outbox = Outbox::default();
        outbox.push(chunk("abc", None), 100, true).unwrap();
        outbox.push(chunk("def", None), 100, true).unwrap();
        outbox.advance(1);
        outbox.clear_unwritten();
        outbox.push_exempt(chunk("bye", None));
        assert_eq!(waiting(&outbox), "bc|bye");
        assert_eq!(outbox.bytes(), 5);
    }
}
