//! What every participant did and saw, in one list.

/// How an operation ended, as far as its actor knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Ok,
    /// It was refused and left nothing behind.
    Fail,
    /// No answer came.
    Unknown,
}

/// A numbering and a place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Place {
    /// Which numbering.
    pub epoch: u64,
    /// The offset of a message, or of the last message before a place.
    pub offset: u64,
}

/// What was done or seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A message was published.
    Publish {
        /// Its tag, if it has one.
        tag: Option<u64>,
        /// Whether the sender's own connection gets a copy.
        echo: bool,
    },
    /// A subscription began at the record's place.
    Subscribe {
        /// The tag that passes; none without a filter.
        filter: Option<u64>,
        /// Where the client had been.
        since: Option<Place>,
        /// Whether messages may be given up, as long as the client is told how many.
        lossy: bool,
    },
    /// A lossy subscription was told that it had lost so many.
    Lagged {
        /// How many.
        count: u64,
    },
    /// A subscription got a message.
    Deliver,
    /// A message was seen without a subscription to its channel: in a page of history, or by a pattern.
    Read,
    /// What the actor may hear in the channel changed. A channel without any such record is open to all; in one that
    /// has some, nobody may hear anything until a record of theirs says so.
    Permit {
        /// Whether it may from now on.
        allowed: bool,
    },
    /// A subscription ended, with or without a word.
    End,
    /// A message was found in the history at the end.
    Keep,
    /// The history's top at the end; the count says how many messages it must at least have kept.
    Top {
        /// None where time may have let any number go.
        kept_min: Option<u64>,
    },
    /// A user became or ceased to be a member in truth.
    Transition {
        /// Became.
        joined: bool,
    },
    /// An observer who was there all the time was told so.
    Told {
        /// Became.
        joined: bool,
    },
    /// The members that someone found at the end.
    Members {
        /// Who.
        users: Vec<u32>,
    },
    /// How many of something a node held; the first such record is the baseline, the last one the end.
    Held {
        /// How many.
        count: usize,
    },
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it was begun; any clock that never goes back.
    pub invoke: u64,
    /// When its outcome was known.
    pub complete: u64,
    /// Who did or saw it: a client, across all of its connections. For transitions, the user.
    pub actor: u32,
    /// Which connection of the actor, counted over all actors. For what an observer is told, the user meant.
    pub connection: u32,
    /// What.
    pub operation: Operation,
    /// Where; for what is held, its name.
    pub channel: String,
    /// The idempotency key.
    pub key: Option<u64>,
    /// Which place.
    pub place: Option<Place>,
    /// A hash of the data; publications that are not repetitions differ in it.
    pub payload: u64,
    /// The answer to a recovery.
    pub recovered: Option<bool>,
    /// How it ended.
    pub outcome: Outcome,
}

/// The list, in the order in which things completed.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Its records.
    pub records: Vec<Record>,
}

impl History {
    /// Appends a record of something that completed now, and returns it for its details.
    pub fn add(&mut self, actor: u32, operation: Operation, channel: &str) -> &mut Record {
        let now = self.records.len() as u64;
        self.records.push(Record {
            invoke: now,
            complete: now,
            actor,
            connection: actor,
            operation,
            channel: channel.to_owned(),
            key: None,
            place: None,
            payload: 0,
            recovered: None,
            outcome: Outcome::Ok,
        });
        let last = self.records.len() - 1;
        &mut self.records[last]
    }
}

impl Record {
    /// Names the connection.
    pub fn by(&mut self, connection: u32) -> &mut Self {
        self.connection = connection;
        self
    }

    /// Names the place.
    pub fn at(&mut self, epoch: u64, offset: u64) -> &mut Self {
        self.place = Some(Place { epoch, offset });
        self
    }

    /// Names the data.
    pub fn with(&mut self, payload: u64) -> &mut Self {
        self.payload = payload;
        self
    }

    /// Names the idempotency key.
    pub fn keyed(&mut self, key: u64) -> &mut Self {
        self.key = Some(key);
        self
    }

    /// Names the outcome.
    pub fn ended(&mut self, outcome: Outcome) -> &mut Self {
        self.outcome = outcome;
        self
    }

    /// Names the answer to a recovery.
    pub fn recovered(&mut self, recovered: bool) -> &mut Self {
        self.recovered = Some(recovered);
        self
    }
}
