//! The end of a run: everybody comes back and rests, what is left is written down, and everything goes.

use std::sync::Arc;

use fanfare_core::ports::broker::{Reply, Request};
use fanfare_protocol::command::HistoryRange;
use fanfare_testkit::Bench;
use fanfare_testkit::history::{History, Operation};
use fanfare_testkit::lane::UNIX_BEGIN_MS;
use fanfare_testkit::script;

use super::{CHANNELS, GRACE_MS, LONG_SIZE, LOUD, SOFT, World, number, place_of};

impl World {
    /// All sockets read, all clients come back, everything rests; then everything goes.
    pub(crate) fn finish(&mut self) {
        for shard in 0..self.bench.shards.len() {
            self.bench.hold(shard, false);
        }
        self.calm = true;
        while !self.revoking.is_empty() {
            self.send_revocation();
        }
        self.rest();
        for _ in 0..3 {
            for actor in 0..self.actors.len() {
                self.connect(actor);
                let Some(client) = self.actors[actor].client else { continue };
                self.bench.give_room(client, usize::MAX);
            }
            self.rest();
            self.wait(15_000);
        }
        let away: Vec<usize> = (0..self.actors.len()).filter(|a| self.actors[*a].client.is_none()).collect();
        assert!(away.is_empty(), "{away:?} cannot come back");
        self.members.iter().for_each(|members| members.end(&mut self.bench));
        self.guests.end(&mut self.bench);
        self.note_end();
        self.bench.end();
        for actor in 0..self.actors.len() {
            self.gone(actor);
        }
        note_held(&self.bench, &self.places, &mut self.history);
    }

    /// Everything that can be said is said, until nobody has an answer to it.
    fn rest(&mut self) {
        loop {
            let said = self.trace.len();
            self.expire(None);
            self.bench.settle();
            self.read();
            self.tell_found();
            if self.trace.len() == said {
                return;
            }
        }
    }

    fn wait(&mut self, ms: u64) {
        let end_ms = self.bench.now_ms() + ms;
        while self.bench.now_ms() < end_ms {
            let now_ms = self.bench.now_ms();
            let due_ms =
                self.permits.next_unix_ms().map_or(u64::MAX, |due| due.saturating_sub(UNIX_BEGIN_MS));
            // Often enough to see who went away before the time is up for which they count as members.
            let next_ms = due_ms.min(now_ms + GRACE_MS / 2);
            self.bench.wait(next_ms.clamp(now_ms + 1, end_ms) - now_ms);
            self.rest();
        }
    }

    fn note_end(&mut self) {
        for channel in CHANNELS {
            let name = script::channel(channel);
            let range = HistoryRange { since: None, limit: u32::MAX, reverse: false };
            if let Reply::History(page) = self.bench.ask(Request::History { channel: name.clone(), range }) {
                for publication in &page.publications {
                    let place = place_of(&format!(
                        "{}.{}",
                        self.bench.epochs.name(publication.position.epoch),
                        publication.position.offset
                    ));
                    let data = String::from_utf8_lossy(publication.data.bytes()).parse().unwrap_or(u64::MAX);
                    self.history
                        .add(u32::MAX, Operation::Keep, channel)
                        .at(place.epoch, place.offset)
                        .with(data);
                }
                let top = place_of(&format!(
                    "{}.{}",
                    self.bench.epochs.name(page.position.epoch),
                    page.position.offset
                ));
                let kept_min = channel.starts_with("long").then(|| u64::from(LONG_SIZE).min(top.offset));
                if !channel.starts_with("bare") {
                    self.history
                        .add(u32::MAX, Operation::Top { kept_min }, channel)
                        .at(top.epoch, top.offset);
                }
            }
            let Reply::Presence(members) =
                self.bench.ask(Request::Presence { channel: name, counts_only: false })
            else {
                continue;
            };
            for (actor, state) in self.actors.iter().enumerate() {
                let is_member = state.subs.get(channel).is_some_and(|sub| sub.live);
                if is_member && !channel.starts_with("bare") && channel != LOUD && channel != SOFT {
                    self.history.add(actor as u32, Operation::Transition { joined: true }, channel);
                }
            }
            let users =
                members.members.iter().map(|m| number(m.user.as_str().trim_start_matches('u')) as u32);
            self.history.add(u32::MAX, Operation::Members { users: users.collect() }, channel);
        }
    }
}

/// Writes down how much is held.
pub(super) fn note_held(bench: &Bench, places: &Arc<()>, history: &mut History) {
    let count = Arc::strong_count(places);
    history.add(u32::MAX, Operation::Held { count }, "places among users' connections");
    let held = bench.census().iter().map(|c| c.sessions + c.topics + c.users + c.questions).sum();
    history.add(u32::MAX, Operation::Held { count: held }, "held by shards");
    let broker = bench.broker.census();
    let count = broker.channels + broker.graces + broker.users_online + broker.history_bytes;
    history.add(u32::MAX, Operation::Held { count }, "held by the broker");
}
