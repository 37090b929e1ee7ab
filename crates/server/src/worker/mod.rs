//! A worker: the thread that owns a shard and its sockets. One loop, and no lock on the way to a socket.
//!
//! - [`read`]: from a readable socket to commands
//! - [`write`]: from an outbox to a socket
//! - [`sessions`]: sessions whose connections come and go

mod read;
mod sessions;
mod write;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use fanfare_core::ports::broker::Broker;
use fanfare_core::session::SessionKey;
use fanfare_core::shard::Shard;
use fanfare_protocol::Dialect;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_wire::Limits as WireLimits;
use fanfare_wire::deflate::Inflater;
use mio::{Events, Poll, Token};

use crate::connection::{Arrival, Connection};
use crate::inbox::{Inbox, Input};
use crate::sessions::Passes;
use crate::traffic::{SharedTraffic, Traffic};

/// The token of the worker's waker; sockets have their session's key.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// What is read from a socket at a time; every connection of the worker shares this one buffer.
const READ_BYTES: usize = 64 * 1024;

const EVENTS_PER_POLL: usize = 1024;

/// Deliveries that a turn takes before it writes and looks at the sockets again.
const INPUTS_PER_TURN: usize = 4096;

/// How long a worker that may not read, because another one is behind, waits before it looks again.
const CONGESTION_PAUSE: Duration = Duration::from_millis(1);

/// A thread's state.
pub(crate) struct Worker {
    poll: Poll,
    shard: Shard,
    /// At the index of their session's key.
    connections: Vec<Option<Connection>>,
    inbox: Arc<Inbox>,
    /// Taken out of the inbox and not looked at yet, in order.
    inputs: VecDeque<Input>,
    /// Swapped with the inbox's own queue; empty in between.
    taken: Vec<Input>,
    /// When sockets were last read.
    read_ms: u64,
    broker: Arc<dyn Broker>,
    /// At the index of the lane.
    dialects: Arc<[Arc<dyn Dialect>]>,
    wire_limits: WireLimits,
    decode_limits: DecodeLimits,
    /// For the compressed messages of all connections.
    inflater: Inflater,
    fanout_slice: usize,
    buffer: Vec<u8>,
    /// What is framed for a socket, while it is written; empty in between.
    staged: Vec<u8>,
    passes: Arc<Passes>,
    resume_ms: u32,
    /// Sockets that may have something to read.
    to_read: Vec<SessionKey>,
    /// Connections whose session takes no commands at the moment, or for whom this turn had no time.
    paused: Vec<SessionKey>,
    /// Whether the latter are among them.
    set_aside: bool,
    /// How much was read and inflated in this part of the turn.
    looked_at_bytes: usize,
    started: Instant,
    traffic: Arc<SharedTraffic>,
    counted: Traffic,
    stop: bool,
}

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) poll: Poll,
    pub(crate) shard: Shard,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) dialects: Arc<[Arc<dyn Dialect>]>,
    pub(crate) wire_limits: WireLimits,
    pub(crate) decode_limits: DecodeLimits,
    pub(crate) fanout_slice: usize,
    pub(crate) traffic: Arc<SharedTraffic>,
    pub(crate) passes: Arc<Passes>,
    /// For how long a session without a connection waits.
    pub(crate) resume_ms: u32,
}

