//! What dialects leave to the operator.

/// The dialects' part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectsConfig {
    /// The longest `content` of a message in the topics dialect, in characters.
    pub topics_content_characters_max: u32,
    /// How many entries of the room's history a newcomer gets in the chat dialect.
    pub chat_history_on_join: u32,
}

impl Default for DialectsConfig {
    fn default() -> Self {
        Self { topics_content_characters_max: 1000, chat_history_on_join: 100 }
    }
}
