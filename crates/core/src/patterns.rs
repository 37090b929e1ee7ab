//! An index of patterns, so that a publication is held only against those that may match it.

use fanfare_protocol::ChannelPattern;
use foldhash::HashMap;

/// Patterns with a value each: a tree by token, a root for each namespace. A name walks only the branches
/// that it matches, however many patterns begin with a wildcard.
#[derive(Debug)]
pub struct PatternIndex<T> {
    roots: HashMap<Box<str>, Node<T>>,
    count: usize,
}

#[derive(Debug)]
struct Node<T> {
    literal: HashMap<Box<str>, Node<T>>,
    /// What follows a `*`.
    any: Option<Box<Node<T>>>,
    /// The pattern that ends here.
    value: Option<T>,
    /// The pattern that ends here with a `>`.
    rest: Option<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literal: HashMap::default(), any: None, value: None, rest: None }
    }
}

impl<T> Default for PatternIndex<T> {
    fn default() -> Self {
        Self { roots: HashMap::default(), count: 0 }
    }
}

/// The namespace with its colon, and the rest.
fn split(name: &str) -> (&str, &str) {
    name.split_at(name.find(':').map_or(0, |colon| colon + 1))
}

impl<T> Node<T> {
    fn is_unused(&self) -> bool {
        self.literal.is_empty() && self.any.is_none() && self.value.is_none() && self.rest.is_none()
    }

    fn for_each_match<'a>(&'a self, topic: Option<&str>, found: &mut impl FnMut(&'a T)) {
        let Some(topic) = topic else {
            return self.value.iter().for_each(found);
        };
        self.rest.iter().for_each(&mut *found);
        let (token, topic) = match topic.split_once('.') {
            Some((token, topic)) => (token, Some(topic)),
            None => (topic, None),
        };
        if let Some(node) = self.literal.get(token) {
            node.for_each_match(topic, found);
        }
        if let Some(node) = &self.any {
            node.for_each_match(topic, found);
        }
    }

    /// Takes the value out and whatever is unused without it.
    fn remove(&mut self, topic: Option<&str>) -> Option<T> {
        let Some(topic) = topic else { return self.value.take() };
        let (token, topic) = match topic.split_once('.') {
            Some((token, topic)) => (token, Some(topic)),
            None => (topic, None),
        };
        match token {
            ">" => self.rest.take(),
            "*" => {
                let node = self.any.as_mut()?;
                let value = node.remove(topic);
                if node.is_unused() {
                    self.any = None;
                }
                value
            }
            token => {
                let node = self.literal.get_mut(token)?;
                let value = node.remove(topic);
                if node.is_unused() {
                    self.literal.remove(token);
                }
                value
            }
        }
    }
}

impl<T> PatternIndex<T> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The value of a pattern.
    pub fn get(&self, pattern: &ChannelPattern) -> Option<&T> {
        let (namespace, topic) = split(pattern.as_str());
        let mut node = self.roots.get(namespace)?;
        for token in topic.split('.') {
            node = match token {
                ">" => return node.rest.as_ref(),
                "*" => node.any.as_ref()?,
                token => node.literal.get(token)?,
            };
        }
        node.value.as_ref()
    }

    /// The value of a pattern, to change it.
    pub fn get_mut(&mut self, pattern: &ChannelPattern) -> Option<&mut T> {
        let (namespace, topic) = split(pattern.as_str());
        let mut node = self.roots.get_mut(namespace)?;
        for token in topic.split('.') {
            node = match token {
                ">" => return node.rest.as_mut(),
                "*" => node.any.as_mut()?,
                token => node.literal.get_mut(token)?,
            };
        }
        node.value.as_mut()
    }

    /// The value of a pattern, which is added if it is new.
    pub fn entry(&mut self, pattern: &ChannelPattern, default: impl FnOnce() -> T) -> &mut T {
        let (namespace, topic) = split(pattern.as_str());
        let mut node = self.roots.entry(namespace.into()).or_default();
        let mut ends_with_rest = false;
        for token in topic.split('.') {
            node = match token {
                ">" => {
                    ends_with_rest = true;
                    break;
                }
                "*" => node.any.get_or_insert_default(),
                token => node.literal.entry(token.into()).or_default(),
            };
        }
        let value = if ends_with_rest { &mut node.rest } else { &mut node.value };
        if value.is_none() {
            self.count += 1;
        }
        value.get_or_insert_with(default)
    }

    /// Takes a pattern out.
    pub fn remove(&mut self, pattern: &ChannelPattern) -> Option<T> {
        let (namespace, topic) = split(pattern.as_str());
        let root = self.roots.get_mut(namespace)?;
        let value = root.remove(Some(topic))?;
        if root.is_unused() {
            self.roots.remove(namespace);
        }
        self.count -= 1;
        Some(value)
    }

    /// Calls `found` with the value of every pattern that the name matches.
    pub fn for_each_match<'a>(&'a self, name: &str, mut found: impl FnMut(&'a T)) {
        if self.count == 0 {
            return;
        }
        let (namespace, topic) = split(name);
        // No namespace and an empty one are the same namespace, but patterns with either are two patterns.
        let (namespace, twin) = match namespace {
            "" | ":" => ("", Some(":")),
            namespace => (namespace, None),
        };
        for namespace in std::iter::once(namespace).chain(twin) {
            if let Some(root) = self.roots.get(namespace) {
                root.for_each_match(Some(topic), &mut found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_just_what_matches() {
        let patterns = ["a.*", "a.>", "*.b", ">", "n:a.*", "n:*", "n:>"];
        let mut index = PatternIndex::default();
        for pattern in patterns {
            *index.entry(&ChannelPattern::new(pattern).unwrap(), || "") = pattern;
        }
        for name in ["a.b", "a", "a.b.c", "n:a.b", "n:a", "other:a.b", "*", ">", "*.b", "n:*"] {
            let mut found = Vec::new();
            index.for_each_match(name, |pattern| found.push(*pattern));
            found.sort_unstable();
            let mut wanted: Vec<_> =
                patterns.into_iter().filter(|p| ChannelPattern::new(p).unwrap().matches(name)).collect();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{name}");
        }
        assert_eq!(index.remove(&ChannelPattern::new("a.*").unwrap()), Some("a.*"));
        assert_eq!(index.remove(&ChannelPattern::new("a.*").unwrap()), None);
        assert_eq!(index.len(), 6);
        for pattern in patterns {
            index.remove(&ChannelPattern::new(pattern).unwrap());
        }
        assert!(index.is_empty() && index.roots.is_empty(), "branches without a pattern are pruned");
    }
}
