//! Messages of a channel that arrived within a turn, joined into one buffer per lane.

use std::rc::Rc;
use std::sync::Arc;

use fanfare_protocol::dialect::Habits;
use fanfare_protocol::publication::{Filter, Publication};
use fanfare_protocol::{ConnectionId, Event};
use smallvec::SmallVec;

use crate::limits::BATCH_BYTES_MAX;
use crate::namespace::OutboxPolicy;
use crate::outbox::{self, Chunk, Tag};
use crate::ports::lane::Lane;
use crate::shard::Lanes;

/// What a message costs beside its encoded bytes: its publication's place, its ends.
const MESSAGE_BYTES: usize = 16;

/// A batch that still grows.
#[derive(Debug)]
pub(crate) struct Batch {
    lanes: SmallVec<[Growing; 2]>,
    /// One per message; none for an event that has no publication.
    publications: Vec<Option<Arc<Publication>>>,
}

#[derive(Debug)]
struct Growing {
    lane: Lane,
    /// Whether each message has to be a chunk of its own.
    bare: bool,
    /// Whether the messages become one in the end, and are parts of it until then.
    joins: bool,
    bytes: Vec<u8>,
    /// Where each message ends; where the one before it does, if the lane has nothing for it.
    ends: Vec<u32>,
    /// How many messages the lane has.
    count: usize,
}

impl Batch {
    pub(crate) fn new(wanted: impl Iterator<Item = Lane>, policy: OutboxPolicy, lanes: &Lanes) -> Self {
        let empty = |lane| Growing {
            lane,
            bare: lanes.is_bare(lane),
            // What may be given up has to stand alone.
            joins: policy == OutboxPolicy::Disconnect && lanes.joins(lane),
            bytes: Vec::new(),
            ends: Vec::new(),
            count: 0,
        };
        Self { lanes: wanted.map(empty).collect(), publications: Vec::new() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lanes.iter().any(|lane| lane.bytes.len() >= BATCH_BYTES_MAX)
    }

    /// Encodes a message for each lane that hears of it, and says by how many bytes the batch has grown.
    pub(crate) fn append(
        &mut self,
        event: &Event<'_>,
        publication: Option<Arc<Publication>>,
        lanes: &mut Lanes,
        hears: impl Fn(Habits) -> bool,
    ) -> usize {
        let mut grown = MESSAGE_BYTES;
        for lane in &mut self.lanes {
            let before = lane.bytes.len();
            if publication.is_some() || hears(lanes.habits(lane.lane)) {
                match lane.joins {
                    true => lanes.part(lane.lane, event, &mut lane.bytes),
                    false => lanes.encode(lane.lane, event, &mut lane.bytes),
                }
            }
            lane.ends.push(lane.bytes.len() as u32);
            let bytes = lane.bytes.len() - before;
            lane.count += usize::from(bytes > 0);
            grown += bytes;
        }
        self.publications.push(publication);
        grown
    }

    /// What the batch costs: the bytes of all lanes, and something for each message.
    pub(crate) fn bytes(&self) -> usize {
        let encoded: usize = self.lanes.iter().map(|lane| lane.bytes.len()).sum();
        encoded + self.publications.len() * MESSAGE_BYTES
    }

    /// `has_filters` says whether some member may not want all of it.
    pub(crate) fn freeze(self, policy: OutboxPolicy, has_filters: bool, lanes: &mut Lanes) -> Copies {
        let excludes = self.publications.iter().flatten().any(|p| p.exclude_sender && p.connection.is_some());
        let has_presence = self.publications.iter().any(Option::is_none);
        let gives_up = policy != OutboxPolicy::Disconnect;
        let tags = if gives_up || self.lanes.iter().any(|lane| lane.bare) {
            self.publications.iter().map(|p| p.as_ref().map(|p| outbox::tag(policy, p))).collect()
        } else {
            Vec::new()
        };
        let some_miss_some = has_filters || excludes || has_presence;
        let frozen = self.lanes.into_iter().map(|grown| grown.freeze(some_miss_some, lanes));
        let lanes = frozen.collect();
        Copies { lanes, publications: self.publications, excludes, has_presence, tags, gives_up }
    }
}

impl Growing {
    fn freeze(self, some_miss_some: bool, lanes: &mut Lanes) -> LaneCopies {
        let Self { lane, bare, joins, bytes, mut ends, count } = self;
        if !joins {
            let all: Rc<[u8]> = bytes.into();
            return LaneCopies { lane, bare, singly: all.clone(), all, ends, count };
        }
        let mut joined = Vec::new();
        lanes.join(lane, &bytes, &mut joined);
        let all: Rc<[u8]> = joined.into();
        let mut singly = Vec::new();
        // Without anybody to miss something, there is no need of them one by one.
        if some_miss_some {
            let mut start = 0;
            for end in &mut ends {
                lanes.join(lane, &bytes[start..*end as usize], &mut singly);
                start = *end as usize;
                *end = singly.len() as u32;
            }
        }
        LaneCopies { lane, bare, all, singly: singly.into(), ends, count }
    }
}

/// A lane's part of a batch that is ready to be shared.
#[derive(Debug)]
struct LaneCopies {
    lane: Lane,
    /// Whether each message has to be a chunk of its own.
    bare: bool,
    /// All messages, for those who miss none.
    all: Rc<[u8]>,
    /// One by one, for the others: the very same bytes, unless the lane joins messages.
    singly: Rc<[u8]>,
    /// Where each message ends in `singly`.
    ends: Vec<u32>,
    /// How many messages the lane has.
    count: usize,
}

/// A batch that is ready to be shared.
#[derive(Debug)]
pub(crate) struct Copies {
    lanes: SmallVec<[LaneCopies; 2]>,
    publications: Vec<Option<Arc<Publication>>>,
    /// Whether some message is not for its own sender.
    excludes: bool,
    /// Whether there are events among them of who came and who left.
    has_presence: bool,
    /// One per message where the channel's policy gives messages up, or a lane is bare; else empty.
    tags: Vec<Option<Rc<Tag>>>,
    /// Whether the channel's policy gives messages up.
    gives_up: bool,
}

impl Copies {
    /// Whether there are events among them of who came and who left, which not every member may see.
    pub(crate) fn has_presence(&self) -> bool {
        self.has_presence
    }

