//! An index of patterns, so that a publication is held only against those that may match it.

use fanfare_protocol::ChannelPattern;
use foldhash::HashMap;

/// Patterns with a value each, grouped by namespace and first token.
#[derive(Debug)]
pub struct PatternIndex<T> {
    groups: HashMap<Box<str>, Vec<(ChannelPattern, T)>>,
    count: usize,
}

impl<T> Default for PatternIndex<T> {
    fn default() -> Self {
        Self { groups: HashMap::default(), count: 0 }
    }
}

/// What stands before the first dot decides the group: namespace, colon, first token.
fn group_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(group, _)| group)
}

fn wild_group(name: &str, wildcard: &str) -> String {
    match name.split_once(':') {
        Some((namespace, _)) => format!("{namespace}:{wildcard}"),
        None => wildcard.to_owned(),
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

    /// The value of a pattern, to change it.
    pub fn get_mut(&mut self, pattern: &ChannelPattern) -> Option<&mut T> {
        let group = self.groups.get_mut(group_of(pattern.as_str()))?;
        group.iter_mut().find(|(known, _)| known == pattern).map(|(_, value)| value)
    }

    /// The value of a pattern.
    pub fn get(&self, pattern: &ChannelPattern) -> Option<&T> {
        let group = self.groups.get(group_of(pattern.as_str()))?;
        group.iter().find(|(known, _)| known == pattern).map(|(_, value)| value)
    }

    /// The value of a pattern, which is added if it is new.
    pub fn entry(&mut self, pattern: &ChannelPattern, default: impl FnOnce() -> T) -> &mut T {
        let group = self.groups.entry(group_of(pattern.as_str()).into()).or_default();
        let index = match group.iter().position(|(known, _)| known == pattern) {
            Some(index) => index,
            None => {
                group.push((pattern.clone(), default()));
                self.count += 1;
                group.len() - 1
            }
        };
        &mut group[index].1
    }

    /// Takes a pattern out.
    pub fn remove(&mut self, pattern: &ChannelPattern) -> Option<T> {
        let name = group_of(pattern.as_str());
        let group = self.groups.get_mut(name)?;
        let index = group.iter().position(|(known, _)| known == pattern)?;
        let (_, value) = group.swap_remove(index);
        if group.is_empty() {
            self.groups.remove(name);
        }
        self.count -= 1;
        Some(value)
    }

    /// Calls `found` with the value of every pattern that the name matches.
    pub fn for_each_match<'a>(&'a self, name: &str, mut found: impl FnMut(&'a T)) {
        if self.count == 0 {
            return;
        }
        let groups = [group_of(name).to_owned(), wild_group(name, "*"), wild_group(name, ">")];
        for (index, group) in groups.iter().enumerate() {
            // A channel may itself be called `*` or `>`: no group twice.
            if groups[..index].contains(group) {
                continue;
            }
            for (pattern, value) in self.groups.get(group.as_str()).into_iter().flatten() {
                if pattern.matches(name) {
                    found(value);
                }
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
    }
}
