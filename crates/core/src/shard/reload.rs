//! Settings that change while the node runs.

use std::sync::Arc;

use fanfare_protocol::ErrorCode;

use super::{Settings, Shard};
use crate::session::SessionKey;

impl Shard {
    /// Puts other settings in force for every decision from now on, and looks again at what sessions already have.
    ///
    /// Sessions whose credential the authority no longer accepts are closed. Subscriptions that the rules no longer allow
    /// end. A limit that is lower than before closes nobody and takes no subscription away: what is above it stays.
    pub fn reload(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
        for (_, channel) in &mut self.channels {
            // Where the namespace is gone, its last settings serve until the subscriptions below have ended.
            if let Some(namespace) = self.settings.namespaces.get(channel.topic.namespace()) {
                channel.namespace = namespace.clone();
            }
        }
        let keys: Vec<u32> = self.sessions.iter().map(|(key, _)| key as u32).collect();
        for key in keys {
            self.look_again(SessionKey(key));
        }
    }

    fn look_again(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let identity = &session.opening.identity;
        let revoked = identity.standing.as_deref().is_some_and(|standing| {
            standing.key.is_some() && self.authority.is_revoked(identity.user.as_ref(), standing)
        });
        if revoked {
            return self.expel(key, ErrorCode::TokenRevoked);
        }
        self.end_subscriptions_no_longer_allowed(key, ErrorCode::PermissionDenied);
    }
}
