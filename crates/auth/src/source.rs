//! A key set that is fetched from a fixed address.
//!
//! Why a fetch starts: the first use, the refresh every 30 s, and a token with an unknown key id, the last at most every
//! 10 s. There is never more than one at a time, and who needs it waits for that one. It runs as a task of its own: a
//! client that hangs up does not take the answer away from the others.
//!
//! While the endpoint fails, the last good keys are kept for an hour, counted from when they came; then there are none.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::{Client, Url};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::key_set::KeySet;
use crate::settings::Algorithm;

/// The longest that a fetch may take.
const FETCH_DURATION_MAX: Duration = Duration::from_secs(5);
/// The largest key set.
const FETCH_BYTES_MAX: usize = 256 * 1024;
/// How often unknown key ids may cause a fetch.
const ASKED_INTERVAL_MIN: Duration = Duration::from_secs(10);
/// How long keys are kept that could not be fetched again.
const KEPT_DURATION_MAX: Duration = Duration::from_secs(3600);
/// The most verifications that wait for a fetch; any more are refused at once.
const WAITING_MAX: usize = 1024;

/// Where an issuer's keys are fetched.
pub(crate) struct Source {
    issuer: String,
    url: Url,
    client: Client,
    algorithms: Vec<Algorithm>,
    /// Written by the one fetch that runs.
    fetched: ArcSwap<Fetched>,
    turn: Mutex<Turn>,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
    waiting: Semaphore,
}

/// The last good answer.
#[derive(Default)]
struct Fetched {
    keys: Arc<KeySet>,
    at: Option<Instant>,
}

/// Who may start a fetch.
#[derive(Default)]
struct Turn {
    running: bool,
    /// When an unknown key id last started one.
    asked: Option<Instant>,
}

/// Why a fetch is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Refresh,
    UnknownKey,
}

impl Source {
    /// A source that has fetched nothing yet.
    pub(crate) fn new(issuer: &str, address: &str, algorithms: Vec<Algorithm>) -> Result<Arc<Self>, String> {
        if let Some(algorithm) = algorithms.iter().find(|algorithm| algorithm.secret_bytes_min().is_some()) {
            return Err(format!("{} is for a secret, and a fetched key set has none", algorithm.as_str()));
        }
        let url = checked(address)?;
        let mut client = Client::builder()
            .timeout(FETCH_DURATION_MAX)
            // Where a redirect leads, the operator has not configured.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_max_idle_per_host(0)
            .user_agent("fanfare");
        if url.scheme() == "http" {
            client = client.no_proxy();
        }
        Ok(Arc::new(Self {
            issuer: issuer.to_owned(),
            url,
            client: client
                .build()
                .map_err(|_| "the HTTP client for the key set cannot be made".to_owned())?,
            algorithms,
            fetched: ArcSwap::default(),
            turn: Mutex::default(),
            ended: watch::Sender::default(),
            waiting: Semaphore::new(WAITING_MAX),
        }))
    }

    /// The keys, as last fetched.
    pub(crate) fn keys(&self) -> Arc<KeySet> {
        let fetched = self.fetched.load();
        match fetched.at {
            Some(at) if at.elapsed() < KEPT_DURATION_MAX => fetched.keys.clone(),
            _ => Arc::default(),
        }
    }

    /// The keys for a token whose key is not among [`Self::keys`]: fetched again, if that may be now.
    pub(crate) async fn keys_fetched_again(self: &Arc<Self>) -> Arc<KeySet> {
        if let Ok(_place) = self.waiting.try_acquire() {
            self.fetch(Reason::UnknownKey).await;
        }
        self.keys()
    }

    /// Fetches the keys.
    pub(crate) async fn refresh(self: &Arc<Self>) {
        self.fetch(Reason::Refresh).await;
    }

    /// Waits for the fetch that runs, or for a new one if there may be one.
    async fn fetch(self: &Arc<Self>, reason: Reason) {
        // From before the turn is looked at, so that an end right after it is not missed.
        let mut ended = self.ended.subscribe();
        if !self.take_turn(reason) {
            return;
        }
        // The sender is this source's own: there is always an end.
        let _ = ended.changed().await;
    }

    /// Whether a fetch runs now, begun here or before.
    fn take_turn(self: &Arc<Self>, reason: Reason) -> bool {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.running {
            return true;
        }
        if reason == Reason::UnknownKey {
            if turn.asked.is_some_and(|asked| asked.elapsed() < ASKED_INTERVAL_MIN) {
                return false;
            }
            turn.asked = Some(Instant::now());
        }
        turn.running = true;
        let end = End(self.clone());
        tokio::spawn(async move { end.0.run().await });
        true
    }

    async fn run(&self) {
        let answer = self.body().await.and_then(|text| KeySet::read(&text, &self.algorithms));
        let issuer = &self.issuer;
        match answer {
            Ok(read) => {
                let count = read.keys.len();
                if count != self.fetched.load().keys.len() || self.fetched.load().at.is_none() {
                    let left_out = read.unusable.len();
                    let why = read.unusable.first().map(|why| why.text());
                    tracing::info!(issuer, keys = count, left_out, why, "key set fetched");
                }
                self.fetched.store(Arc::new(Fetched { keys: Arc::new(read.keys), at: Some(Instant::now()) }));
            }
            Err(error) => {
                let keys = self.keys().len();
                tracing::warn!(issuer, %error, keys, "the key set cannot be fetched; keys are kept for an hour");
            }
        }
    }

    async fn body(&self) -> Result<Vec<u8>, String> {
        // Neither the address nor what it answers is told: either may hold a secret.
        let told = |error: reqwest::Error| causes(&error.without_url());
        let mut response = self.client.get(self.url.clone()).send().await.map_err(told)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("the status is {}, not 200", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if body.len() + chunk.len() > FETCH_BYTES_MAX {
                return Err(format!("the key set is larger than {FETCH_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The end of a fetch, however it ends.
struct End(Arc<Source>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner).running = false;
        self.0.ended.send_modify(|ended| *ended += 1);
    }
}

/// The address, if what comes from it can be trusted.
fn checked(address: &str) -> Result<Url, String> {
    let url =
        Url::parse(address).map_err(|error| format!("the address of the key set is no URL: {error}"))?;
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_local = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_local => {}
        _ => return Err("a key set is fetched over https, or over http from this host".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address of a key set has no user and no password".to_owned());
    }
    Ok(url)
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
