//! One run: a server, a crowd, traffic, cuts, and the verdict.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use fanfare_testkit::faults::FaultProxy;
use fanfare_testkit::rng::Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, interval};

use crate::backend::{BACKEND, Backend};
use crate::carrier::Transport;
use crate::ear::{Ear, LAST};
use crate::ledger::{Ledger, hash};
use crate::line::{Line, Stop};
use crate::process::Process;
use crate::report::{Report, Tally, Usage, usage};
use crate::scale::Scale;
use crate::voice::Voice;
use crate::wanderer::Wanderer;
use crate::{Outcome, listener, native, within};

/// Descriptors of the server: a thousand clients have two connections each.
const DESCRIPTORS: u32 = 10_000;

/// Messages that a channel keeps: more than any run publishes in one, so that the judge can ask for all of them.
const HISTORY_SIZE: &str = "20000";

/// What the clients of a run are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Crowd {
    /// The Rust client, over WebSocket.
    Native,
    /// A session over one transport.
    Session(Transport),
    /// A session that changes its transport.
    Switching,
    /// Server-sent events without a session.
    OneWay,
}

/// A client that has heard everything.
pub(crate) struct Visitor {
    /// Its room and its own channel.
    pub(crate) ears: Vec<Ear>,
    pub(crate) voice: Voice,
    pub(crate) tally: Tally,
}

/// What a client tells of how far it is.
pub(crate) struct Progress {
    ready: Option<mpsc::UnboundedSender<()>>,
    tested: Option<mpsc::UnboundedSender<()>>,
    /// How many more times it has to be cut, or to change its transport.
    tests: u32,
}

impl Progress {
    /// It listens to all of its channels.
    pub(crate) fn ready(&mut self) {
        // Who waited may have given up.
        let _ = self.ready.take().map(|ready| ready.send(()));
    }

    /// It was cut, or has changed its transport.
    pub(crate) fn tested(&mut self) {
        self.tests = self.tests.saturating_sub(1);
        if self.tests == 0 {
            let _ = self.tested.take().map(|tested| tested.send(()));
        }
    }
}

/// The crowd of a run, and what its traffic waits for.
struct Run<'a> {
    crowd: Crowd,
    scale: &'a Scale,
    ledger: Arc<Ledger>,
    backend: Backend,
    proxies: Vec<Arc<FaultProxy>>,
    clients: JoinSet<Outcome<Visitor>>,
    ready: mpsc::UnboundedReceiver<()>,
    tested: mpsc::UnboundedReceiver<()>,
    /// Tells the clients to say their last words.
    stop: watch::Sender<bool>,
}

/// A channel that the backend publishes in.
struct Room {
    channel: String,
    line: Line,
    said: Vec<u64>,
}

/// Lets a crowd hear everything once and in order, or fails.
pub(crate) async fn check(crowd: Crowd, scale: Scale) {
    let settings = [("FANFARE_NAMESPACE_HISTORY_SIZE", HISTORY_SIZE)];
    let server = Process::start(&settings, DESCRIPTORS).await;
    let backend = Backend { address: server.address, key: server.api_key() };
    let mut run = Run::start(crowd, &scale, backend).await.unwrap();
    run.everyone_is_ready().await.unwrap();
    let (began, before) = (Instant::now(), usage(server.pid()));
    let rooms = run.traffic().await.unwrap();
    let visitors = run.clients().await.unwrap();
    let (length, after) = (began.elapsed(), usage(server.pid()));
    for room in &rooms {
        run.backend.keep(&room.channel, &run.ledger).await.unwrap();
    }
    let cpu = after.cpu.saturating_sub(before.cpu);
    run.verdict(&rooms, &visitors, length, cpu, after);
}

