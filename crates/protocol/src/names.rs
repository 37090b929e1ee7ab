//! Names that clients choose: validated once, at the edge, and cheap to clone from then on.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest channel name or pattern, in bytes of UTF-8.
pub const CHANNEL_NAME_BYTES_MAX: usize = 255;
/// The most tokens of a pattern.
pub const PATTERN_TOKENS_MAX: usize = 12;
/// The most `*` of a pattern. Together with the tokens it bounds what matching one name can cost, whatever patterns there
/// are: a name meets at most one branch for each choice of three of its tokens.
pub const PATTERN_WILDCARDS_MAX: usize = 3;
/// The longest user id, in bytes of UTF-8.
pub const USER_ID_BYTES_MAX: usize = 255;

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// The name has no bytes.
    Empty,
    /// The name is longer than its limit.
    TooLong,
    /// The name has a control character (Unicode category Cc) in it.
    ControlCharacter,
    /// A pattern has `>` before its end, an empty token, or no wildcard.
    BadWildcard,
    /// A pattern has more than [`PATTERN_TOKENS_MAX`] tokens or more than [`PATTERN_WILDCARDS_MAX`] `*`.
    TooManyTokens,
}

impl NameError {
    /// A sentence fragment for people, free of what the client sent.
    pub fn text(self) -> &'static str {
        match self {
            NameError::Empty => "the name is empty",
            NameError::TooLong => "the name is longer than 255 bytes",
            NameError::ControlCharacter => "the name contains a control character",
            NameError::BadWildcard => {
                "a pattern has tokens between dots, at least one of them \"*\", or \">\" as the last"
            }
            NameError::TooManyTokens => "a pattern has at most 12 tokens, and at most 3 of them are \"*\"",
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for NameError {}

fn check(name: &str, bytes_max: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > bytes_max {
        return Err(NameError::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(NameError::ControlCharacter);
    }
    Ok(())
}

/// The exact name of a channel, such as `chat:lobby`.
///
/// What stands before the first `:` is its namespace. No character of a name is a wildcard: patterns are
/// a type of their own, so that no name can ever be taken for one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// Validates a name.
    ///
    /// # Errors
    /// When it is empty, too long, or has control characters.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check(name, CHANNEL_NAME_BYTES_MAX)?;
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first colon; empty without one.
    pub fn namespace(&self) -> &str {
        namespace_of(&self.0)
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn namespace_of(name: &str) -> &str {
    name.split_once(':').map_or("", |(namespace, _)| namespace)
}

/// A topic pattern: tokens between dots, of which `*` stands for exactly one and a last `>` for one or more.
///
/// `orders.*.paid` matches `orders.eu.paid`; `orders.>` matches `orders.eu` and `orders.eu.paid`. The
/// namespace is matched like any other text: `shop:orders.*` matches only inside `shop`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelPattern(Arc<str>);

impl ChannelPattern {
    /// Validates a pattern.
    ///
    /// # Errors
    /// When it would not be a valid name, has an empty token, `>` before its end, no wildcard at all, or too many tokens
    /// or wildcards.
    pub fn new(pattern: &str) -> Result<Self, NameError> {
        check(pattern, CHANNEL_NAME_BYTES_MAX)?;
        let (namespace, topic) = split(pattern);
        if namespace.contains(['*', '>']) {
            return Err(NameError::BadWildcard);
        }
        let (mut count, mut wildcards, mut ends_open) = (0, 0, false);
        let mut tokens = topic.split('.').peekable();
        while let Some(token) = tokens.next() {
            count += 1;
            match token {
                "" => return Err(NameError::BadWildcard),
                "*" => wildcards += 1,
                ">" if tokens.peek().is_none() => ends_open = true,
                ">" => return Err(NameError::BadWildcard),
                _ => {}
            }
        }
        if count > PATTERN_TOKENS_MAX || wildcards > PATTERN_WILDCARDS_MAX {
            return Err(NameError::TooManyTokens);
        }
        if wildcards > 0 || ends_open { Ok(Self(pattern.into())) } else { Err(NameError::BadWildcard) }
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first colon; empty without one.
    pub fn namespace(&self) -> &str {
        namespace_of(&self.0)
    }

    /// Whether every name that `other` stands for is one of this pattern's too.
    pub fn covers(&self, other: &ChannelPattern) -> bool {
        let ((namespace, topic), (other_namespace, other_topic)) = (split(&self.0), split(&other.0));
        if namespace != other_namespace {
            return false;
        }
        let mut tokens = other_topic.split('.');
        for wanted in topic.split('.') {
            match (wanted, tokens.next()) {
                // It stands for one or more tokens, and so does whatever is left.
                (">", Some(_)) => return true,
                ("*", Some(token)) if token != ">" => {}
                (wanted, Some(token)) if wanted == token && token != "*" => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// Whether `name` is one of those the pattern stands for.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern_namespace, pattern_topic) = split(&self.0);
        let (namespace, topic) = split(name);
        if pattern_namespace != namespace {
            return false;
        }
        let mut tokens = topic.split('.');
        for wanted in pattern_topic.split('.') {
            match (wanted, tokens.next()) {
                (_, None) => return false,
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }
}

fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

impl fmt::Display for ChannelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who a connection belongs to. All devices of one person share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Validates a user id.
    ///
    /// # Errors
    /// When it is empty, too long, or has control characters.
    pub fn new(id: &str) -> Result<Self, NameError> {
        check(id, USER_ID_BYTES_MAX)?;
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_tokens_of_their_own_namespace() {
        let cases = [
            ("orders.*", "orders.eu", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.eu.paid", false),
            ("orders.>", "orders.eu.paid", true),
            ("orders.>", "orders", false),
            ("*.paid", "eu.paid", true),
            ("*.paid", "eu.unpaid", false),
            ("shop:orders.*", "shop:orders.eu", true),
            ("shop:orders.*", "orders.eu", false),
            ("*", "shop:anything", false),
            (">", "anything.at.all", true),
        ];
        for (pattern, name, wanted) in cases {
            let pattern = ChannelPattern::new(pattern).unwrap();
            assert_eq!(pattern.matches(name), wanted, "{pattern} against {name}");
        }
    }

    #[test]
    fn odd_patterns_are_refused() {
        for pattern in ["", "orders", "orders.>.paid", "a..*", "*:a", "a*b", ".*"] {
            assert!(ChannelPattern::new(pattern).is_err(), "{pattern:?} was accepted");
        }
    }

    #[test]
    fn patterns_have_so_many_tokens_and_wildcards() {
        let tokens = |count: usize| vec!["a"; count].join(".");
        for good in [
            "*.*.*".to_owned(),
            "*.*.*.>".to_owned(),
            format!("{}.*", tokens(11)),
            format!("{}.>", tokens(11)),
        ] {
            assert!(ChannelPattern::new(&good).is_ok(), "{good}");
        }
        for bad in ["*.*.*.*".to_owned(), format!("{}.*", tokens(12)), format!("{}.>", tokens(12))] {
            assert_eq!(ChannelPattern::new(&bad), Err(NameError::TooManyTokens), "{bad}");
        }
        let text = NameError::TooManyTokens.text();
        assert!(
            text.contains(&PATTERN_TOKENS_MAX.to_string())
                && text.contains(&PATTERN_WILDCARDS_MAX.to_string())
        );
    }

    #[test]
    fn names_are_bounded_and_free_of_control_characters() {
        assert_eq!(ChannelName::new(""), Err(NameError::Empty));
        assert_eq!(ChannelName::new(&"x".repeat(256)), Err(NameError::TooLong));
        assert!(ChannelName::new(&"x".repeat(255)).is_ok());
        for name in ["a\nb", "a\u{7f}", "\u{85}", "a\0"] {
            assert_eq!(ChannelName::new(name), Err(NameError::ControlCharacter), "{name:?}");
        }
        assert_eq!(ChannelName::new("chat:a:b").unwrap().namespace(), "chat");
        assert_eq!(ChannelName::new("lobby").unwrap().namespace(), "");
    }
}
