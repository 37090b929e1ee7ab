//! The settings of a namespace, as `[namespace]` and each `[namespaces.NAME]` have them.

use fanfare_core::auth::Rules;
use fanfare_core::limits::MESSAGE_BYTES_CEILING;
use fanfare_core::namespace::{ClientInfo, Namespace, OutboxPolicy};

use super::kinds::{Bytes, Choice, Count, Flag, Given, Kind, Mark, Millis, Refusal, Who};

/// One setting of a namespace.
pub(super) struct NamespaceSetting {
    /// As in the file, without the table: `history_size`.
    pub(super) name: &'static str,
    /// A line for people.
    pub(super) about: &'static str,
    /// Reads a value into the namespace.
    pub(super) set: fn(&mut Namespace, &Given) -> Result<(), Refusal>,
    /// Writes the value in force.
    pub(super) show: fn(&Namespace) -> String,
    /// What values it takes.
    pub(super) describe: fn() -> String,
}

macro_rules! setting {
    ($name:literal, $($field:ident).+, $kind:expr, $about:literal) => {
        NamespaceSetting {
            name: $name,
            about: $about,
            set: |namespace, given| {
                namespace.$($field).+ = $kind.read(given)?;
                Ok(())
            },
            show: |namespace| $kind.show(&namespace.$($field).+),
            describe: || $kind.describe(),
        }
    };
}

const YEAR_MS: u64 = 365 * 86_400_000;
const HOUR_MS: u64 = 3_600_000;

const POLICIES: &[(&str, OutboxPolicy)] = &[
    ("disconnect", OutboxPolicy::Disconnect),
    ("drop_oldest", OutboxPolicy::DropOldest),
    ("keep_latest", OutboxPolicy::KeepLatest),
];

const CLIENT_INFO: &[(&str, ClientInfo)] = &[
    ("nobody", ClientInfo::Nobody),
    ("publishers", ClientInfo::Publishers),
    ("subscribers", ClientInfo::Subscribers),
];

/// All of them, in the order in which they are shown.
pub(super) const SETTINGS: &[NamespaceSetting] = &[
    setting!(
        "history_size",
        history_size,
        Count::<u32>::new(0, 10_000_000),
        "messages kept per channel; 0 keeps none"
    ),
    setting!(
        "history_ttl",
        history_ttl_ms,
        Millis::<u64>::new(0, YEAR_MS),
        "how long a message is kept; 0 is without end"
    ),
    setting!("presence", presence, Flag, "whether it is known who is in a channel"),
    setting!("join_leave", join_leave, Flag, "whether members get join and leave events"),
    setting!(
        "presence_grace",
        presence_grace_ms,
        Millis::<u32>::new(0, HOUR_MS),
        "how long a user whose connection broke counts as a member"
    ),
    setting!(
        "client_info",
        client_info,
        Choice(CLIENT_INFO),
        "whose own info other members see: nobody's, that of clients who may publish, or every subscriber's"
    ),
    setting!(
        "client_info_over_token",
        client_info_over_token,
        Flag,
        "whether a client's own info goes before that of its token"
    ),
    setting!("allow_subscribe", rules.subscribe, Who { to_subscribe: true }, "who may subscribe"),
    setting!(
        "allow_publish",
        rules.publish,
        Who { to_subscribe: false },
        "who may publish; the backend always may"
    ),
    setting!("allow_history", rules.history, Who { to_subscribe: false }, "who may see history, and recover"),
    setting!("allow_presence", rules.presence, Who { to_subscribe: false }, "who may see presence"),
    setting!(
        "private_prefix",
        rules.privacy.prefix,
        Mark,
        "what the names of private channels begin with, after the namespace; empty for none"
    ),
    setting!(
        "user_boundary",
        rules.privacy.boundary,
        Mark,
        "what separates a channel's name from the ids of the users it is for; empty for none"
    ),
    setting!(
        "data_bytes_max",
        data_bytes_max,
        Bytes::new(0, MESSAGE_BYTES_CEILING),
        "the largest data of a client's message; 0 leaves it to limits.message_bytes_max"
    ),
    setting!("patterns", patterns, Flag, "whether clients may subscribe by pattern"),
    setting!(
        "replay_on_subscribe",
        replay_on_subscribe,
        Count::<u32>::new(0, 1_000_000),
        "messages that a subscriber gets first without asking; 1 is the last value"
    ),
    setting!("outbox_policy", outbox_policy, Choice(POLICIES), "what happens when a subscriber is too slow"),
    setting!(
        "idempotency_ttl",
        idempotency_ttl_ms,
        Millis::<u64>::new(0, YEAR_MS),
        "how long an idempotency key is remembered"
    ),
    setting!(
        "history_share",
        history_share,
        Count::<u32>::new(0, 1_000_000),
        "how large a part of limits.history_bytes_max is the namespace's own, beside the others' parts"
    ),
];

/// The setting of a name.
pub(super) fn find(name: &str) -> Option<&'static NamespaceSetting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// What is wrong with a namespace's own name, if anything.
pub(super) fn name_error(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 64 {
        return Some("a namespace's name has 1 to 64 bytes");
    }
    if name.contains([':', '*', '>']) || name.chars().any(char::is_control) {
        return Some("a namespace's name has no \":\", \"*\", \">\" or control character");
    }
    None
}

/// The built-in values of the demo page's namespace that differ from the defaults: joins and leaves are
/// shown there, and soon.
pub(super) fn demo(namespace: &mut Namespace) -> &'static [&'static str] {
    namespace.presence = true;
    namespace.join_leave = true;
    namespace.presence_grace_ms = 3_000;
    namespace.history_size = 100;
    namespace.rules = Rules::default();
    &["presence", "join_leave", "presence_grace", "history_size", "allow_publish"]
}
