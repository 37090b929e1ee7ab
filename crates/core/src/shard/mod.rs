//! One thread's share of the node: a deterministic state machine without I/O.
//!
//! The thread that owns a shard feeds it what its connections sent ([`Shard::command`]), what the broker
//! delivered ([`Shard::deliver`]) and the time ([`Shard::tick`]), lets it fan out ([`Shard::fan_out`]), and
//! writes the outboxes it names ([`Shard::next_flush`]). The same inputs always give the same outputs.
//!
//! - [`lifecycle`]: opening, hearing, closing, deadlines
//! - [`expiry`]: the end of what was given for a time
//! - [`departure`]: how clients are sent away when the node ends
//! - [`transport`]: connections that come and go under a session, and what is framed only when it is written
//! - [`toll`]: what commands cost, and who may give any
//! - [`questions`]: what is not answered yet
//! - [`delivery`]: what comes from the broker and the application
//! - [`roster`]: who comes, who goes, who is there
//! - [`settings`]: what all shards of a node are told once
//! - [`fanout`]: from a channel's batch to its members' outboxes

mod census;
mod counters;
mod delivery;
mod departure;
mod expiry;
mod fanout;
mod lanes;
mod lifecycle;
mod questions;
mod reload;
mod roster;
mod settings;
mod toll;
mod transport;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::event::{ClientBounds, ErrorEvent};
use fanfare_protocol::{ChannelName, Command, ErrorCode, Event, Publication, Rejection, RequestId, UserId};
use foldhash::HashMap;
use slab::Slab;
use smallvec::SmallVec;

use crate::channel::Channel;
use crate::limits::REPLAYS_WAITING_MAX;
use crate::namespace::Namespace;
use crate::outbox::{self, Chunk, Outbox};
use crate::patterns::PatternIndex;
use crate::ports::application::Application;
use crate::ports::authority::Authority;
use crate::ports::broker::{Broker, Publish, ShardId, Ticket};
use crate::session::{Authentication, ClientMessage, Ending, Phase, Session, SessionKey};
use crate::timers::Timers;
pub use census::Census;
pub use counters::{Counters, DELAY_BUCKETS_MS};
pub use departure::Departure;
pub(crate) use lanes::Lanes;
use questions::Questions;
pub use settings::Settings;

/// About what an encoded message has around its data.
const EVENT_BYTES: usize = 128;

/// One thread's share of the node.
pub struct Shard {
    pub(crate) id: ShardId,
    node: u32,
    count_next: u32,
    pub(crate) settings: Arc<Settings>,
    pub(crate) lanes: Lanes,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) authority: Arc<dyn Authority>,
    pub(crate) sessions: Slab<Session>,
    pub(crate) channels: Slab<Channel>,
    by_name: HashMap<ChannelName, u32>,
    by_pattern: PatternIndex<u32>,
    pub(crate) by_user: HashMap<UserId, SmallVec<[u32; 2]>>,
    /// What the newest ping held that was too much, by session; it is answered when there is room for it. Apart from the
    /// sessions because hardly any owes one.
    owed_pongs: HashMap<u32, Box<[u8]>>,
    questions: Questions,
    timers: Timers,
    /// Channels with something to give, small ones first.
    small: VecDeque<u32>,
    large: VecDeque<u32>,
    /// Channels of which only a part was given in this turn.
    again: Vec<u32>,
    /// Bytes that wait in all channels.
    pub(crate) waiting_bytes: usize,
    /// Sessions with something to write: answers and small channels before copies of large ones.
    urgent: VecDeque<u32>,
    bulk: VecDeque<u32>,
    /// Sessions whose connection has to show that it is alive.
    heartbeats: VecDeque<u32>,
    /// Sessions that have given up their connection.
    forsaken: Vec<u32>,
    /// Sessions whose outbox overflowed while it could not be dealt with.
    overflowed: Vec<u32>,
    now_ms: u64,
    /// The wall clock's time at this shard's time zero, in milliseconds of Unix time.
    unix_began_ms: u64,
    /// Where clients go, once the node is ending; and since when.
    going: Option<Departure>,
    going_since_ms: u64,
    scratch: Vec<u8>,
    pub(crate) counters: Counters,
}

/// A question to the broker or the application that is not answered yet.
#[derive(Debug)]
struct Asking {
    key: SessionKey,
    serial: u64,
    id: Option<RequestId>,
    question: Question,
}

