//! All calls and subscriptions of a client: what is said to the server and what is made of its words.
//!
//! It does no input or output. What it wants said is left in [`Table::texts`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_protocol::command::Topic;
use tokio::sync::broadcast;

use crate::entry::{Entry, Fate, Stage};
use crate::error::{Ending, Error};
use crate::event::{Event, Message, Subscribed};
use crate::notice::Notice;
use crate::options::CALLS_UNANSWERED_MAX;
use crate::order::{Order, Subscribe, Waiting};
use crate::words::{Answer, Call, Said, write};

/// Calls and subscriptions.
pub(crate) struct Table {
    /// Texts to be said, in order.
    pub(crate) texts: Vec<String>,
    ids: Arc<AtomicU64>,
    calls: HashMap<u64, Waiting<Answer>>,
    /// The subscribe calls without answer, and what they are for.
    subscribing: HashMap<u64, Topic>,
    entries: HashMap<Topic, Entry>,
    notices: broadcast::Sender<Notice>,
}

impl Table {
    pub(crate) fn new(ids: Arc<AtomicU64>, notices: broadcast::Sender<Notice>) -> Self {
        Self {
            texts: Vec::new(),
            ids,
            calls: HashMap::new(),
            subscribing: HashMap::new(),
            entries: HashMap::new(),
            notices,
        }
    }

    /// There is a connection: subscribe to what was subscribed to, from where it was left.
    pub(crate) fn connected(&mut self) {
        self.entries.retain(|_, entry| !entry.signals.dropped.load(Ordering::Acquire));
        for entry in self.entries.values_mut().filter(|entry| entry.stage == Stage::Paused) {
            if entry.signals.drained.swap(false, Ordering::AcqRel) {
                entry.stage = Stage::Asked;
            }
        }
        let topics: Vec<Topic> =
            self.entries.values().filter(|entry| entry.stage != Stage::Paused).map(topic_of).collect();
        topics.iter().for_each(|topic| self.ask(topic));
    }

    /// The connection is gone, and so are the answers to what was asked.
    pub(crate) fn disconnected(&mut self) {
        self.texts.clear();
        self.subscribing.clear();
        for (_, answer) in self.calls.drain() {
            // Whoever no longer waits needs no answer.
            let _ = answer.send(Err(Error::disconnected()));
        }
        for entry in self.entries.values_mut().filter(|entry| entry.stage == Stage::Live) {
            entry.stage = Stage::Asked;
        }
    }

    /// Does what a handle wants.
    pub(crate) fn order(&mut self, order: Order) {
        match order {
            Order::Say { text } => self.texts.push(text),
            Order::Call { id, text, answer } => self.call(id, text, answer),
            Order::Subscribe(subscribe) => self.subscribe(subscribe),
            Order::Unsubscribe { topic, answer } => {
                self.entries.remove(&topic);
                let id = self.ids.fetch_add(1, Ordering::Relaxed);
                if let Ok(text) = write(Some(id), &Call::Unsubscribe { topic: &topic }) {
                    self.call(id, text, answer);
                }
            }
        }
    }

    fn call(&mut self, id: u64, text: String, answer: Waiting<Answer>) {
        if answer.is_closed() {
            // The caller's time was over before it was its turn.
            return;
        }
        if self.calls.len() >= CALLS_UNANSWERED_MAX {
            self.calls.retain(|_, answer| !answer.is_closed());
            if self.calls.len() >= CALLS_UNANSWERED_MAX {
                let _ = answer.send(Err(Error::busy("too many calls wait for an answer")));
                return;
            }
        }
        self.calls.insert(id, answer);
        self.texts.push(text);
    }

    fn subscribe(&mut self, subscribe: Subscribe) {
        // The subscription that the same program has just dropped must not stand in the way.
        self.sweep();
        if subscribe.answer.is_closed() {
            return;
        }
        if self.entries.contains_key(&subscribe.topic) {
            let topic = subscribe.topic.as_str();
            let text = format!("this client is subscribed to {topic:?} already");
            let _ = subscribe.answer.send(Err(Error::invalid(text)));
            return;
        }
        let topic = subscribe.topic.clone();
        self.entries.insert(topic.clone(), Entry::new(subscribe));
        self.ask(&topic);
    }

    /// Sends a subscribe call for an entry.
    fn ask(&mut self, topic: &Topic) {
        let Some(entry) = self.entries.get_mut(topic) else { return };
        entry.stage = Stage::Asked;
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        entry.asked_by = id;
        let call = Call::Subscribe { topic, options: &entry.options, recover: entry.recover() };
        match write(Some(id), &call) {
            Ok(text) => {
                self.subscribing.insert(id, topic.clone());
                self.texts.push(text);
            }
            Err(error) => self.refused(topic, error),
        }
    }

