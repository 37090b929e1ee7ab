//! The connection's end of a subscription: where it stands, and what its reader has yet to get.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fanfare_protocol::command::Topic;
use fanfare_protocol::{Epoch, Position};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use crate::error::Error;
use crate::event::{Event, Message, Subscribed};
use crate::options::SubscribeOptions;
use crate::order::{Subscribe, Waiting};
use crate::subscription::{Queued, Signals};
use crate::token::{TOKEN_HELD_MIN, Token};

/// Whether the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has been asked to, or will be once there is a connection. What still comes belongs to an earlier
    /// time and comes again.
    Asked,
    /// It does.
    Live,
    /// It was asked to stop, because the reader has too much to read.
    Paused,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in the queue, or nobody needed it.
    Done,
    /// The queue is full.
    Full,
    /// Nobody reads any more.
    Gone,
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) topic: Topic,
    pub(crate) options: SubscribeOptions,
    pub(crate) stage: Stage,
    /// When another token was last asked for because the server had ended the subscription with the old one.
    pub(crate) renewed_at: Option<Instant>,
    /// The call that it was last asked for by; answers to earlier ones mean an earlier subscription.
    pub(crate) asked_by: u64,
    /// Who waits for the first answer; none once it came.
    pub(crate) answer: Option<Waiting<(Subscribed, Option<Position>)>>,
    pub(crate) signals: Arc<Signals>,
    events: mpsc::Sender<Queued>,
    /// The place of the last message that was queued: what comes again from before it is a duplicate.
    position: Option<Position>,
    epoch: Option<Epoch>,
    /// Messages to come from before the last answer, and the place where they end.
    replayed: u32,
    newest: Option<Position>,
}

impl Entry {
    pub(crate) fn new(order: Subscribe) -> Self {
        Self {
            position: order.options.recover,
            topic: order.topic,
            options: order.options,
            stage: Stage::Asked,
            renewed_at: None,
            asked_by: 0,
            answer: Some(order.answer),
            signals: order.signals,
            events: order.events,
            epoch: None,
            replayed: 0,
            newest: None,
        }
    }

    /// From where the server is asked to go on.
    pub(crate) fn recover(&self) -> Option<Position> {
        self.position
    }

    /// The server's answer. Returns what has to be told, which is nothing the first time.
    pub(crate) fn subscribed(&mut self, reply: &Subscribed) -> Option<Event> {
        let first = self.answer.is_some();
        let asked = self.position.is_some();
        let recovered = reply.recovered == Some(true);
        self.stage = Stage::Live;
        self.epoch = reply.position.map(|position| position.epoch);
        self.newest = reply.position;
        self.replayed = reply.replayed;
        if !recovered {
            // Whatever was known of the place no longer counts.
            self.position = None;
        }
        if self.replayed == 0 {
            self.position = self.newest;
        }
        match (first, recovered) {
            (true, _) => None,
            (false, true) => Some(Event::Recovered),
            // Before the first message there was nothing to go on from, and nothing is missing.
            (false, false) if !asked && matches!(self.topic, Topic::Channel(_)) => None,
            (false, false) => Some(Event::Lost),
        }
    }

    /// The place the reader stands at before it has taken anything.
    pub(crate) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Whether messages of the channel belong here.
    pub(crate) fn covers(&self, channel: &str) -> bool {
        match &self.topic {
            Topic::Channel(name) => name.as_str() == channel,
            Topic::Pattern(pattern) => pattern.matches(channel),
        }
    }

    /// Queues a message, unless the reader has it already.
    pub(crate) fn message(&mut self, message: Message) -> Fate {
        if self.stage != Stage::Live {
            return Fate::Done;
        }
        let mut after = self.position;
        if let (Some(offset), Some(epoch)) = (message.offset, self.epoch) {
            if self.position.is_some_and(|position| position.epoch == epoch && offset <= position.offset) {
                return Fate::Done;
            }
            after = Some(Position { epoch, offset });
        }
        // Only numbered messages are counted.
        let left = self.replayed.saturating_sub(u32::from(message.offset.is_some()));
        if self.replayed == 1
            && message.offset.is_some()
            && self.newest.is_some_and(|newest| after.is_none_or(|after| after.offset < newest.offset))
        {
            // The last of the replayed ones: a filter may have left out those up to the newest.
            after = self.newest;
        }
        let fate = self.queue(Event::Message(message), after);
        if fate == Fate::Done {
            self.position = after;
            self.replayed = left;
        }
        fate
    }

    /// Queues anything else.
    pub(crate) fn tell(&mut self, event: Event) -> Fate {
        if self.stage == Stage::Live || matches!(event, Event::Ended(_)) {
            self.queue(event, self.position)
        } else {
            Fate::Done
        }
    }

    fn queue(&mut self, event: Event, position: Option<Position>) -> Fate {
        match self.events.try_send(Queued { event, position }) {
            Ok(()) => Fate::Done,
            Err(TrySendError::Full(_)) => Fate::Full,
            Err(TrySendError::Closed(_)) => Fate::Gone,
        }
    }

    /// Whether another token is worth asking for, now that the server has ended the subscription for this
    /// reason: not if it ended as soon after the last time.
    pub(crate) fn may_renew(&mut self, why: &Error) -> bool {
        let provided = self.options.token.as_ref().is_some_and(Token::is_provided);
        let held = self.renewed_at.is_none_or(|renewed| renewed.elapsed() >= TOKEN_HELD_MIN);
        if !(provided && held && why.is_unauthenticated()) {
            return false;
        }
        self.renewed_at = Some(Instant::now());
        true
    }

    /// The reader has too much to read.
    pub(crate) fn pause(&mut self) {
        self.stage = Stage::Paused;
        self.signals.paused.store(true, Ordering::Release);
    }
}