impl<'a> Run<'a> {
    async fn start(crowd: Crowd, scale: &'a Scale, backend: Backend) -> Outcome<Self> {
        let ((is_ready, ready), (is_tested, tested)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let (ledger, clients) = (Arc::new(Ledger::default()), JoinSet::new());
        let (stop, proxies) = (watch::Sender::new(false), Vec::new());
        let mut run = Self { crowd, scale, ledger, backend, proxies, clients, ready, tested, stop };
        for index in 0..scale.clients {
            let proxy = FaultProxy::start(run.backend.address, index as u64).await;
            let proxy = Arc::new(proxy.map_err(|error| error.to_string())?);
            let (ready, tested) = (Some(is_ready.clone()), Some(is_tested.clone()));
            let progress = Progress { ready, tested, tests: scale.cuts_min.max(scale.switches) };
            run.welcome(index, proxy.clone(), progress);
            run.proxies.push(proxy);
        }
        Ok(run)
    }

    fn welcome(&mut self, index: usize, proxy: Arc<FaultProxy>, progress: Progress) {
        let (actor, own) = (index as u32, format!("own.{index}"));
        let ears = [room_name(self.scale.room(index)), own.clone()];
        let ears: Vec<Ear> = ears.map(|channel| Ear::new(self.ledger.clone(), actor, channel)).into();
        let voice = Voice::new(self.ledger.clone(), actor, own, self.scale.own_beat, self.stop.subscribe());
        let (backend, back_off, address) = (self.backend.clone(), self.scale.back_off, proxy.address());
        let transport = match self.crowd {
            Crowd::Native => {
                self.clients.spawn(native::run(address, back_off, ears, voice, progress));
                return;
            }
            Crowd::OneWay => {
                self.clients.spawn(listener::run(address, back_off, ears, voice, backend, progress));
                return;
            }
            Crowd::Session(transport) => transport,
            Crowd::Switching => Transport::WebSocket,
        };
        let (switches, rng) = (self.scale.switches, Rng::new(index as u64));
        let changes = switches > 0;
        let wanderer = Wanderer { proxy, backend, back_off, progress, transport, switches, changes, rng };
        self.clients.spawn(wanderer.run(ears, voice));
    }

    /// What comes out of `future`, unless a client gives up before.
    async fn unless_failed<T>(
        clients: &mut JoinSet<Outcome<Visitor>>,
        future: impl Future<Output = T>,
    ) -> Outcome<T> {
        tokio::select! {
            Some(ended) = clients.join_next() => match ended {
                Ok(Ok(_)) => Err("a client was done before the end".to_owned()),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(error.to_string()),
            },
            value = future => Ok(value),
        }
    }

    async fn everyone_is_ready(&mut self) -> Outcome<()> {
        let (count, ready) = (self.scale.clients, &mut self.ready);
        let everyone = within("everyone to listen", arrivals(ready, count));
        Self::unless_failed(&mut self.clients, everyone).await?
    }

    /// Publishes in every room while the lines are cut, then makes them whole and publishes the last messages.
    async fn traffic(&mut self) -> Outcome<Vec<Room>> {
        let cuts = self.cut();
        let (quiet, is_quiet) = watch::channel(false);
        let mut publishers = JoinSet::new();
        for index in 0..self.scale.rooms {
            let room =
                Room { channel: room_name(index), line: Line::new(self.backend.address), said: Vec::new() };
            let (backend, ledger, scale) = (self.backend.clone(), self.ledger.clone(), self.scale);
            publishers.spawn(room.publish(backend, ledger, scale.beat, is_quiet.clone()));
        }
        let tested = async {
            let length = tokio::time::timeout(self.scale.length, pending::<()>());
            let everyone = arrivals(&mut self.tested, self.scale.clients);
            let everyone = within("everyone to be cut or switched often enough", everyone);
            let tested = tokio::join!(length, everyone).1;
            quiet.send_replace(true);
            tested
        };
        let spoken = async { tokio::join!(tested, publishers.join_all()) };
        let (tested, rooms) = Self::unless_failed(&mut self.clients, spoken).await?;
        tested?;
        cuts.iter().for_each(AbortHandle::abort);
        for proxy in &self.proxies {
            proxy.heal().map_err(|error| error.to_string())?;
        }
        self.stop.send_replace(true);
        let mut rooms = rooms.into_iter().collect::<Outcome<Vec<Room>>>()?;
        rooms.sort_by(|one, other| one.channel.cmp(&other.channel));
        for room in &mut rooms {
            room.say(&self.backend, &self.ledger, LAST).await?;
        }
        Ok(rooms)
    }

    fn cut(&self) -> Vec<AbortHandle> {
        let Some((period, length)) = self.scale.cuts else { return Vec::new() };
        let cut = |proxy: &Arc<FaultProxy>| {
            let proxy = proxy.clone();
            let cutting = async move {
                let error = proxy.cut_every(period, length).await;
                panic!("a proxy does not listen again: {error}");
            };
            tokio::spawn(cutting).abort_handle()
        };
        self.proxies.iter().map(cut).collect()
    }

    /// Everyone, once they have heard everything.
    async fn clients(&mut self) -> Outcome<Vec<Visitor>> {
        let mut visitors = Vec::new();
        let everyone = async {
            while let Some(ended) = self.clients.join_next().await {
                visitors.push(ended.map_err(|error| error.to_string())??);
            }
            Outcome::Ok(())
        };
        let ended = within("everyone to hear the last message", everyone).await;
        ended.map_err(|error| format!("{error}; {} have", visitors.len()))??;
        Ok(visitors)
    }

    fn verdict(&self, rooms: &[Room], visitors: &[Visitor], length: Duration, cpu: Duration, usage: Usage) {
        let violations = self.ledger.judge();
        let own: usize = visitors.iter().map(|visitor| visitor.voice.said.len()).sum();
        let said = |ear: &Ear| rooms.iter().find(|room| room.channel == ear.channel).map(|room| &room.said);
        let expected = |visitor: &Visitor| said(&visitor.ears[0]).unwrap().len();
        let report = Report {
            crowd: format!("{:?}", self.crowd),
            tallies: visitors.iter().map(|visitor| visitor.tally).collect(),
            rooms: rooms.len(),
            deliveries: visitors.iter().flat_map(|visitor| &visitor.ears).map(|ear| ear.heard.len()).sum(),
            own,
            expected: own + visitors.iter().map(expected).sum::<usize>(),
            violations: violations.len(),
            length,
            cpu,
            usage,
        };
        report.publish();
        let shown: Vec<String> = violations.iter().take(20).map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{} violations: {shown:#?}", violations.len());
        assert_eq!(visitors.len(), self.scale.clients);
        for Visitor { ears, voice, tally } in visitors {
            let (room, own) = (&ears[0], &ears[1]);
            // A run in which little happened shows nothing.
            assert!(room.heard.len() > 50 && own.heard.len() > 2, "{}: {}", own.channel, own.heard.len());
            assert!(Some(&room.heard) == said(room), "{} heard otherwise in {}", own.channel, room.channel);
            assert!(
                own.heard == voice.said,
                "{} heard its own otherwise: {} of {}",
                own.channel,
                own.heard.len(),
                voice.said.len()
            );
            assert!(tally.cuts >= self.scale.cuts_min, "{}: {tally:?}", own.channel);
            assert_eq!((tally.switches, tally.lost), (self.scale.switches, 0), "{}: {tally:?}", own.channel);
        }
    }
}

impl Room {
    /// Publishes until it is to be quiet; as many messages as the time has beats, also when one took longer.
    async fn publish(
        mut self,
        backend: Backend,
        ledger: Arc<Ledger>,
        beat: Duration,
        quiet: watch::Receiver<bool>,
    ) -> Outcome<Self> {
        let mut beat = interval(beat);
        while !*quiet.borrow() {
            beat.tick().await;
            self.say(&backend, &ledger, "").await?;
        }
        Ok(self)
    }

    async fn say(&mut self, backend: &Backend, ledger: &Ledger, end: &str) -> Outcome<()> {
        let text = format!("{} hears number {:8}{end}", self.channel, self.said.len() + 1);
        let invoke = ledger.now();
        let published = backend.publish(&mut self.line, &self.channel, &text).await;
        let place = published.map_err(|stop: Stop| format!("{text:?}: {stop}"))?;
        ledger.published(BACKEND, &self.channel, &text, invoke, Some(place));
        self.said.push(hash(&text));
        Ok(())
    }
}

fn room_name(index: usize) -> String {
    format!("room.{index}")
}

async fn arrivals(arrivals: &mut mpsc::UnboundedReceiver<()>, count: usize) {
    for _ in 0..count {
        // Ends only with all clients, and that is noticed elsewhere.
        arrivals.recv().await;
    }
}