    /// Looks after the readers' signals: those who are gone, and those who have caught up.
    pub(crate) fn sweep(&mut self) {
        let flagged = |flag: fn(&Entry) -> bool| -> Vec<Topic> {
            self.entries.values().filter(|entry| flag(entry)).map(topic_of).collect()
        };
        let gone = flagged(|entry| entry.signals.dropped.load(Ordering::Acquire));
        let drained = flagged(|entry| entry.signals.drained.swap(false, Ordering::AcqRel));
        gone.iter().for_each(|topic| self.leave(topic));
        for topic in drained {
            if self.entries.get(&topic).is_some_and(|entry| entry.stage == Stage::Paused) {
                self.ask(&topic);
            }
        }
    }

    /// Forgets a subscription and tells the server.
    fn leave(&mut self, topic: &Topic) {
        if let Some(entry) = self.entries.remove(topic)
            && entry.stage != Stage::Paused
        {
            self.say_unsubscribe(topic);
        }
    }

    fn say_unsubscribe(&mut self, topic: &Topic) {
        // It has an id so that a refusal is not taken for a complaint; nobody waits for the answer.
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        self.texts.extend(write(Some(id), &Call::Unsubscribe { topic }));
    }

    /// Takes in what the server said. An error ends the connection.
    pub(crate) fn hear(&mut self, said: Said) -> Result<(), Ending> {
        match said {
            Said::Message(message) => self.message(message),
            Said::Joined { channel, member } => self.tell(&channel, Event::Joined(member)),
            Said::Left { channel, member } => self.tell(&channel, Event::Left(member)),
            Said::Lagged { channel, dropped } => self.tell(&channel, Event::Lagged { dropped }),
            Said::Answer { id, answer } => self.answer(id, answer),
            Said::Ended(topic) => {
                if let Some(mut entry) = self.entries.remove(&topic) {
                    entry.tell(Event::Ended(None));
                }
            }
            Said::Complaint(error) => self.notice(Notice::Complaint(error)),
            Said::Disconnect(ending) => return Err(ending),
            Said::Other => {}
        }
        Ok(())
    }

    fn notice(&self, notice: Notice) {
        // Without a listener nobody is told.
        let _ = self.notices.send(notice);
    }

    fn message(&mut self, message: Message) {
        let Some(channel) = message.channel.clone() else { return self.notice(Notice::Message(message)) };
        let mut fates = Vec::new();
        for entry in self.entries.values_mut().filter(|entry| entry.covers(&channel)) {
            let fate = entry.message(message.clone());
            if fate != Fate::Done {
                fates.push((entry.topic.clone(), fate));
            }
        }
        fates.into_iter().for_each(|(topic, fate)| self.suffer(&topic, fate));
    }

    /// Tells the subscription of exactly this channel.
    fn tell(&mut self, channel: &str, event: Event) {
        let own =
            |entry: &&mut Entry| matches!(&entry.topic, Topic::Channel(name) if name.as_str() == channel);
        let Some(entry) = self.entries.values_mut().find(own) else { return };
        let (topic, fate) = (entry.topic.clone(), entry.tell(event));
        self.suffer(&topic, fate);
    }

    fn suffer(&mut self, topic: &Topic, fate: Fate) {
        match fate {
            Fate::Done => {}
            Fate::Gone => self.leave(topic),
            Fate::Full => {
                if let Some(entry) = self.entries.get_mut(topic) {
                    entry.pause();
                    self.say_unsubscribe(topic);
                }
            }
        }
    }

    fn answer(&mut self, id: u64, answer: Result<Answer, Error>) {
        if let Some(topic) = self.subscribing.remove(&id) {
            if self.entries.get(&topic).is_none_or(|entry| entry.asked_by != id) {
                return;
            }
            return match answer {
                Ok(Answer::Subscribed(reply)) => self.subscribed(&topic, reply),
                Ok(_) => {}
                Err(error) => self.refused(&topic, error),
            };
        }
        if let Some(waiting) = self.calls.remove(&id) {
            // Whoever no longer waits needs no answer.
            let _ = waiting.send(answer);
        }
    }

    fn subscribed(&mut self, topic: &Topic, reply: Subscribed) {
        let Some(entry) = self.entries.get_mut(topic) else { return };
        let event = entry.subscribed(&reply);
        let fate = match (entry.answer.take(), event) {
            (Some(answer), _) => {
                let position = entry.position();
                if answer.send(Ok((reply, position))).is_ok() { Fate::Done } else { Fate::Gone }
            }
            (None, Some(event)) => entry.tell(event),
            (None, None) => Fate::Done,
        };
        self.suffer(topic, fate);
    }

    fn refused(&mut self, topic: &Topic, error: Error) {
        let Some(mut entry) = self.entries.remove(topic) else { return };
        match entry.answer.take() {
            Some(answer) => drop(answer.send(Err(error))),
            None => drop(entry.tell(Event::Ended(Some(error)))),
        }
    }
}

fn topic_of(entry: &Entry) -> Topic {
    entry.topic.clone()
}
