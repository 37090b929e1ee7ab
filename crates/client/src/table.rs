//! All calls and subscriptions of a client: what is said to the server and what is made of its words.
//!
//! It does no input or output. What it wants said is left in [`Table::texts`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_protocol::CloseCode;
use fanfare_protocol::command::{Secret, Topic};
use tokio::sync::broadcast;

use crate::entry::{Entry, Fate, Stage};
use crate::error::{Ending, Error};
use crate::event::{Event, Message, Subscribed};
use crate::notice::Notice;
use crate::options::CALLS_UNANSWERED_MAX;
use crate::order::{Order, Subscribe, Waiting};
use crate::token::Token;
use crate::words::{Answer, Call, Said, write};

/// Calls and subscriptions.
pub(crate) struct Table {
    /// Texts to be said, in order.
    pub(crate) texts: Vec<String>,
    /// Tokens to be asked for.
    pub(crate) wishes: Vec<Wish>,
    ids: Arc<AtomicU64>,
    calls: HashMap<u64, Waiting<Answer>>,
    /// The subscribe calls without answer, and what they are for.
    subscribing: HashMap<u64, Topic>,
    entries: HashMap<Topic, Entry>,
    /// The auth call without answer.
    authenticating: Option<u64>,
    /// Why the server does not take the client for anybody any more, as it said last.
    unauthenticated: Option<String>,
    notices: broadcast::Sender<Notice>,
}

/// A token that is wanted.
#[derive(Debug)]
pub(crate) enum Wish {
    /// The connection's own, within so many milliseconds.
    Connection { in_ms: u64 },
    /// A subscription's, for the call of this id.
    Subscription {
        topic: Topic,
        id: u64,
        token: Token,
        /// Whether a caller waits, who is told when there is none; otherwise it is asked for until there is one.
        caller_waits: bool,
    },
}

impl Table {
    pub(crate) fn new(ids: Arc<AtomicU64>, notices: broadcast::Sender<Notice>) -> Self {
        Self {
            texts: Vec::new(),
            wishes: Vec::new(),
            ids,
            calls: HashMap::new(),
            subscribing: HashMap::new(),
            entries: HashMap::new(),
            authenticating: None,
            unauthenticated: None,
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
        self.wishes.clear();
        self.subscribing.clear();
        self.authenticating = None;
        self.unauthenticated = None;
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

    /// Subscribes to an entry's topic, once its token is there.
    fn ask(&mut self, topic: &Topic) {
        let Some(entry) = self.entries.get_mut(topic) else { return };
        entry.stage = Stage::Asked;
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        entry.asked_by = id;
        match entry.options.token.clone() {
            Some(token) if token.is_provided() => {
                let (topic, caller_waits) = (topic.clone(), entry.answer.is_some());
                self.wishes.push(Wish::Subscription { topic, id, token, caller_waits });
            }
            token => self.say_subscribe(topic, id, token.as_ref().and_then(Token::known)),
        }
    }

    /// A subscription's token is there, or cannot be had.
    pub(crate) fn provided(&mut self, topic: &Topic, id: u64, token: Result<Secret, Error>) {
        if self.entries.get(topic).is_none_or(|entry| entry.asked_by != id || entry.stage != Stage::Asked) {
            return;
        }
        match token {
            Ok(token) => self.say_subscribe(topic, id, Some(&token)),
            Err(error) => self.refused(topic, error),
        }
    }

    /// Sends a subscribe call for an entry.
    fn say_subscribe(&mut self, topic: &Topic, id: u64, token: Option<&Secret>) {
        let Some(entry) = self.entries.get(topic) else { return };
        let call = Call::Subscribe { topic, options: &entry.options, recover: entry.recover(), token };
        match write(Some(id), &call) {
            Ok(text) => {
                self.subscribing.insert(id, topic.clone());
                self.texts.push(text);
            }
            Err(error) => self.refused(topic, error),
        }
    }

    /// Sends the connection's next token.
    pub(crate) fn authenticate(&mut self, token: &Secret) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        if let Ok(text) = write(Some(id), &Call::Authenticate { token }) {
            self.authenticating = Some(id);
            self.texts.push(text);
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
            Said::Ended(topic, why) => self.ended(&topic, why),
            Said::Expiring { in_ms } => {
                self.wishes.push(Wish::Connection { in_ms });
                self.notice(Notice::Expiring { in_ms });
            }
            Said::Complaint(error) => self.complaint(error),
            Said::Disconnect(ending) => return Err(ending),
            Said::Other => {}
        }
        Ok(())
    }

    fn ended(&mut self, topic: &Topic, why: Option<Error>) {
        let Some(entry) = self.entries.get_mut(topic) else { return };
        if let Some(why) = &why
            && entry.may_renew(why)
        {
            // One whose reader has too much to read asks when that has changed.
            if entry.stage != Stage::Paused {
                self.ask(topic);
            }
            return;
        }
        if let Some(mut entry) = self.entries.remove(topic) {
            entry.tell(Event::Ended(why));
        }
    }

    fn complaint(&mut self, error: Error) {
        if error.is_unauthenticated() {
            self.unauthenticated = Some(error.to_string());
        }
        self.notice(Notice::Complaint(error));
    }

    /// The close code for all that can be wrong with a token is one; the error ahead of it says which it was.
    pub(crate) fn explained(&mut self, mut ending: Ending) -> Ending {
        if ending.code == CloseCode::Unauthenticated.number()
            && let Some(why) = self.unauthenticated.take()
        {
            ending.reason = why;
        }
        ending
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
        if self.authenticating == Some(id) {
            self.authenticating = None;
            return match answer {
                Ok(Answer::Authenticated { user, expires_in_ms }) => {
                    self.notice(Notice::Authenticated { user, expires_in_ms });
                }
                Ok(_) => {}
                // The connection is kept for as long as its last token is good.
                Err(error) => self.notice(Notice::Complaint(error)),
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
