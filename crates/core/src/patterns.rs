//! An index of patterns, so that a publication is held only against those that may match it.
//!
//! A pattern has at most twelve tokens of which three may be `*`, so a name meets at most 1,092 branches, whatever patterns
//! there are. A branch is small: with one child it is a few words, and a pattern keeps less than 2 KB.

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
    literal: Children<T>,
    /// What follows a `*`.
    any: Option<Box<Node<T>>>,
    ends: Option<Box<Ends<T>>>,
}

/// The patterns that end at a node.
#[derive(Debug)]
struct Ends<T> {
    /// The one that ends here.
    value: Option<T>,
    /// The one that ends here with a `>`.
    rest: Option<T>,
}

/// Nodes by their token. Most have a single one, for which a table would be wasteful.
#[derive(Debug)]
enum Children<T> {
    Few(Vec<(Box<str>, Node<T>)>),
    Many(Box<HashMap<Box<str>, Node<T>>>),
}

/// Children above which a table finds one sooner.
const FEW_MAX: usize = 8;

impl<T> Children<T> {
    fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    fn get(&self, token: &str) -> Option<&Node<T>> {
        match self {
            Self::Few(few) => few.iter().find(|(known, _)| &**known == token).map(|(_, node)| node),
            Self::Many(many) => many.get(token),
        }
    }

    fn get_mut(&mut self, token: &str) -> Option<&mut Node<T>> {
        match self {
            Self::Few(few) => few.iter_mut().find(|(known, _)| &**known == token).map(|(_, node)| node),
            Self::Many(many) => many.get_mut(token),
        }
    }

    /// The node of a token, which is added if it is new.
    fn entry(&mut self, token: &str) -> &mut Node<T> {
        if let Self::Few(few) = self
            && few.len() == FEW_MAX
            && few.iter().all(|(known, _)| &**known != token)
        {
            *self = Self::Many(Box::new(few.drain(..).collect()));
        }
        match self {
            Self::Many(many) => many.entry(token.into()).or_default(),
            Self::Few(few) => {
                let at = few.iter().position(|(known, _)| &**known == token).unwrap_or(few.len());
                if at == few.len() {
                    few.reserve_exact(1);
                    few.push((token.into(), Node::default()));
                }
                &mut few[at].1
            }
        }
    }

    fn remove(&mut self, token: &str) {
        match self {
            Self::Few(few) => {
                few.retain(|(known, _)| &**known != token);
                few.shrink_to_fit();
            }
            Self::Many(many) => drop(many.remove(token)),
        }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literal: Children::Few(Vec::new()), any: None, ends: None }
    }
}

impl<T> Default for Ends<T> {
    fn default() -> Self {
        Self { value: None, rest: None }
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
        self.literal.is_empty() && self.any.is_none() && self.ends.is_none()
    }

    fn value(&self) -> Option<&T> {
        self.ends.as_ref()?.value.as_ref()
    }

    fn rest(&self) -> Option<&T> {
        self.ends.as_ref()?.rest.as_ref()
    }

    /// Calls `found` for every pattern that matches, and counts the nodes on the way.
    fn for_each_match<'a>(&'a self, topic: Option<&str>, found: &mut impl FnMut(&'a T)) -> usize {
        let Some(topic) = topic else {
            self.value().iter().for_each(|value| found(value));
            return 1;
        };
        self.rest().iter().for_each(|value| found(value));
        let (token, topic) = match topic.split_once('.') {
            Some((token, topic)) => (token, Some(topic)),
            None => (topic, None),
        };
        let literal = self.literal.get(token).map_or(0, |node| node.for_each_match(topic, found));
        let any = self.any.as_ref().map_or(0, |node| node.for_each_match(topic, found));
        1 + literal + any
    }

    /// Takes what ends here out, with a `>` or without.
    fn take(&mut self, rest: bool) -> Option<T> {
        let ends = self.ends.as_mut()?;
        let taken = if rest { ends.rest.take() } else { ends.value.take() };
        if ends.rest.is_none() && ends.value.is_none() {
            self.ends = None;
        }
        taken
    }

