//! All connections of a run and the one loop that serves them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};

use crate::account::Account;
use crate::adapter::{Adapter, Role, Who};
use crate::dial::{SocketOptions, Target, check_descriptors};
use crate::error::Error;
use crate::ledger::{Ledger, Tally};
use crate::seat::{Ground, Rest, Seat};
use crate::stamp::Stamp;
use crate::ticker::Ticker;

/// Connections whose handshake is under way at a time: below every server's accept backlog.
const DIALLING_MAX: usize = 128;
/// A server that lets nothing happen for so long is taken for stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// Readiness events taken from the poller at a time.
const EVENTS_MAX: usize = 4096;
/// The waker's token; seats have their index.
const ALARM: Token = Token(usize::MAX);

/// A connection to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) role: Role,
    pub(crate) tally: Tally,
    pub(crate) options: SocketOptions,
}

impl Place {
    /// A subscriber of `room` whose deliveries are waited for.
    pub(crate) fn subscriber(room: u32) -> Self {
        let tally = Tally::counted(room);
        Self { role: Role::Subscriber, tally, options: SocketOptions::default() }
    }

    fn publisher(room: u32) -> Self {
        let options = SocketOptions { no_delay: true, ..SocketOptions::default() };
        Self { role: Role::Publisher, tally: Tally::uncounted(room), options }
    }
}

/// All connections of a run.
pub(crate) struct Swarm {
    poll: Poll,
    events: Events,
    ticker: Ticker,
    target: Target,
    pub(crate) seats: Vec<Seat>,
    pub(crate) ground: Ground,
    /// For each room, the seats that publish to it, taken in turn.
    publishers: Vec<Vec<usize>>,
    /// Seats with publications to be flushed.
    dirty: Vec<usize>,
    /// Seats with more to read than the last turn took.
    again: Vec<usize>,
    payload_bytes: usize,
    /// How long bytes gather between reads when saturated.
    pub(crate) gather: Duration,
    /// Scratch for one payload.
    data: Vec<u8>,
    /// Connections opened so far, for spreading them over source addresses.
    dialled: usize,
    /// What the rooms' names begin with: different in each run, so that no run meets another's history.
    prefix: String,
}

