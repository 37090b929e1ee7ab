//! Who may connect to a node: the settings, and what becomes of them when it starts.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fanfare_auth::Verifier;
use fanfare_auth::settings::TOKEN_BYTES_MAX;
use fanfare_core::auth::Operations;
use fanfare_core::ports::application::Peer;
use fanfare_core::ports::broker::Inboxes;
use fanfare_core::shard::Settings;
use fanfare_protocol::command::Topic;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::Builder;
use crate::admission::users::Users;
use crate::authority::{Outcomes, Parts, ServerAuthority};
use crate::clock::unix_ms;
use crate::config::{AuthErrors, AuthMode};
use crate::handlers::{Refused, Running};
use crate::handshake::AuthRules;
use crate::network::csrf::CsrfRule;
use crate::revocations::{RevocationSettings, Revocations};

/// How often users and revocations are looked at that need not be remembered any more.
const FORGET_INTERVAL: Duration = Duration::from_secs(1);

/// The settings.
#[derive(Default)]
pub(super) struct Authentication {
    mode: AuthMode,
    verifier: Option<Verifier>,
    cookie: Option<Arc<str>>,
    csrf: CsrfRule,
    errors: AuthErrors,
    revocations: RevocationSettings,
}

/// What surrounds them in a node.
pub(super) struct Around<'a> {
    pub(super) settings: &'a Settings,
    pub(super) application: Arc<Running>,
    pub(super) runtime: Handle,
    pub(super) timeout: Duration,
    pub(super) inboxes: Arc<dyn Inboxes>,
}

/// What became of them.
pub(super) struct Started {
    pub(super) authority: ServerAuthority,
    pub(super) rules: AuthRules,
    pub(super) revocations: Arc<Revocations>,
    pub(super) outcomes: Arc<Outcomes>,
    pub(super) users: Arc<Users>,
    pub(super) verifier: Arc<watch::Sender<Option<Verifier>>>,
}

impl Builder {
    /// Takes the tokens that this verifier accepts, from connections that have to have one, or may.
    ///
    /// Without it there are no tokens, and connections are anonymous unless the connect handler says otherwise.
    /// [`AuthMode::Auto`] is [`AuthMode::Optional`] here: what it looks at is the configuration of a server.
    #[must_use]
    pub fn authentication(mut self, mode: AuthMode, verifier: Verifier) -> Self {
        self.authentication.mode = mode;
        self.authentication.verifier = Some(verifier);
        self
    }

    /// Believes `?user=` without a credential. Only for development and closed networks.
    #[must_use]
    pub fn open_user_ids(mut self, open: bool) -> Self {
        let mode = &mut self.authentication.mode;
        *mode = match *mode {
            _ if open => AuthMode::Open,
            AuthMode::Open => AuthMode::Auto,
            said => said,
        };
        self
    }

    /// Looks for tokens in the cookie with this name too. One counts only together with a CSRF token: see
    /// [`check_csrf`](crate::network::csrf::check_csrf).
    #[must_use]
    pub fn auth_cookie(mut self, name: &str, csrf: CsrfRule) -> Self {
        self.authentication.cookie = (!name.is_empty()).then(|| name.into());
        self.authentication.csrf = csrf;
        self
    }

    /// Sets how a WebSocket hears that its token is not good, where its client does not say it with `?errors=`.
    #[must_use]
    pub fn auth_errors(mut self, errors: AuthErrors) -> Self {
        self.authentication.errors = errors;
        self
    }

    /// Sets how revocations are remembered. Without a file they are forgotten when the node ends.
    #[must_use]
    pub fn revocations(mut self, settings: RevocationSettings) -> Self {
        self.authentication.revocations = settings;
        self
    }

    /// Decides about subscriptions that neither the namespace's rules nor a token allow: what may be done with the
    /// channel or pattern, for as long as the connection lasts.
    #[must_use]
    pub fn on_subscribe<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(Peer, Topic) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Operations, Refused>> + Send + 'static,
    {
        self.handlers.subscribe = Some(Arc::new(move |peer, topic| Box::pin(handler(peer, topic))));
        self
    }
}

impl Authentication {
    /// How revocations are remembered: not for less time than tokens are taken.
    fn remembered(&self) -> RevocationSettings {
        let taken = self.verifier.as_ref().map_or(Duration::ZERO, |verifier| verifier.rules().lifetime_max);
        let lifetime_max = self.revocations.lifetime_max.max(taken);
        RevocationSettings { lifetime_max, ..self.revocations.clone() }
    }

    pub(super) fn start(self, around: Around<'_>) -> io::Result<Started> {
        let revocations = Revocations::open(&self.remembered(), unix_ms()).map_err(io::Error::other)?;
        let revocations = Arc::new(revocations);
        let settings = around.settings;
        let users = Users::new(settings.limits.connections_per_user_max, settings.rate_limits.user);
        let outcomes = Arc::new(Outcomes::default());
        let shared = Arc::new(watch::Sender::new(self.verifier.clone()));
        let authority = ServerAuthority::new(Parts {
            verifier: shared.clone(),
            revocations: revocations.clone(),
            users: users.clone(),
            outcomes: outcomes.clone(),
            application: around.application,
            runtime: around.runtime,
            timeout: around.timeout,
            inboxes: around.inboxes,
        });
        let verifier = self.verifier.as_ref();
        let token_bytes_max = verifier.map_or(TOKEN_BYTES_MAX, |verifier| verifier.rules().bytes_max);
        let Self { mode, cookie, csrf, errors, .. } = self;
        let rules = AuthRules { mode, cookie, csrf, errors, token_bytes_max };
        Ok(Started { authority, rules, revocations, outcomes, users, verifier: shared })
    }
}

impl Started {
    /// Fetches the keys of issuers who have an address, again and again.
    pub(super) fn keep_keys_fresh(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut current = self.verifier.subscribe();
        async move {
            loop {
                let verifier = current.borrow_and_update().clone();
                let fresh = async {
                    if let Some(verifier) = verifier {
                        verifier.keep_fresh().await;
                    }
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    () = fresh => {}
                    // A reload has put another verifier in its place, or the node has ended.
                    changed = current.changed() => if changed.is_err() { return },
                }
            }
        }
    }

    /// Forgets, for ever, what has run out.
    pub(super) fn forget(&self) -> impl Future<Output = ()> + Send + 'static {
        let (users, revocations) = (self.users.clone(), self.revocations.clone());
        async move {
            let mut interval = tokio::time::interval(FORGET_INTERVAL);
            interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                interval.tick().await;
                users.evict();
                revocations.evict(unix_ms());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fanfare_auth::TokenRules;

    use super::*;

    /// Two settings of an application that embeds the server, of which it may have thought of one only.
    #[test]
    fn a_revocation_is_remembered_for_as_long_as_the_verifier_takes_tokens() {
        let remembered_days = |verifier_days: u64, revocation_days: u64| {
            let days = |days: u64| Duration::from_secs(days * 86_400);
            let rules = TokenRules { lifetime_max: days(verifier_days), ..TokenRules::default() };
            let revocations =
                RevocationSettings { lifetime_max: days(revocation_days), ..RevocationSettings::default() };
            let verifier = Verifier::new(Vec::new(), rules).ok();
            let authentication = Authentication { verifier, revocations, ..Authentication::default() };
            authentication.remembered().lifetime_max.as_secs() / 86_400
        };
        assert_eq!((remembered_days(90, 30), remembered_days(7, 30)), (90, 30));
    }
}
