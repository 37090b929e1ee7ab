//! What waits to be written to one connection: shared bytes, bounded, owning nothing when empty.
//!
//! - [`tag`]: what is known of the message in a chunk
//! - [`retained`]: what a session was given and may ask for again

mod retained;
mod tag;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;

use crate::namespace::OutboxPolicy;
pub use retained::Lost;
use retained::Retained;
pub(crate) use tag::place;
pub use tag::{Tag, tag};

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

    /// The same, with what has to be known of its message.
    pub fn tagged(mut self, tag: Option<Rc<Tag>>) -> Self {
        self.tag = tag;
        self
    }

    fn len(&self) -> usize {
        (self.end & !EXEMPT) as usize - self.start as usize
    }

    /// The same in bytes of its own, where it would keep much more than itself: a batch that it is a small part of.
    fn apart(mut self) -> Self {
        if self.len() < self.bytes.len() / 4 {
            let flag = self.end & EXEMPT;
            self.bytes = Rc::from(self.as_slice());
            (self.start, self.end) = (0, self.bytes.len() as u32 | flag);
        }
        self
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start as usize..(self.end & !EXEMPT) as usize]
    }

    /// What is known of its message; none for what is no message of a channel.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_deref()
    }

    fn is_droppable(&self) -> bool {
        self.tag.as_ref().is_some_and(|tag| tag.policy != OutboxPolicy::Disconnect)
    }

    fn is_exempt(&self) -> bool {
        self.end & EXEMPT != 0
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
    /// Where a session keeps what it may be asked for again.
    retained: Option<Box<Retained>>,
}

