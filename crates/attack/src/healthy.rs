//! The healthy ones: clients that talk in rooms, and newcomers all the time.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fanfare_wire::OpCode;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use crate::account::{Account, Window};
use crate::line::{Heard, Line};
use crate::plan::Scale;
use crate::server::Server;
use crate::source::Sources;
use crate::tokens;

/// Connecting, or the last deliveries, must not take longer than this: it is a fault, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the healthy ones come from.
const NETWORK: u8 = 1;
const ADDRESSES: u32 = 500;

/// All of them, on a thread of their own.
pub(crate) struct Healthy {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    account: Mutex<Account>,
    /// Nobody speaks and nobody comes.
    paused: AtomicBool,
    ended: AtomicBool,
}

impl Shared {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, flag: &AtomicBool) -> bool {
        flag.load(Ordering::Relaxed)
    }
}

impl Drop for Healthy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Healthy {
    /// Lets them move in; returns when all are in their rooms.
    ///
    /// # Errors
    /// When one of them is not let in.
    pub(crate) fn start(server: &Server, scale: Scale) -> io::Result<Self> {
        let account = Account::new(scale.rooms, scale.clients_per_room);
        let shared = Arc::new(Shared {
            account: Mutex::new(account),
            paused: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let (sender, moved_in) = std::sync::mpsc::channel();
        let (group, address) = (shared.clone(), server.address());
        let thread = std::thread::spawn(move || {
            let served =
                tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
                    LocalSet::new().block_on(&runtime, live(group, address, scale, sender.clone()))
                });
            if let Err(error) = served {
                let _ = sender.send(Err(error));
            }
        });
        let healthy = Self { shared, thread: Some(thread) };
        moved_in.recv().map_err(io::Error::other)??;
        Ok(healthy)
    }

    /// Begins a window.
    pub(crate) fn begin(&self) {
        self.shared.account().turn();
    }

    /// Lets everybody fall silent and all that was said arrive; gives what was seen since [`Healthy::begin`].
    pub(crate) fn settle(&self) -> Window {
        self.shared.paused.store(true, Ordering::Relaxed);
        let since = Instant::now();
        let window = loop {
            let mut account = self.shared.account();
            let (missing, arriving) = (account.missing(), account.arriving);
            if missing == 0 && arriving == 0 {
                break account.turn();
            }
            if since.elapsed() > PATIENCE {
                account.fault(format!("{missing} deliveries and {arriving} newcomers have not arrived"));
                break account.turn();
            }
            drop(account);
            std::thread::sleep(Duration::from_millis(5));
        };
        self.shared.paused.store(false, Ordering::Relaxed);
        window
    }
}

/// One client and its place.
struct Client {
    line: Line,
    index: usize,
    member: usize,
    room: String,
}

async fn live(
    shared: Arc<Shared>,
    server: SocketAddr,
    scale: Scale,
    moved_in: std::sync::mpsc::Sender<io::Result<()>>,
) -> io::Result<()> {
    let sources = Rc::new(Sources::new(NETWORK, ADDRESSES));
    let epoch = Instant::now();
    let mut clients = Vec::new();
    for index in 0..scale.rooms * scale.clients_per_room {
        let room = format!("room-{}", index / scale.clients_per_room);
        let mut line = Line::open(&sources, server, &tokens::path(&format!("healthy-{index}"))?).await?;
        line.say(&json!({"type": "subscribe", "channel": room}).to_string()).await?;
        line.until("subscribed").await?;
        clients.push(Client { line, index, member: index % scale.clients_per_room, room });
    }
    let count = clients.len() as u32;
    for client in clients {
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            let offset = scale.message_interval * client.index as u32 / count;
            let index = client.index;
            if let Err(error) = client.talk(&shared, epoch, scale.message_interval, offset).await {
                shared.account().fault(format!("healthy client {index} was cut: {error}"));
            }
        });
    }
    let _ = moved_in.send(Ok(()));
    newcomers(&shared, server, &sources, scale.newcomer_interval).await;
    Ok(())
}

impl Client {
    async fn talk(
        mut self,
        shared: &Shared,
        epoch: Instant,
        interval: Duration,
        offset: Duration,
    ) -> io::Result<()> {
        let mut turns = interval_at(tokio::time::Instant::now() + offset, interval);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !shared.is(&shared.ended) {
            tokio::select! {
                heard = self.line.hear() => self.heard(heard?, shared, epoch).await?,
                _ = turns.tick() => {
                    if !shared.is(&shared.paused) {
                        self.speak(shared, epoch).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn speak(&mut self, shared: &Shared, epoch: Instant) -> io::Result<()> {
        let number = shared.account().say(self.index);
        let at = epoch.elapsed().as_nanos() as u64;
        let data = json!({"from": self.member, "number": number, "at": at});
        let message = json!({"type": "message", "channel": self.room, "data": data});
        self.line.say(&message.to_string()).await
    }

    async fn heard(&mut self, heard: Heard, shared: &Shared, epoch: Instant) -> io::Result<()> {
        match heard {
            Heard::Text(text) => {
                let event: serde_json::Value = serde_json::from_str(&text)?;
                if event["type"] == "error" {
                    return Err(io::Error::other(text));
                }
                if event["type"] == "message" {
                    let data = &event["data"];
                    let number = |key: &str| data[key].as_u64().unwrap_or(u64::MAX);
                    let after = epoch.elapsed().saturating_sub(Duration::from_nanos(number("at")));
                    shared.account().got(self.index, number("from") as usize, number("number"), after);
                }
                Ok(())
            }
            Heard::Ping(payload) => self.line.send(OpCode::Pong, &payload).await,
            Heard::Close(code) => Err(io::Error::other(format!("close {code}"))),
            Heard::Other => Ok(()),
        }
    }
}

/// Somebody new at each tick, who says something, is answered, and goes again.
async fn newcomers(shared: &Arc<Shared>, server: SocketAddr, sources: &Rc<Sources>, interval: Duration) {
    let mut turns = interval_at(tokio::time::Instant::now() + interval, interval);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (gone, mut all_gone) = mpsc::channel::<()>(1);
    let mut serial = 0_u64;
    while !shared.is(&shared.ended) {
        turns.tick().await;
        if shared.is(&shared.paused) {
            continue;
        }
        serial += 1;
        shared.account().arriving += 1;
        let (shared, sources, gone) = (shared.clone(), sources.clone(), gone.clone());
        tokio::task::spawn_local(async move {
            let begun = Instant::now();
            let outcome = timeout(PATIENCE, come(server, &sources, serial)).await;
            let mut account = shared.account();
            account.arriving -= 1;
            match outcome {
                Ok(Ok(answered)) => account.connected(answered - begun),
                Ok(Err(error)) => account.fault(format!("a newcomer was not let in: {error}")),
                Err(_) => account.fault(format!("a newcomer waited {PATIENCE:?}")),
            }
            drop(gone);
        });
    }
    drop(gone);
    all_gone.recv().await;
}

/// Connects, asks something, and hangs up once it is answered; gives when that was.
async fn come(server: SocketAddr, sources: &Sources, serial: u64) -> io::Result<Instant> {
    let mut line = Line::open(sources, server, &tokens::path(&format!("newcomer-{serial}"))?).await?;
    line.say(r#"{"type":"ping"}"#).await?;
    line.until("pong").await?;
    let answered = Instant::now();
    line.send(OpCode::Close, &1000_u16.to_be_bytes()).await?;
    while !matches!(line.hear().await?, Heard::Close(_)) {}
    Ok(answered)
}