#[derive(Debug)]
pub(crate) enum Question {
    Subscribe(crate::session::Joining),
    Authenticate,
    Authorise {
        topic: Topic,
        options: Box<SubscribeOptions>,
    },
    Renew {
        topic: Topic,
    },
    Publish {
        /// The channel, for the answer; none for messages that want no answer but a failure.
        acknowledge: Option<ChannelName>,
    },
    Presence {
        channel: ChannelName,
    },
    /// A subscription that the session has already, by a dialect in which that is no error.
    Again {
        topic: Topic,
    },
    /// The list of members that a channel's members here get unasked.
    Roster {
        channel: ChannelName,
    },
    /// Whether the entry of a coming was taken; this is the one of its going.
    Enter(Box<Publish>),
    History {
        channel: ChannelName,
    },
    Users,
    SetStatus {
        status: fanfare_protocol::command::Status,
    },
    Call,
}

impl Shard {
    /// An empty shard. `node` is drawn at random by the caller when the node starts.
    pub fn new(
        id: ShardId,
        node: u32,
        settings: Arc<Settings>,
        lanes: Vec<Box<dyn crate::ports::lane::LaneEncoder>>,
        broker: Arc<dyn Broker>,
        application: Arc<dyn Application>,
        authority: Arc<dyn Authority>,
    ) -> Self {
        Self {
            id,
            node,
            count_next: 0,
            settings,
            lanes: Lanes::new(lanes),
            broker,
            application,
            authority,
            sessions: Slab::new(),
            channels: Slab::new(),
            by_name: HashMap::default(),
            by_pattern: PatternIndex::default(),
            by_user: HashMap::default(),
            owed_pongs: HashMap::default(),
            questions: Questions::default(),
            timers: Timers::default(),
            small: VecDeque::new(),
            large: VecDeque::new(),
            again: Vec::new(),
            waiting_bytes: 0,
            urgent: VecDeque::new(),
            bulk: VecDeque::new(),
            heartbeats: VecDeque::new(),
            forsaken: Vec::new(),
            overflowed: Vec::new(),
            now_ms: 0,
            unix_began_ms: 0,
            going: None,
            going_since_ms: 0,
            scratch: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// All sessions.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().map(|(_, session)| session)
    }

    /// The topics of a session.
    pub fn topics(&self, session: &Session) -> impl Iterator<Item = &Topic> {
        session.subscriptions.iter().map(|subscription| &self.channels[subscription.channel as usize].topic)
    }

    /// The number of members here of each channel that has any.
    pub fn channel_sizes(&self) -> impl Iterator<Item = usize> {
        self.channels.iter().map(|(_, channel)| channel.members.len()).filter(|size| *size > 0)
    }

    /// A session, if the key is in use.
    pub fn session(&self, key: SessionKey) -> Option<&Session> {
        self.sessions.get(key.0 as usize)
    }

    /// Where a session stands.
    pub fn phase(&self, key: SessionKey) -> Phase {
        self.sessions.get(key.0 as usize).map_or(Phase::Over, |session| session.phase)
    }

    /// What waits to be written.
    pub fn outbox(&self, key: SessionKey) -> Option<&Outbox> {
        self.sessions.get(key.0 as usize).map(|session| &session.outbox)
    }

    /// Whether the session's socket is known to take no bytes at the moment.
    pub fn is_blocked(&self, key: SessionKey) -> bool {
        self.sessions.get(key.0 as usize).is_some_and(|session| session.blocked_since_ms.is_some())
    }

    /// Whether the session may be given another command now, or has enough of them unanswered.
    pub fn takes_commands(&self, key: SessionKey) -> bool {
        let max = self.settings.limits.requests_in_flight_max;
        self.sessions.get(key.0 as usize).is_some_and(|session| {
            u32::from(session.broker_in_flight) < max && session.authentication != Authentication::Verifying
        }) && !self.is_entering(key)
    }

    /// Whether the session's outbox has room for the answers to another command.
    pub fn has_room(&self, key: SessionKey) -> bool {
        let bytes_max = self.settings.limits.outbox_bytes_max;
        self.sessions.get(key.0 as usize).is_none_or(|session| session.outbox.has_room(bytes_max))
    }

    /// Carries out what a client asked, or tells it why its message could not be understood.
    pub fn command(&mut self, key: SessionKey, command: Result<Command, Rejection>) {
        // Who has asked to be disconnected is owed answers, and asks for nothing more.
        let is_leaving = |session: &Session| session.ending == Some(Ending::Asked);
        if self.phase(key) != Phase::Open || self.session(key).is_some_and(is_leaving) {
            return;
        }
        self.counters.messages_in += 1;
        self.finished_message(key);
        if !self.spend_on(key, &command) {
            return;
        }
        let command = match command {
            Ok(command) => command,
            Err(rejection) => {
                return self.fail_with(key, rejection.id.as_ref(), rejection.code, &rejection.text);
            }
        };
        if asks_the_broker(&command) && !self.takes_commands(key) {
            return self.fail(key, command.id(), ErrorCode::TooManyRequestsInFlight);
        }
        if self.is_premature(key, &command) {
            return self.fail(key, command.id(), ErrorCode::AuthenticationRequired);
        }
        if matches!(command, Command::Message { .. } | Command::Publish { .. })
            && let Some(wait_ms) = self.refuses_publishes(key)
        {
            return self.put_off(key, command.id(), ErrorCode::Draining, wait_ms);
        }
        match command {
            Command::Subscribe { id, .. } | Command::Unsubscribe { id, .. } if self.is_bound(key) => {
                let text = "this connection is in its one room and in no other";
                self.fail_with(key, id.as_ref(), ErrorCode::PermissionDenied, text);
            }
            Command::Connect { id } => self.connect(key, id.as_ref()),
            Command::Authenticate { id, token } => self.authenticate(key, id, token),
            Command::Subscribe { id, topic, options } => self.subscribe(key, id, &topic, options),
            Command::Unsubscribe { id, topic } => self.unsubscribe(key, id.as_ref(), &topic),
            Command::Message { id, channel, data, labels, echo } => {
                let Some(channel) = channel.or_else(|| self.room(key)) else {
                    let text = "this connection has no room to send to";
                    return self.fail_with(key, id.as_ref(), ErrorCode::InvalidChannel, text);
                };
                let message = ClientMessage { channel, data, labels, echo, idempotency_key: None };
                self.publish(key, id, message, false);
            }
            Command::Publish { id, channel, data, labels, echo, idempotency_key } => {
                let message = ClientMessage { channel, data, labels, echo, idempotency_key };
                self.publish(key, id, message, true);
            }
            Command::Presence { id, channel, counts_only } => self.presence(key, id, channel, counts_only),
            Command::History { id, channel, range } => self.history(key, id, channel, range),
            Command::Request { id, method, data } => self.request(key, id, method, data),
            Command::SetStatus { id, status } => self.set_status(key, id, status),
            Command::Users { id, users } => self.users(key, id, users),
            Command::Ping { id } => self.send(key, &Event::Pong { id: id.as_ref() }),
            Command::Heartbeat { id, sent } => {
                let unix_ms = self.unix_ms();
                self.send(key, &Event::Heartbeat { id: id.as_ref(), sent: &sent, unix_ms });
            }
            Command::Pong => {}
            Command::Disconnect => self.end(key, Ending::Asked),
            Command::Custom { id, kind, data } => self.custom(key, id, kind, data),
        }
    }

    fn room(&self, key: SessionKey) -> Option<ChannelName> {
        self.session(key)?.room().cloned()
    }

    pub(crate) fn connect(&mut self, key: SessionKey, id: Option<&RequestId>) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let (connection, user) = (session.id, session.opening.identity.user.clone());
        let expires_in_ms = self.expires_in_ms(key);
        let limits = &self.settings.limits;
        let bounds = ClientBounds {
            message_bytes_max: limits.message_bytes_max as u32,
            subscriptions_max: limits.subscriptions_per_connection_max as u32,
            ping_interval_ms: self.settings.deadlines.ping_interval_ms,
        };
        self.send(key, &Event::Connected { id, connection, user: user.as_ref(), expires_in_ms, bounds });
    }

