//! What the actors hear, and what they make of it.

use fanfare_testkit::history::{Operation, Outcome};

use super::{Actor, CHANNELS, FAILURES, World, number, place_of};

impl World {
    pub(super) fn hear(&mut self, actor: usize, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["message", channel, place, data] => self.hear_message(actor, channel, place, data),
            ["subscribed", id, _, "replayed=0"] => {
                // A newer token was taken.
                self.actors[actor].asking.remove(&number(id));
                self.answered(actor, number(id), true);
            }
            ["subscribed", id, channel, place, ..] => {
                self.answered(actor, number(id), true);
                self.hear_subscribed(actor, id, channel, place, line.contains("recovered=true"));
            }
            ["unsubscribed", id, channel] if id.starts_with('#') => self.hear_unsubscribed(actor, channel),
            ["unsubscribed", channel, _] => self.hear_unsubscribed(actor, channel),
            ["authenticated", id, ..] => {
                self.answered(actor, number(id), true);
                if std::mem::take(&mut self.actors[actor].is_unauthenticated) {
                    self.subscribe_to_all(actor);
                }
            }
            ["history", id, channel, ..] if id.starts_with('#') => {
                self.hear_history(actor as u32, channel, line);
            }
            ["published", id, place, ..] => {
                let Some(index) = self.actors[actor].publishing.remove(&number(id)) else { return };
                let now = self.history.records.len() as u64;
                let record = &mut self.history.records[index];
                (record.outcome, record.place, record.complete) = (Outcome::Ok, Some(place_of(place)), now);
            }
            ["lagged", channel, count] => {
                let count = number(count);
                self.history.add(actor as u32, Operation::Lagged { count }, channel);
            }
            ["error", id, code, ..] if id.starts_with('#') => self.hear_error(actor, number(id), code),
            ["joined" | "left", _, _] | ["disconnect" | "CLOSE" | "expiring" | "error", ..] => {}
            _ => panic!("an unexpected line: {line}"),
        }
    }

    /// A request that may have had a token is answered.
    fn answered(&mut self, actor: usize, id: u64, accepted: bool) {
        self.actors[actor].tokens.remove(&id);
        self.actors[actor].authenticating.take_if(|awaited| *awaited == id);
        self.permits.answered(actor, id, accepted);
        self.permits.note(&mut self.history);
    }

    fn hear_unsubscribed(&mut self, actor: usize, channel: &str) {
        let Actor { connection, subs, tokens, .. } = &mut self.actors[actor];
        self.history.add(actor as u32, Operation::End, channel).by(*connection);
        if let Some(sub) = subs.get_mut(channel) {
            sub.live = false;
            sub.active &= sub.asked.is_some();
        }
        if tokens.values().all(|asked| *asked != channel) {
            self.permits.left(actor, channel);
            self.permits.note(&mut self.history);
        }
    }

    fn hear_message(&mut self, actor: usize, channel: &str, place: &str, data: &str) {
        let (place, connection) = (place_of(place), self.actors[actor].connection);
        let payload = data.parse().unwrap_or(u64::MAX);
        let record = self.history.add(actor as u32, Operation::Deliver, channel);
        record.by(connection).at(place.epoch, place.offset).with(payload);
        if let Some(sub) = self.actors[actor].subs.get_mut(channel)
            && sub.position.is_none_or(|known| known.epoch != place.epoch || known < place)
        {
            sub.position = Some(place);
        }
    }

    fn hear_subscribed(&mut self, actor: usize, id: &str, channel: &str, place: &str, recovered: bool) {
        let (place, connection) = (place_of(place), self.actors[actor].connection);
        let Actor { subs, asking, .. } = &mut self.actors[actor];
        let Some((filter, since)) = asking.remove(&number(id)) else { panic!("{id} was not asked") };
        let Some(name) = CHANNELS.into_iter().find(|name| *name == channel) else {
            panic!("nobody asked for {channel}");
        };
        let sub = subs.entry(name).or_default();
        sub.asked.take_if(|asked| *asked == number(id));
        (sub.live, sub.active, sub.filter) = (true, true, filter);
        // What is replayed counts from when it comes; without a recovery the channel begins anew.
        if !recovered {
            sub.position = Some(place);
        }
        let lossy = channel.starts_with("soft") || channel.starts_with("last");
        let operation = Operation::Subscribe { filter, since, lossy };
        let record = self.history.add(actor as u32, operation, channel);
        record.by(connection).at(place.epoch, place.offset).recovered = since.map(|_| recovered);
    }

    fn hear_error(&mut self, actor: usize, id: u64, code: &str) {
        if let Some(index) = self.actors[actor].publishing.remove(&id) {
            assert!(FAILURES.contains(&code), "{code}");
            self.history.records[index].outcome = Outcome::Fail;
        }
        self.actors[actor].asking.remove(&id);
        self.answered(actor, id, false);
        let Actor { subs, leaving, .. } = &mut self.actors[actor];
        let left = leaving.remove(&id);
        for (channel, sub) in subs {
            if sub.asked == Some(id) || left == Some(*channel) && sub.asked.is_none() {
                (sub.asked, sub.active) = (None, sub.live);
            }
        }
    }
}
