//! A client with a session, which its connections come and go under.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fanfare_testkit::faults::FaultProxy;
use fanfare_testkit::rng::Rng;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backend::Backend;
use crate::carrier::{Carrier, Rest, Transport};
use crate::ear::{Ear, hear};
use crate::ledger::hash;
use crate::line::{Line, Stop};
use crate::report::Tally;
use crate::run::{Progress, Visitor};
use crate::session::{Current, Session, attempts, speak};
use crate::voice::Voice;
use crate::{Outcome, within};

/// The most entries that are read between two switches.
const STAY_MAX: usize = 12;

const TRANSPORTS: [Transport; 4] =
    [Transport::WebSocket, Transport::Events, Transport::Lines, Transport::Poll];

/// Such a client.
pub(crate) struct Wanderer {
    pub(crate) proxy: Arc<FaultProxy>,
    pub(crate) backend: Backend,
    pub(crate) back_off: Duration,
    pub(crate) progress: Progress,
    pub(crate) transport: Transport,
    /// How often it still changes its transport.
    pub(crate) switches: u32,
    /// Whether it does at all.
    pub(crate) changes: bool,
    pub(crate) rng: Rng,
}

/// How far the client is in its session, and how it came there.
struct Course {
    ears: Vec<Ear>,
    tally: Tally,
    /// Hashes of all entries of the session; only where it changes its transport.
    entries: Vec<u64>,
    /// The last connection, after the next one was asked for.
    left: Option<JoinHandle<Rest>>,
    /// What still came over such connections.
    overheard: Vec<Rest>,
}

/// Why a connection is not followed any more.
enum Turn {
    Done,
    Switch,
}

impl Wanderer {
    /// Listens and speaks until the last message of each channel has come.
    pub(crate) async fn run(mut self, ears: Vec<Ear>, mut voice: Voice) -> Outcome<Visitor> {
        let (sessions, current) = watch::channel(None);
        let (address, back_off, backend) = (self.proxy.address(), self.back_off, self.backend.clone());
        let course =
            Course { ears, tally: Tally::default(), entries: Vec::new(), left: None, overheard: Vec::new() };
        let (mut course, repeated) = tokio::try_join!(
            self.listen(address, course, &sessions),
            speak(&mut voice, address, current, &backend, back_off),
        )?;
        course.tally.repeated += repeated;
        course.hear_left().await?;
        course.judge_overheard()?;
        Ok(Visitor { ears: course.ears, voice, tally: course.tally })
    }

    async fn listen(
        &mut self,
        address: SocketAddr,
        mut course: Course,
        sessions: &watch::Sender<Current>,
    ) -> Outcome<Course> {
        let (mut line, mut attempts) = (Line::new(address), attempts(self.back_off));
        let (mut current, mut last): (Current, Option<Carrier>) = (None, None);
        loop {
            let session = match &current {
                Some(session) => session.clone(),
                None => {
                    let words: Vec<Value> = course.ears.iter().map(Ear::subscribe).collect();
                    let session = Arc::new(Session::begin(&mut line, &words, &mut attempts).await?);
                    sessions.send_replace(Some(session.clone()));
                    current.insert(session).clone()
                }
            };
            attempts.tick().await;
            let opened = Carrier::open(address, self.transport, &session.pass, session.seen()).await;
            let mut proven = false;
            let stop = match opened {
                Err(stop) => stop,
                Ok(mut carrier) => {
                    // What the one before still says must be the same, up to the word that it was displaced.
                    if let Some(last) = last.take() {
                        course.hear_left().await?;
                        course.left = Some(tokio::spawn(last.drain()));
                    }
                    let turn = self.follow(&mut carrier, &session, &mut course).await;
                    proven = carrier.is_proven;
                    match turn {
                        Ok(Turn::Done) => return Ok(course),
                        Ok(Turn::Switch) => {
                            last = self.switch(carrier, &mut course).await?;
                            continue;
                        }
                        Err(stop) => stop,
                    }
                }
            };
            match stop {
                Stop::Broken => {
                    course.tally.cuts += u32::from(proven);
                    if proven && !self.changes {
                        self.progress.tested();
                    }
                }
                Stop::Displaced => course.tally.displaced += 1,
                Stop::Lost => {
                    course.tally.lost += 1;
                    // The next one's entries are others.
                    (current, last, course.left) = (None, None, None);
                    course.entries.clear();
                    course.overheard.clear();
                }
                Stop::Busy | Stop::Wrong(_) => return Err(format!("{:?}: {stop}", self.transport)),
            }
        }
    }