    /// Gives one member its copies, and says how many messages they are: in the usual case all in one chunk.
    pub(crate) fn for_member(
        &self,
        lane: Lane,
        connection: ConnectionId,
        filter: Option<&Filter>,
        sees_presence: bool,
        mut push: impl FnMut(Chunk),
    ) -> usize {
        let Some(copies) = self.lanes.iter().find(|copies| copies.lane == lane) else { return 0 };
        let is_sender = self.excludes && self.publications.iter().flatten().any(|p| sent_by(p, connection));
        let gets_all = filter.is_none() && !is_sender && (sees_presence || !self.has_presence);
        if gets_all && !self.gives_up && !copies.bare {
            if !copies.all.is_empty() {
                push(Chunk::whole(copies.all.clone()));
            }
            return copies.count;
        }
        let (mut start, mut count) = (0, 0);
        for (index, publication) in self.publications.iter().enumerate() {
            let end = copies.ends[index];
            let wanted = publication.as_ref().map_or(sees_presence, |publication| {
                !sent_by(publication, connection) && filter.is_none_or(|filter| filter.passes(publication))
            });
            if wanted && end > start {
                let tag = self.tags.get(index).cloned().flatten();
                push(Chunk::part(copies.singly.clone(), start, end).tagged(tag));
                count += 1;
            }
            start = end;
        }
        count
    }
}

fn sent_by(publication: &Publication, connection: ConnectionId) -> bool {
    publication.exclude_sender && publication.connection == Some(connection)
}
