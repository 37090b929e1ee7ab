//! Who is there: the first message that says so, newer tokens, and the end of one.

use fanfare_protocol::command::Secret;
use fanfare_protocol::{CloseCode, ErrorCode, Event, RequestId};

use super::{Authentication, SessionKey};
use crate::auth::Identity;
use crate::ports::authority::{Asked, Finding, Matter, Verdict};
use crate::ports::broker::{ReplyTo, Request};
use crate::shard::{Question, Shard};

impl Shard {
    /// The session has sent a message.
    pub(crate) fn spoke(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key.0 as usize)
            && session.authentication == Authentication::Fresh
        {
            session.authentication = Authentication::Done;
        }
    }

    /// Asks the authority who the bearer of a token is.
    pub(crate) fn authenticate(&mut self, key: SessionKey, id: Option<RequestId>, token: Secret) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if !self.authority.takes_tokens() {
            return self.fail(key, id.as_ref(), ErrorCode::AuthenticationDisabled);
        }
        session.authentication = match session.authentication {
            Authentication::Awaited => Authentication::Verifying,
            Authentication::Fresh | Authentication::Done => Authentication::Refreshing,
            Authentication::Verifying | Authentication::Refreshing => {
                return self.fail(key, id.as_ref(), ErrorCode::TooManyRequestsInFlight);
            }
        };
        let peer = session.peer();
        let ticket = self.ask(key, id, Question::Authenticate);
        self.authority.ask(Asked { shard: self.id, ticket, peer, matter: Matter::Connection(token) });
    }

    /// The authority's answer.
    pub(crate) fn authenticated(&mut self, key: SessionKey, id: Option<&RequestId>, verdict: Verdict) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let is_first = session.authentication == Authentication::Verifying;
        session.authentication = if is_first { Authentication::Awaited } else { Authentication::Done };
        let outcome = match verdict {
            Ok(Finding::Identity(identity)) => self.take_identity(key, *identity),
            Ok(Finding::Grant(_)) => Err((ErrorCode::Internal, ErrorCode::Internal.text().to_owned())),
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(()) => {
                let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
                session.authentication = Authentication::Done;
                let user = session.opening.identity.user.clone();
                let expires_in_ms = self.expires_in_ms(key);
                self.send(key, &Event::Authenticated { id, user: user.as_ref(), expires_in_ms });
                self.end_subscriptions_no_longer_allowed(key, ErrorCode::PermissionDenied);
                if is_first {
                    self.welcome(key);
                }
            }
            Err((code, text)) => {
                self.fail_with(key, id, code, &text);
                // A newer token that is no good leaves the old one in force; without any there is nothing to stay for.
                if is_first {
                    self.close(key, close_of(code), None);
                }
            }
        }
    }

    /// Tells a session that the token which came with its request was accepted, where its dialect has a form for it. A
    /// client need not know by which road its token went: it waits for the same event.
    pub(crate) fn confirm_token(&mut self, key: SessionKey) {
        let Some(session) = self.session(key) else { return };
        if !session.opening.by_token || !self.lanes.habits(session.opening.lane).confirms_tokens {
            return;
        }
        let user = session.opening.identity.user.clone();
        let expires_in_ms = self.expires_in_ms(key);
        self.send(key, &Event::Authenticated { id: None, user: user.as_ref(), expires_in_ms });
    }

    fn take_identity(&mut self, key: SessionKey, identity: Identity) -> Result<(), (ErrorCode, String)> {
        let refuse = |text: &str| Err((ErrorCode::AuthenticationFailed, text.to_owned()));
        if identity
            .standing
            .as_deref()
            .is_some_and(|standing| self.authority.is_revoked(identity.user.as_ref(), standing))
        {
            return Err((ErrorCode::TokenRevoked, ErrorCode::TokenRevoked.text().to_owned()));
        }
        // It was good when it was verified; until the next look at the clock it would be in force again.
        if self.has_expired(identity.expires_unix_ms()) {
            return Err((ErrorCode::TokenExpired, ErrorCode::TokenExpired.text().to_owned()));
        }
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return Ok(()) };
        let (old, new) = (session.opening.identity.user.clone(), identity.user.clone());
        match (&old, &new) {
            (Some(old), new) if new.as_ref() != Some(old) => {
                return refuse("the token is for another user than the connection's");
            }
            (None, Some(_)) if !session.subscriptions.is_empty() => {
                return refuse("an anonymous connection has to authenticate before it subscribes");
            }
            _ => {}
        }
        session.opening.identity = identity;
        if let (None, Some(user)) = (old, new) {
            self.enter_user(key, user);
        }
        self.begin_token(key);
        Ok(())
    }

    /// Notes that a user has one more session here.
    pub(crate) fn enter_user(&mut self, key: SessionKey, user: fanfare_protocol::UserId) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let connection = session.id;
        self.by_user.entry(user.clone()).or_default().push(key.0);
        self.broker.submit(Request::UserOpened(user, connection), ReplyTo::Nobody);
    }

    /// Ends a session whose credential is no longer good, and says why.
    pub(crate) fn expel(&mut self, key: SessionKey, code: ErrorCode) {
        self.turn_away(key, code, code.text());
    }

    /// Ends a session whose credential is not good, and says why, as after a first message with it.
    pub(crate) fn turn_away(&mut self, key: SessionKey, code: ErrorCode, text: &str) {
        self.fail_with(key, None, code, text);
        self.close(key, close_of(code), None);
    }
}

/// How a connection ends that could not authenticate, or no longer can.
fn close_of(code: ErrorCode) -> CloseCode {
    match code {
        ErrorCode::UserLimit => CloseCode::ConnectionLimit,
        // It is not the token's fault: the same one may be good in a moment.
        code if code.retry() => CloseCode::TryAgainLater,
        _ => CloseCode::Unauthenticated,
    }
}
