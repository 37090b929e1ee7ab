//! Where a session is begun, and where its client's messages go up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::Outcome;
use crate::backend::Backend;
use crate::line::{Line, Stop, body, request};
use crate::voice::Voice;

/// A session of a client, and how far in it the client has come.
pub(crate) struct Session {
    pub(crate) pass: String,
    seen: AtomicU64,
}

/// The client's session at the moment; none before the first one.
pub(crate) type Current = Option<Arc<Session>>;

/// When a client tries again what a cut line has kept from it: not too soon after the last time.
pub(crate) fn attempts(back_off: Duration) -> Interval {
    let mut attempts = interval(back_off);
    attempts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    attempts
}

impl Session {
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    pub(crate) fn saw(&self, seen: u64) {
        self.seen.store(seen, Ordering::Relaxed);
    }

    /// Begins a session, and says its first words in the batch with the number 1.
    pub(crate) async fn begin(line: &mut Line, words: &[Value], attempts: &mut Interval) -> Outcome<Self> {
        'anew: loop {
            attempts.tick().await;
            let asked = body(request(Method::POST, "/session"), "application/json", String::new());
            let pass = match line.ask(asked).await {
                Ok(told) => told["session"].as_str().ok_or_else(|| told.to_string())?.to_owned(),
                Err(Stop::Broken) => continue,
                Err(stop) => return Err(format!("no session: {stop}")),
            };
            let session = Self { pass, seen: AtomicU64::new(0) };
            loop {
                match session.post(line, 1, words).await {
                    Ok(_) => return Ok(session),
                    Err(Stop::Broken | Stop::Busy) => _ = attempts.tick().await,
                    Err(Stop::Lost) => continue 'anew,
                    Err(stop) => return Err(format!("no first words: {stop}")),
                }
            }
        }
    }

    /// Sends a numbered batch up; whether it was not there yet.
    pub(crate) async fn post(&self, line: &mut Line, number: u64, words: &[Value]) -> Result<bool, Stop> {
        let target = format!("/send?session={}&batch={number}&seen={}", self.pass, self.seen());
        let (kind, text) = match words {
            [word] => ("application/json", word.to_string()),
            words => {
                ("application/x-ndjson", words.iter().map(|word| format!("{word}\n")).collect::<String>())
            }
        };
        let told = line.ask(body(request(Method::POST, &target), kind, text)).await?;
        match (told["taken"].as_u64(), told["duplicate"].as_bool()) {
            (Some(0), Some(true)) => Ok(false),
            (Some(count), None) if count == words.len() as u64 => Ok(true),
            _ => Err(Stop::Wrong(format!("{} messages: {told}", words.len()))),
        }
    }
}

/// Says everything that a client has to say through its session, and repeats what may not have arrived. Returns how many
/// batches had arrived although their answer had not.
pub(crate) async fn speak(
    voice: &mut Voice,
    address: SocketAddr,
    mut sessions: watch::Receiver<Current>,
    backend: &Backend,
    back_off: Duration,
) -> Outcome<u64> {
    let (mut line, mut attempts) = (Line::new(address), attempts(back_off));
    let (mut session, mut number, mut repeated) = (next(&mut sessions, None).await?, 2, 0);
    while let Some(batch) = voice.next().await {
        let word = |text| json!({ "type": "message", "channel": voice.channel, "data": text });
        let mut words: Vec<Value> = batch.texts.iter().map(word).collect();
        while !words.is_empty() {
            let posted = match sessions.has_changed() {
                // Nobody listens to the last one any more.
                Ok(true) => Err(Stop::Lost),
                _ => session.post(&mut line, number, &words).await,
            };
            match posted {
                Ok(is_new) => {
                    number += 1;
                    repeated += u64::from(!is_new);
                    words.clear();
                }
                Err(Stop::Broken | Stop::Busy) => _ = attempts.tick().await,
                Err(Stop::Lost) => {
                    session = next(&mut sessions, Some(&session)).await?;
                    number = 2;
                    // Whether the last batch was taken died with the session, but not with the channel.
                    let (top, said) = (backend.top(&voice.channel).await?, voice.said.len() as u64);
                    let taken = top
                        .checked_sub(said)
                        .ok_or_else(|| format!("{} has {top} messages, {said} were taken", voice.channel))?;
                    words.drain(..(taken as usize).saturating_sub(batch.texts.len() - words.len()));
                }
                Err(stop) => return Err(format!("batch {number} of {}: {stop}", voice.channel)),
            }
        }
        batch.texts.iter().for_each(|text| voice.taken(&batch, text, None));
    }
    Ok(repeated)
}

/// The session after this one.
async fn next(sessions: &mut watch::Receiver<Current>, last: Option<&Arc<Session>>) -> Outcome<Arc<Session>> {
    let is_next = |current: &Current| match (current, last) {
        (Some(session), Some(last)) => !Arc::ptr_eq(session, last),
        (session, _) => session.is_some(),
    };
    let found = sessions.wait_for(is_next).await.map_err(|_| "the client has given up".to_owned())?;
    found.clone().ok_or_else(|| "no session".to_owned())
}
