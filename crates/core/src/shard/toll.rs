//! What commands cost, and which may be given by a client that has not said yet who it is.

use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::event::ErrorEvent;
use fanfare_protocol::{CloseCode, Command, ErrorCode, Event, Rejection, RequestId};

use super::Shard;
use crate::limits::{Costs, Excess};
use crate::rate::TooMuch;
use crate::session::{Authentication, Phase, SessionKey};
use crate::timers::TimerKind;

impl Shard {
    /// Takes what a message costs from the rates; false when it is too much, and the client has been told.
    pub(super) fn spend_on(&mut self, key: SessionKey, command: &Result<Command, Rejection>) -> bool {
        let (id, cost) = match command {
            Ok(command) => (command.id(), cost_of(command, &self.settings.rate_limits.costs)),
            Err(rejection) => (rejection.id.as_ref(), self.settings.rate_limits.costs.other),
        };
        match self.spend(key, cost) {
            Ok(()) => true,
            Err(too_much) => {
                self.refuse(key, id, too_much);
                false
            }
        }
    }

    /// The same for a ping of the transport, which no error can answer. Of those that are too much the newest is answered
    /// later: RFC 6455, section 5.5.3, lets the others be passed over.
    pub(super) fn spend_on_ping(&mut self, key: SessionKey, payload: &[u8]) -> bool {
        let Err(too_much) = self.spend(key, self.settings.rate_limits.costs.ping) else {
            self.owed_pongs.remove(&key.0);
            return true;
        };
        if self.owed_pongs.insert(key.0, payload.into()).is_none() {
            self.after(key, TimerKind::OwedPong, u64::from(too_much.retry_after_ms));
        }
        self.counters.error(ErrorCode::RateLimited);
        self.close_if_relentless(key);
        false
    }

    /// Takes what a pong of the transport costs from the rates. The answer to our own ping is free; any other frame of
    /// this kind costs what a ping costs, and nothing can answer it.
    pub fn pong_received(&mut self, key: SessionKey) {
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if session.phase != Phase::Open {
            return;
        }
        if session.heard_ms < session.pinged_ms {
            // One ping has one answer.
            session.heard_ms = now_ms;
            return;
        }
        if self.spend(key, self.settings.rate_limits.costs.ping).is_err() {
            self.counters.error(ErrorCode::RateLimited);
            self.close_if_relentless(key);
        }
    }

    /// Answers the ping that was too much, or waits on. The client has asked for nothing meanwhile, so it counts for
    /// nothing if that is still too much.
    pub(super) fn pong_owed(&mut self, key: SessionKey) {
        let Some(payload) = self.owed_pongs.remove(&key.0) else { return };
        match self.take(key, self.settings.rate_limits.costs.ping) {
            Ok(()) => self.answer_ping(key, &payload),
            Err(too_much) => {
                self.owed_pongs.insert(key.0, payload);
                self.after(key, TimerKind::OwedPong, u64::from(too_much.retry_after_ms));
            }
        }
    }

    fn spend(&mut self, key: SessionKey, cost: u32) -> Result<(), TooMuch> {
        // What costs nothing is always allowed, and makes up for nothing either.
        if cost == 0 {
            return Ok(());
        }
        let spent = self.take(key, cost);
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return Ok(()) };
        session.refused = match spent {
            // Who floods is served now and then all the same, and must not begin anew each time.
            Ok(()) => session.refused.saturating_sub(1),
            Err(_) => session.refused.saturating_add(1),
        };
        spent
    }

    fn take(&mut self, key: SessionKey, cost: u32) -> Result<(), TooMuch> {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return Ok(()) };
        let place = session.opening.identity.place.as_deref();
        let by_user = || place.map_or(Ok(()), |place| place.spend(cost));
        session.meter.spend(&self.settings.rate_limits, cost, self.now_ms, by_user)
    }

    fn refuse(&mut self, key: SessionKey, id: Option<&RequestId>, too_much: TooMuch) {
        self.put_off(key, id, ErrorCode::RateLimited, too_much.retry_after_ms);
        self.close_if_relentless(key);
    }

    /// Tells that a request failed now, and after how long it may be tried again.
    pub(super) fn put_off(
        &mut self,
        key: SessionKey,
        id: Option<&RequestId>,
        code: ErrorCode,
        retry_after_ms: u32,
    ) {
        self.counters.error(code);
        let retry_after_ms = Some(retry_after_ms);
        self.send(key, &Event::Error(ErrorEvent { id, code, text: code.text().into(), retry_after_ms }));
    }

    /// Ends the session of who goes on and on, or of anyone where the operator wants that.
    fn close_if_relentless(&mut self, key: SessionKey) {
        let limits = &self.settings.rate_limits;
        let refused = self.sessions.get(key.0 as usize).map_or(0, |session| session.refused);
        if limits.excess == Excess::Close || refused >= limits.refusals_max {
            self.close(key, CloseCode::RateLimited, None);
        }
    }

    /// Whether the client has to say who it is before it may ask for this.
    pub(super) fn is_premature(&self, key: SessionKey, command: &Command) -> bool {
        let awaited =
            |authentication| matches!(authentication, Authentication::Awaited | Authentication::Verifying);
        let at_once = matches!(
            command,
            Command::Authenticate { .. }
                | Command::Ping { .. }
                | Command::Heartbeat { .. }
                | Command::Pong
                | Command::Disconnect
        );
        !at_once && self.sessions.get(key.0 as usize).is_some_and(|session| awaited(session.authentication))
    }
}

/// What a command counts for, in thousandths of a message.
fn cost_of(command: &Command, costs: &Costs) -> u32 {
    match command {
        Command::Message { .. } | Command::Publish { .. } => costs.publish,
        Command::Subscribe { topic, options, .. } => cost_of_subscribing(topic, options, costs),
        Command::Unsubscribe { .. } => costs.subscribe,
        Command::History { .. } => costs.history,
        Command::Presence { .. } | Command::Users { .. } | Command::SetStatus { .. } => costs.presence,
        Command::Request { .. } | Command::Custom { .. } => costs.request,
        // Its signature is checked, whatever the operator lets other messages cost.
        Command::Authenticate { .. } => costs.other.max(costs.publish),
        Command::Connect { .. } => costs.other,
        Command::Ping { .. } | Command::Heartbeat { .. } | Command::Pong => costs.ping,
        // Who wants to go is not kept.
        Command::Disconnect => 0,
    }
}

fn cost_of_subscribing(topic: &Topic, options: &SubscribeOptions, costs: &Costs) -> u32 {
    let base = match topic {
        Topic::Channel(_) => costs.subscribe,
        // Each wildcard multiplies what matching may cost everybody who publishes.
        Topic::Pattern(pattern) => {
            let wildcards = pattern.as_str().bytes().filter(|byte| *byte == b'*').count() as u32;
            costs.subscribe.saturating_mul(1 + wildcards)
        }
    };
    // A filter is kept. `info` reaches every member as a message does. The signature of a token is checked.
    let brings_something = options.info.is_some() || options.filter.is_some() || options.token.is_some();
    if brings_something { base.max(costs.publish) } else { base }
}