    /// Takes the value out and whatever is unused without it.
    fn remove(&mut self, topic: Option<&str>) -> Option<T> {
        let Some(topic) = topic else { return self.take(false) };
        let (token, topic) = match topic.split_once('.') {
            Some((token, topic)) => (token, Some(topic)),
            None => (topic, None),
        };
        match token {
            ">" => self.take(true),
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
                ">" => return node.rest(),
                "*" => node.any.as_ref()?,
                token => node.literal.get(token)?,
            };
        }
        node.value()
    }

    /// The value of a pattern, to change it.
    pub fn get_mut(&mut self, pattern: &ChannelPattern) -> Option<&mut T> {
        let (namespace, topic) = split(pattern.as_str());
        let mut node = self.roots.get_mut(namespace)?;
        for token in topic.split('.') {
            node = match token {
                ">" => return node.ends.as_mut()?.rest.as_mut(),
                "*" => node.any.as_mut()?,
                token => node.literal.get_mut(token)?,
            };
        }
        node.ends.as_mut()?.value.as_mut()
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
                token => node.literal.entry(token),
            };
        }
        let ends = node.ends.get_or_insert_default();
        let value = if ends_with_rest { &mut ends.rest } else { &mut ends.value };
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

    /// Calls `found` with the value of every pattern that the name matches. Returns how many branches that took.
    pub fn for_each_match<'a>(&'a self, name: &str, mut found: impl FnMut(&'a T)) -> usize {
        if self.count == 0 {
            return 0;
        }
        let (namespace, topic) = split(name);
        // No namespace and an empty one are the same namespace, but patterns with either are two patterns.
        let (namespace, twin) = match namespace {
            "" | ":" => ("", Some(":")),
            namespace => (namespace, None),
        };
        let roots = std::iter::once(namespace).chain(twin).filter_map(|namespace| self.roots.get(namespace));
        roots.map(|root| root.for_each_match(Some(topic), &mut found)).sum()
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::names::{PATTERN_TOKENS_MAX, PATTERN_WILDCARDS_MAX};

    use super::*;

    /// Every pattern of so many tokens `a` and `*`, with an end of its own that no name has.
    fn dense() -> Vec<ChannelPattern> {
        let all = (0..1_u32 << (PATTERN_TOKENS_MAX - 1))
            .filter(|stars| stars.count_ones() as usize <= PATTERN_WILDCARDS_MAX);
        let pattern = |stars: u32| {
            let token = |at| if stars & (1_u32 << at) == 0 { "a." } else { "*." };
            (0..PATTERN_TOKENS_MAX - 1).map(token).collect::<String>() + ">"
        };
        all.map(|stars| ChannelPattern::new(&pattern(stars)).unwrap()).collect()
    }

    /// 1,280 patterns of 126 tokens `a` and `*` in random order took a core for 50 publications a second: a name walked
    /// every branch, and each further token doubled them.
    #[test]
    fn a_name_meets_a_bounded_number_of_branches_whatever_patterns_there_are() {
        let mut index = PatternIndex::default();
        for pattern in dense() {
            index.entry(&pattern, || ());
        }
        let name = vec!["a"; 120].join(".");
        let mut found = 0;
        let branches = index.for_each_match(&name, |()| found += 1);
        assert_eq!(found, index.len(), "all that match are found");
        assert!(branches <= 1092, "{branches}");
    }

    /// Tables with room for three at every token kept 72 KB for a pattern of 250 bytes.
    #[test]
    fn a_pattern_keeps_less_than_two_kilobytes() {
        type Value = smallvec::SmallVec<[u32; 4]>;
        let (node, ends) = (size_of::<Node<Value>>(), size_of::<Ends<Value>>());
        // One child with a token of its own at each level, in an allocation of its own, and the token in another.
        let level = size_of::<(Box<str>, Node<Value>)>() + 32;
        assert!(PATTERN_TOKENS_MAX * level + ends + node + 255 < 2048, "{level} a level, {ends} at its end");
        let mut children: Children<Value> = Children::Few(Vec::new());
        children.entry("one");
        assert!(matches!(&children, Children::Few(few) if few.capacity() == 1));
    }

    #[test]
    fn children_are_found_however_many_there_are() {
        let mut children: Children<()> = Children::Few(Vec::new());
        for token in 0..20 {
            children.entry(&token.to_string());
            children.entry("0");
        }
        assert!(matches!(&children, Children::Many(many) if many.len() == 20));
        assert!(
            (0..20).all(|token| children.get(&token.to_string()).is_some()) && children.get("20").is_none()
        );
        for token in 0..20 {
            children.remove(&token.to_string());
        }
        assert!(children.is_empty());
    }

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
