//! What dialects leave to the operator.

use super::Setting;
use crate::config::kinds::{Count, Kind};

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "dialects.topics_content_characters_max",
        dialects.topics_content_characters_max,
        Count::<u32>::new(1, 1 << 24),
        "the longest content of a message in the topics dialect, in characters"
    ),
    setting!(
        "dialects.chat_history_on_join",
        dialects.chat_history_on_join,
        Count::<u32>::new(0, 1_000_000),
        "how many entries of the room's history a newcomer gets in the chat dialect"
    ),
];