impl Swarm {
    pub(crate) fn new(
        target: &Target,
        adapter: &'static dyn Adapter,
        payload_bytes: usize,
        prefix: String,
        account: Arc<Account>,
    ) -> Result<Self, Error> {
        let epoch = Instant::now();
        let poll = Poll::new()?;
        let ticker = Ticker::start(epoch, Waker::new(poll.registry(), ALARM)?);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            ticker,
            target: target.clone(),
            seats: Vec::new(),
            ground: Ground::new(adapter, epoch, account),
            publishers: Vec::new(),
            dirty: Vec::new(),
            again: Vec::new(),
            payload_bytes,
            gather: Duration::ZERO,
            data: Vec::new(),
            dialled: 0,
            prefix,
        })
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.ground.now_ns()
    }

    pub(crate) fn ledger(&mut self) -> &mut Ledger {
        &mut self.ground.ledger
    }

    /// How much has been read so far.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.ground.received_bytes
    }

    /// Publishes payloads of another size from now on.
    pub(crate) fn set_payload_bytes(&mut self, payload_bytes: usize) {
        self.payload_bytes = payload_bytes;
    }

    /// Adds rooms and returns their numbers. `unordered` when several publishers will race.
    pub(crate) fn open_rooms(&mut self, rooms: usize, unordered: bool) -> std::ops::Range<u32> {
        let first = self.ledger().open_rooms(rooms, unordered);
        let range = first..first + rooms as u32;
        let prefix = &self.prefix;
        self.ground.names.extend(range.clone().map(|room| format!("{prefix}-{room}")));
        self.publishers.resize(range.end as usize, Vec::new());
        range
    }

    /// Opens connections, a bounded number at a time, and waits until all of them are ready.
    pub(crate) fn seat_all(&mut self, places: impl IntoIterator<Item = Place>) -> Result<(), Error> {
        let mut places = places.into_iter();
        let (lower, _) = places.size_hint();
        check_descriptors(self.seats.len() + lower)?;
        let first = self.seats.len();
        let mut waiting: Vec<usize> = Vec::new();
        let mut moved = Instant::now();
        loop {
            while waiting.len() < DIALLING_MAX
                && let Some(place) = places.next()
            {
                waiting.push(self.open(place)?);
            }
            if waiting.is_empty() {
                return Ok(());
            }
            self.turn(Some(Duration::from_millis(100)))?;
            let before = waiting.len();
            waiting.retain(|index| !self.seats[*index].link.ready);
            if waiting.len() < before {
                moved = Instant::now();
            }
            let ended = waiting.iter().any(|index| self.seats[*index].end.is_some());
            if ended || moved.elapsed() > PATIENCE {
                let ready = self.seats[first..].iter().filter(|seat| seat.link.ready).count();
                let why = self.ledger().take_faults().join("; ");
                return Err(Error::new(format!("only {ready} connections became ready: {why}")));
            }
        }
    }

    /// Opens connections that publish to `rooms`: `shared` of them for all rooms together, or one for
    /// each room where the server binds a publisher to its room.
    pub(crate) fn seat_publishers(
        &mut self,
        rooms: std::ops::Range<u32>,
        shared: usize,
    ) -> Result<(), Error> {
        let first = self.seats.len();
        if self.ground.adapter.binds_publisher_to_room() {
            self.seat_all(rooms.clone().map(Place::publisher))?;
            for (index, room) in rooms.enumerate() {
                self.publishers[room as usize].push(first + index);
            }
        } else {
            self.seat_all((0..shared).map(|_| Place::publisher(rooms.start)))?;
            for room in rooms {
                self.publishers[room as usize].push(first + room as usize % shared);
            }
        }
        Ok(())
    }

    /// Opens `each` connections for every room that publish to that room only.
    pub(crate) fn seat_own_publishers(
        &mut self,
        rooms: std::ops::Range<u32>,
        each: usize,
    ) -> Result<(), Error> {
        let first = self.seats.len();
        self.seat_all(rooms.clone().flat_map(|room| (0..each).map(move |_| Place::publisher(room))))?;
        for (index, room) in rooms.enumerate() {
            self.publishers[room as usize].extend(first + index * each..first + (index + 1) * each);
        }
        Ok(())
    }

    /// Opens one connection without waiting for it and returns its index.
    pub(crate) fn open(&mut self, place: Place) -> Result<usize, Error> {
        let index = self.seats.len();
        let seat = self.dial(place, index)?;
        self.seats.push(seat);
        Ok(index)
    }

    /// Closes the connection at `index` and opens another in its stead.
    pub(crate) fn reopen(&mut self, index: usize, place: Place) -> Result<(), Error> {
        let seat = self.dial(place, index)?;
        let mut old = std::mem::replace(&mut self.seats[index], seat);
        self.ground.ledger.leave(&mut old.tally);
        old.part();
        Ok(())
    }

    fn dial(&mut self, place: Place, index: usize) -> Result<Seat, Error> {
        let who = Who { role: place.role, room: &self.ground.names[place.tally.room as usize] };
        let request = self.ground.adapter.path(&who).map(|path| self.target.request(&path));
        let stream = self.target.connect(self.dialled, place.options)?;
        self.dialled += 1;
        let mut seat = Seat::new(stream, place.role, place.tally, request);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(seat.stream(), Token(index), interest)?;
        Ok(seat)
    }

    /// Numbers, stamps and queues one publication; [`Swarm::turn`] sends it.
    pub(crate) fn publish(&mut self, room: u32, due_ns: u64) {
        let sequence = self.ground.ledger.publish(room);
        self.data.clear();
        Stamp { sequence, due_ns }.write(&mut self.data, self.payload_bytes);
        let publishers = &self.publishers[room as usize];
        let index = publishers[sequence as usize % publishers.len()];
        let seat = &mut self.seats[index];
        seat.publish(self.ground.adapter, &self.ground.names[room as usize], &self.data);
        if !std::mem::replace(&mut seat.dirty, true) {
            self.dirty.push(index);
        }
    }

    /// Wakes the loop at that time.
    pub(crate) fn set_alarm(&self, due_ns: u64) {
        self.ticker.set(due_ns);
    }

    /// One turn: send what is queued, wait for something to happen, take it in.
    pub(crate) fn turn(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        for index in self.dirty.drain(..) {
            self.seats[index].flush();
        }
        let again = std::mem::take(&mut self.again);
        let timeout = if again.is_empty() { timeout } else { Some(Duration::ZERO) };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let Some(seat) = self.seats.get_mut(event.token().0) else { continue };
            if event.is_writable() {
                seat.writable(&mut self.ground);
            }
            seat.hung_up |= event.is_read_closed() || event.is_error();
            if event.is_readable() || seat.hung_up {
                Self::read(seat, event.token().0, &mut self.ground, &mut self.again);
            }
        }
        for index in again {
            Self::read(&mut self.seats[index], index, &mut self.ground, &mut self.again);
        }
        self.ground.ledger.post();
        Ok(())
    }

    fn read(seat: &mut Seat, index: usize, ground: &mut Ground, again: &mut Vec<usize>) {
        if seat.stalled || seat.end.is_some() {
            return;
        }
        if seat.read(ground) == Rest::More {
            again.push(index);
        }
    }

    /// Lets a stalled seat read on.
    pub(crate) fn resume(&mut self, index: usize) {
        self.seats[index].stalled = false;
        self.again.push(index);
    }

    /// Closes every connection and forgets them; the rooms and their account stay.
    pub(crate) fn part_all(&mut self) {
        for seat in &mut self.seats {
            seat.part();
        }
        self.seats.clear();
        self.dirty.clear();
        self.again.clear();
        self.publishers.iter_mut().for_each(Vec::clear);
    }

    /// At the end of a run: everything that is wrong with it.
    pub(crate) fn audit(&mut self) -> Vec<String> {
        let ledger = &mut self.ground.ledger;
        for seat in &self.seats {
            if seat.role == Role::Subscriber {
                ledger.audit(&seat.tally);
            }
            if let Some(end) = seat.end
                && (seat.tally.counted || seat.role == Role::Publisher)
            {
                ledger.fault(|| format!("a connection was ended by the server (code {:?})", end.code));
            }
        }
        ledger.take_faults()
    }
}
