//! The authority: finds out who the bearer of a token is and what they may do, on the runtime beside the shards.
//! The handshake asks it directly, a session through the engine's port; both get the same answers.
//!
//! - [`outcomes`]: what came of it, counted

mod outcomes;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use fanfare_auth::{TokenError, Verified, Verifier};
use fanfare_core::auth::{Grant, Identity, Standing};
use fanfare_core::ports::application::Peer;
use fanfare_core::ports::authority::{Asked, Authority, Finding, Matter, Place, Verdict};
use fanfare_core::ports::broker::{Delivery, Inboxes};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ErrorCode, UserId};
use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::admission::users::{Arriving, Users};
use crate::clock::unix_ms;
use crate::handlers::Running;
use crate::revocations::Revocations;
pub(crate) use outcomes::Outcomes;

/// Questions of sessions about tokens that may be open at a time. Beyond it: `overloaded`.
const TOKENS_ASKED_MAX: usize = 4096;

/// The same for the application's decisions: if it is slow, tokens must not wait for it.
const DECISIONS_ASKED_MAX: usize = 4096;

/// Why somebody is refused: a code, and a text for the client.
pub(crate) type Refused = (ErrorCode, String);

/// The authority of a node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ServerAuthority {
    /// None where no tokens are taken.
    verifier: Arc<watch::Sender<Option<Verifier>>>,
    revocations: Arc<Revocations>,
    users: Arc<Users>,
    outcomes: Arc<Outcomes>,
    application: Arc<Running>,
    runtime: Handle,
    timeout: Duration,
    inboxes: Arc<dyn Inboxes>,
    tokens: Arc<Semaphore>,
    decisions: Arc<Semaphore>,
}

/// What an authority is made of.
pub(crate) struct Parts {
    pub(crate) verifier: Arc<watch::Sender<Option<Verifier>>>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) users: Arc<Users>,
    pub(crate) outcomes: Arc<Outcomes>,
    pub(crate) application: Arc<Running>,
    pub(crate) runtime: Handle,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
    pub(crate) inboxes: Arc<dyn Inboxes>,
}

