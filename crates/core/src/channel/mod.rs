//! A channel, or a pattern, as one shard sees it: its members here and what waits to be given to them.

mod batch;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use fanfare_protocol::Event;
use fanfare_protocol::command::Topic;
use fanfare_protocol::dialect::Habits;
use fanfare_protocol::publication::{Filter, Publication};
use smallvec::SmallVec;

use crate::namespace::Namespace;
use crate::ports::lane::Lane;
use crate::shard::Lanes;
use batch::Batch;
pub(crate) use batch::Copies;

/// A session that gets the channel's messages.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) session: u32,
    pub(crate) lane: Lane,
    pub(crate) filter: Option<Box<Filter>>,
}

/// How it stands with the list of all that the members of a channel get when somebody has come.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Whether somebody has come of whom the last list may not tell.
    pub(crate) due: bool,
    /// Whether the next list is for all who hear of comings and goings: they were not told for a while.
    pub(crate) anew: bool,
    /// Whether the broker was asked for one and has not answered yet.
    pub(crate) asked: bool,
    /// When there may be another one, in the shard's time.
    pub(crate) next_ms: u64,
    /// Whether a deadline is set for that.
    pub(crate) watched: bool,
}

/// A channel or pattern that the shard's sessions are subscribed to.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) topic: Topic,
    pub(crate) namespace: Arc<Namespace>,
    pub(crate) members: Vec<Member>,
    /// Subscriptions that the broker has not answered yet.
    pub(crate) pending: u32,
    /// Whether it stands in the fan-out queue.
    pub(crate) scheduled: bool,
    /// The list of all that members get unasked.
    pub(crate) roster: Roster,
    /// How many members each lane has: what has to be encoded.
    lanes: SmallVec<[(Lane, u32); 2]>,
    /// How many members have a filter.
    filters: u32,
    batches: VecDeque<Batch>,
    /// The bytes in `batches`.
    waiting_bytes: usize,
}

impl Channel {
    pub(crate) fn new(topic: Topic, namespace: Arc<Namespace>) -> Self {
        Self {
            topic,
            namespace,
            members: Vec::new(),
            pending: 0,
            scheduled: false,
            roster: Roster::default(),
            lanes: SmallVec::new(),
            filters: 0,
            batches: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Whether nobody here wants it any more.
    pub(crate) fn is_unused(&self) -> bool {
        self.members.is_empty() && self.pending == 0
    }

    /// Appends a member and returns its slot. Nothing may wait: a new member has no claim to older messages.
    pub(crate) fn add(&mut self, member: Member) -> u32 {
        debug_assert!(self.batches.is_empty(), "fan out before adding a member");
        match self.lanes.iter_mut().find(|(lane, _)| *lane == member.lane) {
            Some((_, count)) => *count += 1,
            None => self.lanes.push((member.lane, 1)),
        }
        self.filters += u32::from(member.filter.is_some());
        self.members.push(member);
        self.members.len() as u32 - 1
    }

    /// Takes a member out; the last one gets its slot and is returned, so that its session can be told.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<u32> {
        let slot = slot as usize;
        if slot >= self.members.len() {
            return None;
        }
        let gone = self.members.swap_remove(slot);
        self.filters -= u32::from(gone.filter.is_some());
        if let Some(index) = self.lanes.iter().position(|(lane, _)| *lane == gone.lane) {
            self.lanes[index].1 -= 1;
            if self.lanes[index].1 == 0 {
                self.lanes.swap_remove(index);
            }
        }
        if self.members.is_empty() {
            self.members = Vec::new();
            self.batches = VecDeque::new();
            self.waiting_bytes = 0;
        }
        self.members.get(slot).map(|moved| moved.session)
    }

    /// Appends a message to what waits, encoded once per lane; returns by how many bytes it has grown.
    pub(crate) fn enqueue(&mut self, publication: &Arc<Publication>, lanes: &mut Lanes) -> usize {
        self.append(&Event::Message(publication), Some(publication.clone()), lanes, |_| true)
    }

    /// Appends an event of who is there, for the members of the lanes that hear of it; returns by how many bytes what
    /// waits has grown.
    pub(crate) fn enqueue_event(
        &mut self,
        event: &Event<'_>,
        lanes: &mut Lanes,
        hears: impl Fn(Habits) -> bool,
    ) -> usize {
        match self.has_lane(lanes, &hears) {
            true => self.append(event, None, lanes, hears),
            false => 0,
        }
    }

    /// Whether there are members of a lane with such habits.
    pub(crate) fn has_lane(&self, lanes: &Lanes, wanted: impl Fn(Habits) -> bool) -> bool {
        self.lanes.iter().any(|(lane, _)| wanted(lanes.habits(*lane)))
    }

    fn append(
        &mut self,
        event: &Event<'_>,
        publication: Option<Arc<Publication>>,
        lanes: &mut Lanes,
        hears: impl Fn(Habits) -> bool,
    ) -> usize {
        if self.batches.back().is_none_or(Batch::is_full) {
            let policy = self.namespace.outbox_policy;
            self.batches.push_back(Batch::new(self.lanes.iter().map(|(lane, _)| *lane), policy, lanes));
        }
        let grown = self.batches.back_mut().map_or(0, |batch| batch.append(event, publication, lanes, hears));
        self.waiting_bytes += grown;
        grown
    }

    /// How many bytes wait to be given to the members.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// What waits, oldest first, ready to be shared: batches until they are `bytes_max` together or more.
    pub(crate) fn take(&mut self, bytes_max: usize, lanes: &mut Lanes) -> Vec<Rc<Copies>> {
        let policy = self.namespace.outbox_policy;
        let mut taken = Vec::new();
        let mut bytes = 0;
        while bytes < bytes_max
            && let Some(batch) = self.batches.pop_front()
        {
            bytes += batch.bytes();
            taken.push(Rc::new(batch.freeze(policy, self.filters > 0, lanes)));
        }
        self.waiting_bytes -= bytes;
        if self.batches.is_empty() {
            self.batches = VecDeque::new();
        }
        taken
    }
}
