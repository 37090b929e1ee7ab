//! Who may: what a connection is allowed to do with a channel.
//!
//! Three things decide, and nothing else does: the namespace's [`Rules`], the channel's name ([`Privacy`]), and the
//! [`Grant`]s that the connection holds from its token, from a subscription's token, or from the application.
//! The decision is made anew for every command. Nothing is cached, and so no cache can be keyed by too little.
//!
//! - [`rules`]: what a namespace says
//! - [`grant`]: what a connection was given
//! - [`decision`]: the two together

pub(crate) mod decision;
mod grant;
mod rules;

use std::sync::Arc;

use fanfare_protocol::{Payload, UserId};

pub use decision::{Denial, Needs, decide};
pub use grant::{Grant, Operation, Operations, Scope};
pub use rules::{Access, Privacy, Rules};

use crate::ports::authority::Place;

/// Who a connection is, as its credential or the application says.
#[derive(Clone, Default)]
pub struct Identity {
    /// The user; none while anonymous.
    pub user: Option<UserId>,
    /// What else the credential says; none where there is nothing.
    pub standing: Option<Box<Standing>>,
    /// The connection's place among those of its user; given back when the last copy is dropped.
    pub place: Option<Arc<dyn Place>>,
}

/// What a credential says beside the user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// The user's name, for people.
    pub name: Option<Arc<str>>,
    /// What the user is.
    pub roles: Box<[Box<str>]>,
    /// What other members see beside this one, unless it says something else when it subscribes.
    pub info: Option<Payload>,
    /// What the connection may do beyond the namespaces' rules.
    pub grants: Vec<Grant>,
    /// The credential's own id, by which it can be revoked.
    pub token_id: Option<Box<str>>,
    /// When the credential was issued, in milliseconds of Unix time.
    pub issued_unix_ms: Option<u64>,
    /// When it ends, in milliseconds of Unix time; the connection ends with it.
    pub expires_unix_ms: Option<u64>,
    /// The issuer's key that signed the credential, as the authority numbers keys; none where nothing signed it.
    pub key: Option<u64>,
}

impl Identity {
    /// A user, and nothing else known of them.
    pub fn of(user: UserId) -> Self {
        Self { user: Some(user), ..Self::default() }
    }

    /// The same with these roles.
    #[must_use]
    pub fn with_roles<R: AsRef<str>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        let roles = roles.into_iter().map(|role| role.as_ref().into()).collect();
        self.standing.get_or_insert_default().roles = roles;
        self
    }

    /// The same with one more grant.
    #[must_use]
    pub fn with_grant(mut self, grant: Grant) -> Self {
        self.standing.get_or_insert_default().grants.push(grant);
        self
    }

    /// The user's name for people.
    pub fn name(&self) -> Option<&Arc<str>> {
        self.standing.as_deref().and_then(|standing| standing.name.as_ref())
    }

    /// What the user is.
    pub fn roles(&self) -> &[Box<str>] {
        self.standing.as_deref().map_or(&[], |standing| &standing.roles)
    }

    /// What the connection may do beyond the namespaces' rules.
    pub fn grants(&self) -> &[Grant] {
        self.standing.as_deref().map_or(&[], |standing| &standing.grants)
    }

    /// When the credential ends, in milliseconds of Unix time.
    pub fn expires_unix_ms(&self) -> Option<u64> {
        self.standing.as_deref().and_then(|standing| standing.expires_unix_ms)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("user", &self.user).field("standing", &self.standing).finish()
    }
}