impl ServerAuthority {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { verifier, revocations, users, outcomes, application, runtime, timeout, inboxes } = parts;
        let tokens = Arc::new(Semaphore::new(TOKENS_ASKED_MAX));
        let decisions = Arc::new(Semaphore::new(DECISIONS_ASKED_MAX));
        Self {
            verifier,
            revocations,
            users,
            outcomes,
            application,
            runtime,
            timeout,
            inboxes,
            tokens,
            decisions,
        }
    }

    /// Who the bearer of a connection's token is.
    ///
    /// # Errors
    /// When the token is not accepted, was revoked, or could not be verified in time.
    pub(crate) async fn bearer(&self, token: &str) -> Result<Verified, Refused> {
        let found = self.verified(token).await;
        self.outcomes.count(found.as_ref().err().map(|(code, _)| *code));
        found
    }

    async fn verified(&self, token: &str) -> Result<Verified, Refused> {
        let Some(verifier) = self.verifier() else { return Err(plain(ErrorCode::AuthenticationDisabled)) };
        let verified = self.in_time(verifier.connection(token, unix_ms())).await?;
        if self.is_revoked(verified.user.as_ref(), &verified.standing) {
            return Err(plain(ErrorCode::TokenRevoked));
        }
        Ok(verified)
    }

    fn verifier(&self) -> Option<Verifier> {
        self.verifier.borrow().clone()
    }

    /// Whether the issuer and the key that stand behind a credential are still in force: a reload may have taken them away.
    fn trusts(&self, standing: &Standing) -> bool {
        let trusts = |key| self.verifier.borrow().as_ref().is_some_and(|verifier| verifier.trusts(key));
        standing.key.is_none_or(trusts)
    }

    /// A connection's place among those of its user.
    ///
    /// # Errors
    /// `user_limit`.
    pub(crate) fn place(&self, user: &UserId, arriving: Arriving) -> Result<Arc<dyn Place>, Refused> {
        self.users.place(user, arriving).map_err(plain)
    }

    /// Who a connection is that authenticates, or does so again, after its handshake.
    async fn identity(&self, peer: &Peer, token: &str) -> Result<Identity, Refused> {
        let found = self.identified(peer, token).await;
        self.outcomes.count(found.as_ref().err().map(|(code, _)| *code));
        found
    }

    async fn identified(&self, peer: &Peer, token: &str) -> Result<Identity, Refused> {
        let Verified { user, standing } = self.verified(token).await?;
        let arriving = match &peer.user {
            None => Arriving::Anew,
            Some(_) if user == peer.user => Arriving::Again,
            Some(_) => {
                let text =
                    "the token is not for the user that the connection has; open another connection for it";
                return Err((ErrorCode::AuthenticationFailed, text.to_owned()));
            }
        };
        let place = user.as_ref().map(|user| self.place(user, arriving)).transpose()?;
        Ok(Identity { user, standing: Some(Box::new(standing)), place })
    }

    /// What a subscription's token allows.
    async fn grant(&self, peer: &Peer, topic: &Topic, token: &str) -> Result<Grant, Refused> {
        let Some(verifier) = self.verifier() else { return Err(plain(ErrorCode::AuthenticationDisabled)) };
        let user = peer.user.as_ref();
        let grant = self.in_time(verifier.subscription(token, topic, user, unix_ms())).await?;
        let (token_id, issued_unix_ms) = (grant.token_id.clone(), grant.issued_unix_ms);
        let standing = Standing { token_id, issued_unix_ms, ..Standing::default() };
        if self.revocations.is_revoked(user, &standing) {
            return Err(plain(ErrorCode::TokenRevoked));
        }
        Ok(grant)
    }

    async fn in_time<T>(&self, verifying: impl Future<Output = Result<T, TokenError>>) -> Result<T, Refused> {
        match tokio::time::timeout(self.timeout, AssertUnwindSafe(verifying).catch_unwind()).await {
            Ok(Ok(found)) => found.map_err(|TokenError { code, text }| (code, text)),
            Ok(Err(_)) => Err(plain(ErrorCode::Internal)),
            Err(_) => {
                let text = "the token could not be verified in time: its issuer's keys do not arrive";
                Err((ErrorCode::Unavailable, text.to_owned()))
            }
        }
    }

    /// The answer to a question, whatever happens on the way to it.
    async fn verdict(&self, peer: Peer, matter: Matter) -> Verdict {
        let finding = async {
            match matter {
                Matter::Connection(token) => {
                    self.identity(&peer, token.expose()).await.map(Box::new).map(Finding::Identity)
                }
                Matter::SubscriptionToken(topic, token) => {
                    self.grant(&peer, &topic, token.expose()).await.map(Finding::Grant)
                }
                Matter::Subscription(topic) => {
                    self.application.subscription(peer, topic).await.map(Finding::Grant)
                }
            }
        };
        AssertUnwindSafe(finding).catch_unwind().await.unwrap_or_else(|_| Err(plain(ErrorCode::Internal)))
    }
}

/// A refusal in the words of the code table.
fn plain(code: ErrorCode) -> Refused {
    (code, code.text().to_owned())
}

impl Authority for ServerAuthority {
    fn takes_tokens(&self) -> bool {
        self.verifier.borrow().is_some()
    }

    fn decides_subscriptions(&self) -> bool {
        self.application.decides_subscriptions()
    }

    fn ask(&self, question: Asked) {
        let Asked { shard, ticket, peer, matter } = question;
        let asked = match &matter {
            Matter::Connection(_) | Matter::SubscriptionToken(..) => &self.tokens,
            Matter::Subscription(_) => &self.decisions,
        };
        let Ok(slot) = asked.clone().try_acquire_owned() else {
            let verdict = Err(plain(ErrorCode::Overloaded));
            return self.inboxes.push(shard, Delivery::Verdict(ticket, verdict));
        };
        let authority = self.clone();
        self.runtime.spawn(async move {
            let verdict = authority.verdict(peer, matter).await;
            authority.inboxes.push(shard, Delivery::Verdict(ticket, verdict));
            drop(slot);
        });
    }

    fn is_revoked(&self, user: Option<&UserId>, standing: &Standing) -> bool {
        self.revocations.is_revoked(user, standing) || !self.trusts(standing)
    }
}