    /// Reads until everything was heard, or for as long as the client stays with its transport.
    async fn follow(
        &mut self,
        carrier: &mut Carrier,
        session: &Session,
        course: &mut Course,
    ) -> Result<Turn, Stop> {
        // A poll that is never asked carries nothing, and a WebSocket is open before the session is on it.
        let least = usize::from(matches!(self.transport, Transport::Poll | Transport::WebSocket));
        let stay = if self.switches > 0 { least + self.rng.below(STAY_MAX) } else { usize::MAX };
        for _ in 0..stay {
            let message = carrier.next().await?;
            if self.changes {
                course.entries.push(hash(&message.to_string()));
            }
            hear(&mut course.ears, &message).map_err(Stop::Wrong)?;
            session.saw(carrier.seen);
            if course.ears.iter().all(|ear| ear.place.is_some()) {
                self.progress.ready();
            }
            if course.ears.iter().all(|ear| ear.is_done) {
                return Ok(Turn::Done);
            }
        }
        Ok(Turn::Switch)
    }

    /// Changes the transport in one of several ways: leaves the last one before the next is asked for, or after it, in
    /// which case it is given back; or loses it together with everything on its line.
    async fn switch(&mut self, last: Carrier, course: &mut Course) -> Outcome<Option<Carrier>> {
        let others: Vec<Transport> =
            TRANSPORTS.into_iter().filter(|transport| *transport != self.transport).collect();
        // A poll that is answered is over.
        let manners = if self.transport == Transport::Poll { 2 } else { 3 };
        self.transport = *self.rng.pick(&others);
        self.switches -= 1;
        course.tally.switches += 1;
        self.progress.tested();
        match self.rng.below(manners) {
            0 => Ok(None),
            1 => {
                // The one that was left before is to end for the right reason.
                course.hear_left().await?;
                self.proxy.cut_once().map(|()| None).map_err(|error| error.to_string())
            }
            _ => Ok(Some(last)),
        }
    }
}

impl Course {
    /// Waits for the end of the connection that was left: it has to say why.
    async fn hear_left(&mut self) -> Outcome<()> {
        let Some(left) = self.left.take() else { return Ok(()) };
        let rest = within("the end of a connection that was left", left).await?.unwrap();
        // When the answer to a ping is on its way, TCP resets what the server closes, and its last words may be lost.
        let is_told =
            matches!(rest.stop, Stop::Displaced) || rest.is_pinged && matches!(rest.stop, Stop::Broken);
        if !is_told {
            let Rest { transport, seen, stop, .. } = rest;
            return Err(format!("{transport:?} was left after {seen} entries and is not told so: {stop}"));
        }
        self.tally.overheard += rest.messages.len() as u64;
        self.overheard.push(rest);
        Ok(())
    }

    /// What came over connections that were left has to be what came over the next ones.
    fn judge_overheard(&self) -> Outcome<()> {
        for Rest { seen, messages, .. } in &self.overheard {
            let known = self.entries.iter().skip(*seen as usize).copied();
            if let Some((message, _)) =
                messages.iter().zip(known).find(|(message, known)| hash(&message.to_string()) != *known)
            {
                return Err(format!("after {seen} entries a connection that was left says {message}"));
            }
        }
        Ok(())
    }
}
