//! Settings that change while the node runs.

use std::sync::Arc;

use fanfare_auth::Verifier;
use fanfare_core::auth::Access;
use fanfare_core::limits::{Limits, RateLimits};
use fanfare_core::namespace::Namespaces;
use fanfare_core::shard::Settings;

use super::Node;
use crate::inbox::Input;
use crate::network::origin::OriginPattern;

/// What a running node can take. The rest of its settings stays as it was started with.
pub(crate) struct Reload {
    pub(crate) namespaces: Namespaces,
    pub(crate) rate_limits: RateLimits,
    /// Of these only those that [`reloaded`] takes over.
    pub(crate) limits: Limits,
    pub(crate) users: Access,
    pub(crate) origins: Vec<OriginPattern>,
    pub(crate) verifier: Option<Verifier>,
}

impl Node {
    /// Puts other settings in force. Every step is one that cannot fail: what is wrong was found before.
    ///
    /// Each decision is made by the old settings or by the new ones; during the call some may still be made by the old.
    pub(crate) fn reload(&self, new: Reload) {
        let Reload { namespaces, rate_limits, limits, users, origins, verifier } = new;
        let limits = reloaded(&self.settings.limits, &limits);
        let namespaces = Arc::new(namespaces);
        self.door.network.set_origins(origins);
        self.door.admission.set_limits(limits.clone());
        self.users.set(limits.connections_per_user_max, rate_limits.user);
        // Before the shards look for credentials that are not trusted any more: what is verified from now on is verified
        // by the new keys, and what was verified before is found by the shards.
        if let Some(verifier) = verifier {
            self.verifier.send_replace(Some(verifier));
        }
        let settings = Settings {
            limits,
            rate_limits,
            users,
            namespaces: namespaces.clone(),
            ..(*self.settings).clone()
        };
        let settings = Arc::new(settings);
        self.door.inboxes.to_all(|| Input::Reload(settings.clone()));
        self.fanfare.set_namespaces(&namespaces);
    }

    /// What verifies tokens now.
    pub(crate) fn verifier(&self) -> Option<Verifier> {
        self.verifier.borrow().clone()
    }
}

/// The limits that change while the node runs. The others are built into buffers, the broker or the listeners.
fn reloaded(old: &Limits, new: &Limits) -> Limits {
    Limits {
        connections_max: new.connections_max,
        connections_per_ip_max: new.connections_per_ip_max,
        connections_per_user_max: new.connections_per_user_max,
        subscriptions_per_connection_max: new.subscriptions_per_connection_max,
        requests_in_flight_max: new.requests_in_flight_max,
        outbox_bytes_max: new.outbox_bytes_max,
        resume_bytes_max: new.resume_bytes_max,
        ..old.clone()
    }
}
