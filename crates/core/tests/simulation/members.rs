//! Who is in the watched channel in truth, told from the sessions themselves, and what an observer was told.

use fanfare_core::session::Phase;
use fanfare_testkit::Bench;
use fanfare_testkit::bench::opening;
use fanfare_testkit::history::{History, Operation};
use fanfare_testkit::script;

/// The observer's number among the actors.
const OBSERVER: u32 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Present,
    /// Gone without a word; a member until then.
    Grace(u64),
}

/// The true members of one channel.
pub(crate) struct Members {
    channel: &'static str,
    grace_ms: u64,
    states: Vec<State>,
    observer: usize,
}

impl Members {
    /// Opens an observer on a lane, which wants none of the messages and reads at once.
    pub(crate) fn watch(
        bench: &mut Bench,
        channel: &'static str,
        lane: u8,
        grace_ms: u64,
        actors: usize,
    ) -> Self {
        let observer = bench.open(&format!("observer of {channel}"), 0, opening(lane, None), false);
        let subscribe = script::command(&format!("subscribe {channel} filter=none:none"), &bench.epochs);
        bench.command(observer, subscribe);
        bench.settle();
        Self { channel, grace_ms, states: vec![State::Absent; actors], observer }
    }

    /// To be called after everything that may have changed a member; `deliberate` says whether the actor at that
    /// index left by a word of its own.
    pub(crate) fn look(
        &mut self,
        bench: &mut Bench,
        clients: &[Option<usize>],
        deliberate: Option<usize>,
        history: &mut History,
    ) {
        let now_ms = bench.now_ms();
        for (actor, client) in clients.iter().enumerate() {
            let here = client.is_some_and(|client| is_subscribed(bench, client, self.channel));
            let next = match (self.states[actor], here) {
                (_, true) => State::Present,
                (State::Present, false) if deliberate == Some(actor) => State::Absent,
                (State::Present, false) => State::Grace(now_ms + self.grace_ms),
                (State::Grace(until_ms), false) if until_ms <= now_ms => State::Absent,
                (state, false) => state,
            };
            let (was, is) = (self.states[actor] != State::Absent, next != State::Absent);
            if was != is {
                history.add(actor as u32, Operation::Transition { joined: is }, self.channel);
            }
            self.states[actor] = next;
        }
        for line in bench.clients[self.observer].take_lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [word @ ("joined" | "left"), _, member] = words[..] else { continue };
            // Its own coming, where it hears of it.
            if !member.starts_with('u') {
                continue;
            }
            let user = member.trim_start_matches('u').split('*').next().and_then(|user| user.parse().ok());
            let joined = word == "joined";
            history.add(OBSERVER, Operation::Told { joined }, self.channel).by(user.unwrap_or(u32::MAX));
        }
    }

    /// Sends the observer away.
    pub(crate) fn end(&self, bench: &mut Bench) {
        assert!(bench.clients[self.observer].key.is_some(), "the observer was not there all the time");
        let unsubscribe = script::command(&format!("unsubscribe {}", self.channel), &bench.epochs);
        bench.command(self.observer, unsubscribe);
        bench.settle();
    }
}

fn is_subscribed(bench: &Bench, client: usize, channel: &str) -> bool {
    let client = &bench.clients[client];
    let shard = &bench.shards[client.shard];
    client
        .key
        .filter(|key| shard.phase(*key) == Phase::Open)
        .and_then(|key| shard.session(key))
        .is_some_and(|session| shard.topics(session).any(|topic| topic.as_str() == channel))
}