    /// Notes a question whose answer will come with the ticket.
    pub(crate) fn ask(&mut self, key: SessionKey, id: Option<RequestId>, question: Question) -> Ticket {
        let mut serial = 0;
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            serial = session.id.serial;
            if !matches!(question, Question::Call) {
                session.broker_in_flight = session.broker_in_flight.saturating_add(1);
            }
        }
        self.questions.insert(Asking { key, serial, id, question })
    }

    /// Tells one session something.
    pub(crate) fn send(&mut self, key: SessionKey, event: &Event<'_>) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if session.phase != Phase::Open {
            return;
        }
        self.scratch.clear();
        self.lanes.encode(session.opening.lane, event, &mut self.scratch);
        let place = outbox::place(event);
        // Entries of a session are counted, and this is none.
        if self.scratch.is_empty()
            && place.is_some()
            && !session.is_resumable()
            && let Some(lane) = self.lanes.get(session.opening.lane)
        {
            lane.place(&mut self.scratch);
        }
        if self.scratch.is_empty() {
            return;
        }
        let chunk = Chunk::whole(Rc::from(self.scratch.as_slice())).tagged(place);
        if !fanout::put(session, chunk, self.settings.limits.outbox_bytes_max, &mut self.counters) {
            self.overflowed.push(key.0);
        }
        self.mark_urgent(key);
    }

    /// Tells one session several things that were bounded before; the outbox's own bound does not hold.
    pub(crate) fn send_exempt<'a>(&mut self, key: SessionKey, events: impl Iterator<Item = Event<'a>>) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if session.phase != Phase::Open || session.outbox.has_refused() {
            return;
        }
        let lane = session.opening.lane;
        let bare = self.lanes.is_bare(lane);
        self.scratch.clear();
        for event in events {
            self.lanes.encode(lane, &event, &mut self.scratch);
            if bare {
                let tag = outbox::place(&event);
                session.outbox.push_exempt(Chunk::whole(Rc::from(self.scratch.as_slice())).tagged(tag));
                self.scratch.clear();
            }
        }
        session.outbox.push_exempt(Chunk::whole(Rc::from(self.scratch.as_slice())));
        // A replay may have been large, and this buffer lives as long as the shard.
        self.scratch.shrink_to(crate::limits::BATCH_BYTES_MAX);
        if !session.outbox.is_empty() {
            self.mark_urgent(key);
        }
    }

    /// Whether the session may be sent these past the bound of its outbox: what waits there of earlier replays
    /// has a bound of its own.
    pub(crate) fn takes_replay(&self, key: SessionKey, replay: &[Arc<Publication>]) -> bool {
        let waiting = self.sessions.get(key.0 as usize).map_or(0, |session| session.outbox.exempt_bytes());
        let bytes: usize =
            replay.iter().map(|publication| publication.data.bytes().len() + EVENT_BYTES).sum();
        let bytes_max = self.settings.limits.replay_bytes_max.saturating_mul(REPLAYS_WAITING_MAX);
        waiting == 0 || waiting + bytes <= bytes_max
    }

    /// Tells that a request failed, with the code's own text.
    pub(crate) fn fail(&mut self, key: SessionKey, id: Option<&RequestId>, code: ErrorCode) {
        self.fail_with(key, id, code, code.text());
    }

    /// Tells that a request failed.
    pub(crate) fn fail_with(&mut self, key: SessionKey, id: Option<&RequestId>, code: ErrorCode, text: &str) {
        self.counters.error(code);
        let event = ErrorEvent { id, code, text: text.into(), retry_after_ms: None };
        self.send(key, &Event::Error(event));
    }

    pub(crate) fn find_channel(&self, topic: &Topic) -> Option<u32> {
        match topic {
            Topic::Channel(name) => self.by_name.get(name).copied(),
            Topic::Pattern(pattern) => self.by_pattern.get(pattern).copied(),
        }
    }

    /// The shard's entry of a channel, made if it is new. A new one has to get a pending subscription.
    pub(crate) fn channel_entry(&mut self, topic: &Topic, namespace: &Arc<Namespace>) -> u32 {
        if let Some(channel) = self.find_channel(topic) {
            return channel;
        }
        let channel = self.channels.insert(Channel::new(topic.clone(), namespace.clone())) as u32;
        match topic {
            Topic::Channel(name) => {
                self.by_name.insert(name.clone(), channel);
            }
            Topic::Pattern(pattern) => {
                self.by_pattern.entry(pattern, || channel);
            }
        }
        channel
    }

    /// Empty rooms are removed. One that stands in the fan-out queue is removed when its turn comes.
    pub(crate) fn drop_channel_if_unused(&mut self, channel: u32) {
        let Some(entry) = self.channels.get(channel as usize) else { return };
        if !entry.is_unused() || entry.scheduled {
            return;
        }
        match self.channels.remove(channel as usize).topic {
            Topic::Channel(name) => {
                self.by_name.remove(&name);
            }
            Topic::Pattern(pattern) => {
                self.by_pattern.remove(&pattern);
            }
        }
    }
}

/// Whether the broker's answer has to be awaited, so that the command counts as unanswered until then.
fn asks_the_broker(command: &Command) -> bool {
    matches!(
        command,
        Command::Authenticate { .. }
            | Command::Subscribe { .. }
            | Command::Message { .. }
            | Command::Publish { .. }
            | Command::Presence { .. }
            | Command::History { .. }
            | Command::SetStatus { .. }
            | Command::Users { .. }
    )
}