impl Outbox {
    /// What is known of the messages that wait.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.chunks.iter().filter_map(Chunk::tag)
    }

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
        let droppable = || self.chunks.iter().filter(|chunk| chunk.is_droppable()).map(Chunk::len).sum();
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
        if let Some(tag) = &chunk.tag {
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
                None if chunk.is_droppable() => {
                    dropped.extend(chunk.tag);
                    return Ok(dropped);
                }
                None => {
                    self.refused = true;
                    return Err(Full);
                }
            }
        }
        self.bytes += room_for;
        // What waits for a client that may not come soon keeps nothing beside itself.
        self.chunks.push_back(if blocked && self.retained.is_some() { chunk.apart() } else { chunk });
        Ok(dropped)
    }

    /// Keeps from now on what is taken out, up to so many bytes.
    pub fn retain_taken(&mut self) {
        self.retained.get_or_insert_default();
    }

    /// How many entries were taken out so far, where that is kept.
    pub fn taken(&self) -> u64 {
        self.retained.as_ref().map_or(0, |retained| retained.taken())
    }

    /// Takes out the next chunk, whole: for who frames it. A log keeps it, and older ones up to so many bytes.
    pub fn take(&mut self, kept_bytes_max: usize) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.forget(&chunk);
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
        if let Some(retained) = &mut self.retained {
            retained.push(chunk.clone().apart(), kept_bytes_max);
        }
        Some(chunk)
    }

    /// Puts back what was taken out after the first `seen` entries. They were bounded when they were first put in.
    ///
    /// # Errors
    /// When what is retained does not reach back so far, or so many were never taken out.
    pub fn rewind(&mut self, seen: u64) -> Result<(), Lost> {
        let retained = self.retained.as_mut().ok_or(Lost)?;
        for chunk in retained.rewind(seen)? {
            self.bytes += chunk.len();
            self.exempt_bytes += chunk.len();
            self.chunks.push_front(Chunk { end: chunk.end | EXEMPT, ..chunk });
        }
        Ok(())
    }

    /// Whether `rewind` would succeed.
    pub fn retains(&self, seen: u64) -> bool {
        self.retained.as_ref().is_some_and(|retained| retained.reaches(seen))
    }

    /// Forgets of what is retained what was there so many calls ago: whoever listens has it, or is gone.
    pub fn age_retained(&mut self, ages: usize) {
        if let Some(retained) = &mut self.retained {
            retained.age(ages);
        }
    }

    /// Forgets the first `seen` entries of what is retained: the client says that it has them.
    pub fn acknowledge(&mut self, seen: u64) {
        if let Some(retained) = &mut self.retained {
            retained.acknowledge(seen);
        }
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
        let index = self.chunks.iter().skip(from).position(Chunk::is_droppable)? + from;
        let chunk = self.chunks.remove(index)?;
        self.forget(&chunk);
        chunk.tag
    }

    fn replace_same(&mut self, tag: &Rc<Tag>, dropped: &mut Vec<Rc<Tag>>) {
        if tag.policy != OutboxPolicy::KeepLatest || tag.key.is_none() {
            return;
        }
        let from = self.first_droppable();
        let same = |chunk: &Chunk| chunk.tag.as_ref().is_some_and(|known| known.is_replaced_by(tag));
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

#[cfg(test)]
mod tests {
    use fanfare_protocol::{ChannelName, Epoch, Position};

    use super::*;

    fn chunk(text: &str, tag: Option<Rc<Tag>>) -> Chunk {
        Chunk::whole(text.as_bytes().into()).tagged(tag)
    }

    fn tag(policy: OutboxPolicy, key: Option<&str>) -> Option<Rc<Tag>> {
        let position = Position { epoch: Epoch(1), offset: 1 };
        let key = key.map(Into::into);
        Some(Rc::new(Tag { channel: ChannelName::new("x").unwrap(), position, key, policy }))
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
        let droppable = || tag(OutboxPolicy::DropOldest, None);
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
        let keyed = |key| tag(OutboxPolicy::KeepLatest, Some(key));
        let mut outbox = Outbox::default();
        outbox.push(chunk("a1", keyed("a")), 100, true).unwrap();
        outbox.push(chunk("b1", keyed("b")), 100, true).unwrap();
        assert_eq!(outbox.push(chunk("a2", keyed("a")), 100, true).unwrap().len(), 1);
        assert_eq!(waiting(&outbox), "b1|a2");
        assert_eq!(outbox.bytes(), 4);
    }

    /// Whoever asks again gets the same in the same order, then what came meanwhile.
    #[test]
    fn what_was_taken_is_given_again_in_order() {
        let mut outbox = Outbox::default();
        outbox.retain_taken();
        for text in ["a", "bc", "d", "ef"] {
            outbox.push(chunk(text, None), 100, true).unwrap();
        }
        let take =
            |outbox: &mut Outbox| String::from_utf8(outbox.take(100).unwrap().as_slice().into()).unwrap();
        assert_eq!([take(&mut outbox), take(&mut outbox), take(&mut outbox)], ["a", "bc", "d"]);
        assert_eq!((outbox.taken(), outbox.bytes()), (3, 2));
        outbox.rewind(1).unwrap();
        assert_eq!(waiting(&outbox), "bc|d|ef");
        assert_eq!((outbox.taken(), outbox.bytes(), outbox.exempt_bytes()), (1, 5, 3));
        assert_eq!(outbox.rewind(0), Err(Lost), "who has had the first needs it no more");
        assert_eq!(outbox.rewind(2), Err(Lost), "so many were never taken");
        for expected in ["bc", "d", "ef"] {
            assert_eq!(take(&mut outbox), expected);
        }
        assert!(outbox.is_empty() && outbox.exempt_bytes() == 0);
    }

    /// A session that wanted one short message of each batch kept all of the batches.
    #[test]
    fn what_is_kept_for_later_keeps_no_batch_with_it() {
        let batch: Rc<[u8]> = vec![b'x'; 1000].into();
        let mut outbox = Outbox::default();
        outbox.retain_taken();
        outbox.push(Chunk::part(batch.clone(), 10, 20), 100, false).unwrap();
        let taken = outbox.take(100).unwrap();
        outbox.push(Chunk::part(batch.clone(), 20, 30), 100, true).unwrap();
        drop(taken);
        assert_eq!(Rc::strong_count(&batch), 1);
        outbox.rewind(0).unwrap();
        assert_eq!(outbox.bytes(), 20);
    }

    #[test]
    fn a_log_is_bounded_in_bytes_and_in_time() {
        let mut outbox = Outbox::default();
        outbox.retain_taken();
        let put = |outbox: &mut Outbox, text| {
            outbox.push(chunk(text, None), 100, true).unwrap();
            outbox.take(5);
        };
        for text in ["aaa", "bbb", "cc"] {
            put(&mut outbox, text);
        }
        assert_eq!(outbox.rewind(0), Err(Lost), "the first did not fit beside the others");
        outbox.age_retained(2);
        put(&mut outbox, "d");
        outbox.age_retained(2);
        assert!(outbox.retains(2));
        outbox.age_retained(2);
        assert_eq!(outbox.rewind(2), Err(Lost), "two intervals have passed");
        assert_eq!(outbox.rewind(3), Ok(()));
        assert_eq!(waiting(&outbox), "d");
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