impl Worker {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            poll: parts.poll,
            shard: parts.shard,
            connections: Vec::new(),
            inbox: parts.inbox,
            inputs: VecDeque::new(),
            taken: Vec::new(),
            read_ms: 0,
            broker: parts.broker,
            dialects: parts.dialects,
            wire_limits: parts.wire_limits,
            decode_limits: parts.decode_limits,
            inflater: Inflater::default(),
            fanout_slice: parts.fanout_slice,
            buffer: vec![0; READ_BYTES],
            staged: Vec::new(),
            passes: parts.passes,
            resume_ms: parts.resume_ms,
            to_read: Vec::new(),
            paused: Vec::new(),
            set_aside: false,
            looked_at_bytes: 0,
            started: Instant::now(),
            traffic: parts.traffic,
            counted: Traffic::default(),
            stop: false,
        }
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// When the selector fails, which leaves nothing that could be done.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        while !self.stop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.inbox.woke();
            self.turn(&events);
        }
        // The application is told of those who are cut off too.
        for index in 0..self.connections.len() {
            self.drop_connection(SessionKey(index as u32));
        }
        self.inbox.close();
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// How long to sleep: not at all while there is work, else until the next deadline.
    fn timeout(&mut self) -> Option<Duration> {
        // Why again: copies of large channels are written in slices, and sockets are looked at in between.
        if self.shard.has_work() {
            // Whoever else wants this core, the receivers on this host among them, goes first: copies of large
            // channels are in no hurry. With nobody waiting it costs a third of a microsecond.
            std::thread::yield_now();
            return Some(Duration::ZERO);
        }
        // Why again: more came in than one turn takes.
        if !self.inputs.is_empty() {
            return Some(Duration::ZERO);
        }
        // Why again: more was read than one turn looks at.
        if self.set_aside {
            return Some(Duration::ZERO);
        }
        // Why again: sockets were left unread because some shard is behind.
        if !self.to_read.is_empty() {
            return Some(if self.broker.congested() { CONGESTION_PAUSE } else { Duration::ZERO });
        }
        // Why again: something came in while this turn was under way.
        if !self.inbox.may_sleep() {
            return Some(Duration::ZERO);
        }
        let next_ms = self.shard.next_due_ms()?;
        Some(Duration::from_millis(next_ms.saturating_sub(self.now_ms())))
    }

    /// Inputs first, then what follows from them, then writes: everything queued for a socket in one.
    fn turn(&mut self, events: &Events) {
        self.shard.set_now(self.now_ms());
        self.shard.set_unix(unix_ms());
        for event in events {
            if event.token() == WAKE {
                continue;
            }
            let key = SessionKey(event.token().0 as u32);
            if event.is_read_closed() || event.is_error() {
                self.mark_ending(key);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.mark_to_read(key);
            }
            if event.is_writable() {
                if self.has_to_write(key) {
                    self.flush(key);
                } else {
                    self.flush_stream(key);
                }
            }
        }
        self.read_all();
        // After the reads: a sign of life that lay in the socket counts before its deadline is judged.
        self.shard.tick();
        self.keep_alive();
        self.take_inputs();
        self.resume_paused();
        self.shard.fan_out();
        self.flush_all();
        self.publish_traffic();
    }

    fn take_inputs(&mut self) {
        if self.inputs.is_empty() {
            self.inbox.take(&mut self.taken);
            self.inputs.extend(self.taken.drain(..));
            // A burst's queue is not kept.
            self.taken.shrink_to(1024);
        }
        let unix_ms = unix_ms();
        for _ in 0..INPUTS_PER_TURN {
            // What waits in channels is bounded too: until some of it is written, the inbox fills and its own
            // bound tells the publishers.
            if self.shard.is_behind() {
                return;
            }
            match self.inputs.pop_front() {
                Some(Input::Delivery(delivery)) => self.shard.deliver(delivery, unix_ms),
                Some(Input::Arrival(arrival)) => self.arrive(*arrival),
                Some(Input::Session(request)) => self.ask_session(*request),
                Some(Input::Drain(departure)) => self.shard.drain(departure),
                Some(Input::Reload(settings)) => self.shard.reload(settings),
                Some(Input::Stop) => self.stop = true,
                None => {
                    self.inputs.shrink_to(1024);
                    return;
                }
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let Arrival { mut stream, early, deflates, opening, seat, beginning } = arrival;
        let key = self.shard.open(opening);
        let index = key.0 as usize;
        if let Err(error) = stream.register(self.poll.registry(), Token(index)) {
            tracing::warn!(%error, "a connection could not be registered");
            self.inbox.connections.fetch_sub(1, Ordering::Relaxed);
            self.shard.gone(key);
            return;
        }
        if self.connections.len() <= index {
            self.connections.resize_with(index + 1, || None);
        }
        let has_early = !early.is_empty();
        self.connections[index] = Some(Connection::new(stream, early, deflates, seat, None));
        if has_early {
            self.paused.push(key);
        }
        // Frames may have come between the handshake and the registration, and an edge is told only once.
        self.mark_to_read(key);
        if let Some(beginning) = beginning {
            self.begin(key, *beginning);
        }
    }

    fn has_to_write(&self, key: SessionKey) -> bool {
        let framed = match self.connections.get(key.0 as usize) {
            Some(Some(connection)) => connection.framed.as_ref(),
            _ => None,
        };
        framed.is_some_and(|framed| !framed.tail.is_empty())
            || self.shard.outbox(key).is_some_and(|outbox| !outbox.is_empty())
    }

    fn mark_to_read(&mut self, key: SessionKey) {
        if let Some(Some(connection)) = self.connections.get_mut(key.0 as usize)
            && !connection.to_read
        {
            connection.to_read = true;
            self.to_read.push(key);
        }
    }

    fn mark_ending(&mut self, key: SessionKey) {
        if let Some(Some(connection)) = self.connections.get_mut(key.0 as usize) {
            connection.ending = true;
        }
    }

    /// Forgets a connection and its session.
    fn drop_connection(&mut self, key: SessionKey) {
        // Its seat is given back last: who is not counted any more has left every room.
        if let Some(_connection) = self.connections.get_mut(key.0 as usize).and_then(Option::take) {
            self.inbox.connections.fetch_sub(1, Ordering::Relaxed);
            self.shard.gone(key);
        }
    }

    fn publish_traffic(&mut self) {
        self.traffic.add(&std::mem::take(&mut self.counted));
    }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
