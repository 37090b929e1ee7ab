//! Namespaces: what stands before the first colon of a channel's name, and the settings it brings.

use std::sync::Arc;

use foldhash::HashMap;

use crate::auth::Rules;

/// What happens to a subscriber whose outbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutboxPolicy {
    /// Close 4011: the client connects again and recovers. Nothing is lost where there is history.
    #[default]
    Disconnect,
    /// The oldest waiting messages of such channels go; the client gets a `lagged` event.
    DropOldest,
    /// A newer message replaces a waiting one of the same key; then as `DropOldest`.
    KeepLatest,
}

/// Whose own `info` other members get to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientInfo {
    /// Nobody's: only what a token says.
    Nobody,
    /// That of clients who may publish in the channel: it reaches every member as a message does.
    #[default]
    Publishers,
    /// Every subscriber's.
    Subscribers,
}

/// The settings of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Messages kept per channel; 0 keeps none.
    pub history_size: u32,
    /// How long a message is kept, in milliseconds; 0 is without end.
    pub history_ttl_ms: u64,
    /// Whether it is known who is in a channel.
    pub presence: bool,
    /// Whether members get join and leave events. Needs `presence`.
    pub join_leave: bool,
    /// How long a user who went away without saying so counts as a member.
    pub presence_grace_ms: u32,
    /// Whose own `info` other members get to see. That of others is ignored.
    pub client_info: ClientInfo,
    /// Whether a client's own `info` goes before that of its token.
    pub client_info_over_token: bool,
    /// Who may subscribe, publish, see history and see presence. The backend may everything.
    pub rules: Rules,
    /// Whether clients may subscribe by pattern.
    pub patterns: bool,
    /// The largest data of a client's message, in bytes; 0 leaves it to the bound on the message itself.
    pub data_bytes_max: usize,
    /// Messages that a subscriber gets first without asking: 1 is the last value.
    pub replay_on_subscribe: u32,
    /// What happens when a subscriber is too slow.
    pub outbox_policy: OutboxPolicy,
    /// How long an idempotency key is remembered, in milliseconds.
    pub idempotency_ttl_ms: u64,
    /// How large a part of the bound on the bytes of all histories is the namespace's own, beside the parts of the others;
    /// 0 is none, so that it holds only what others leave.
    pub history_share: u32,
}

impl Default for Namespace {
    fn default() -> Self {
        Self {
            history_size: 100,
            history_ttl_ms: 3_600_000,
            presence: true,
            join_leave: false,
            presence_grace_ms: 10_000,
            client_info: ClientInfo::default(),
            client_info_over_token: false,
            rules: Rules::default(),
            patterns: true,
            data_bytes_max: 0,
            replay_on_subscribe: 0,
            outbox_policy: OutboxPolicy::Disconnect,
            idempotency_ttl_ms: 300_000,
            history_share: 1,
        }
    }
}

/// All namespaces of a node.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    named: HashMap<Box<str>, Arc<Namespace>>,
    fallback: Arc<Namespace>,
    strict: bool,
}

impl Namespaces {
    /// Names without a namespace of their own get `fallback`; in a strict set only those without a colon do,
    /// and an unknown namespace is an error.
    pub fn new(fallback: Namespace, strict: bool) -> Self {
        Self { named: HashMap::default(), fallback: Arc::new(fallback), strict }
    }

    /// Adds or replaces one.
    pub fn insert(&mut self, name: &str, namespace: Namespace) {
        self.named.insert(name.into(), Arc::new(namespace));
    }

    /// Each that is configured, under its name; the one that others fall back to has the empty name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Arc<Namespace>)> {
        let named = self.named.iter().filter(|(name, _)| !name.is_empty());
        let fallback = self.named.get("").unwrap_or(&self.fallback);
        named.map(|(name, namespace)| (&**name, namespace)).chain([("", fallback)])
    }

    /// The settings of a namespace; none when it is unknown and the set is strict.
    pub fn get(&self, name: &str) -> Option<&Arc<Namespace>> {
        match self.named.get(name) {
            Some(namespace) => Some(namespace),
            None if self.strict && !name.is_empty() => None,
            None => Some(&self.fallback),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_namespaces_fall_back_unless_strict() {
        let mut loose = Namespaces::new(Namespace::default(), false);
        loose.insert("chat", Namespace { history_size: 7, ..Namespace::default() });
        assert_eq!(loose.get("chat").unwrap().history_size, 7);
        assert_eq!(loose.get("other").unwrap().history_size, 100);
        let strict = Namespaces::new(Namespace::default(), true);
        assert!(strict.get("other").is_none());
        assert!(strict.get("").is_some());
    }
}
