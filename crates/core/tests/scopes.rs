//! Names are names and patterns are patterns: every grant against every topic that can be made of a few tokens, wildcards
//! of ours and of others among them. (Who may what, all together, is in the server's matrix.)

use fanfare_core::auth::{Grant, Operation, Operations, Scope};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, ChannelPattern};

/// Everything of up to so many tokens, in two namespaces.
fn texts(tokens: &[&str], depth: usize) -> Vec<String> {
    let mut topics: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
    let mut last = topics.clone();
    for _ in 1..depth {
        last =
            last.iter().flat_map(|head| tokens.iter().map(move |token| format!("{head}.{token}"))).collect();
        topics.extend(last.iter().cloned());
    }
    ["", "n:"]
        .iter()
        .flat_map(|namespace| topics.iter().map(move |topic| format!("{namespace}{topic}")))
        .collect()
}

fn patterns(texts: &[String]) -> Vec<ChannelPattern> {
    texts.iter().filter_map(|text| ChannelPattern::new(text).ok()).collect()
}

fn allows(scope: Scope, topic: &Topic) -> bool {
    Grant::new(scope, Operations::READ).allows(Operation::Subscribe, topic)
}

/// What a pattern stands for, said once more.
fn fits(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([">"], [_, ..]) => true,
        (["*", pattern @ ..], [_, name @ ..]) => fits(pattern, name),
        ([wanted, pattern @ ..], [token, name @ ..]) => wanted == token && fits(pattern, name),
        _ => false,
    }
}

fn apart(text: &str) -> (&str, Vec<&str>) {
    let (namespace, topic) = text.split_once(':').unwrap_or(("", text));
    (namespace, topic.split('.').collect())
}

const TOKENS: [&str; 9] = ["a", "*", ">", "$a", "#u,v", "?", "[a-z]", "é", "**"];

#[test]
fn a_granted_name_opens_that_name_and_no_other_and_no_pattern() {
    let texts = texts(&TOKENS, 2);
    for granted in &texts {
        let scope = Scope::Channel(ChannelName::new(granted).unwrap());
        for asked in &texts {
            let channel = Topic::Channel(ChannelName::new(asked).unwrap());
            assert_eq!(allows(scope.clone(), &channel), granted == asked, "{granted} {asked}");
        }
        for asked in patterns(&texts) {
            assert!(!allows(scope.clone(), &Topic::Pattern(asked.clone())), "{granted} {asked:?}");
        }
    }
}

#[test]
fn a_granted_pattern_opens_the_names_that_fit_it_and_no_other() {
    let texts = texts(&TOKENS, 3);
    let (mut cells, mut opened) = (0, 0);
    for granted in patterns(&texts).iter().step_by(3) {
        let (namespace, pattern) = apart(granted.as_str());
        for asked in &texts {
            let (asked_namespace, name) = apart(asked);
            let wanted = namespace == asked_namespace && fits(&pattern, &name);
            let channel = Topic::Channel(ChannelName::new(asked).unwrap());
            assert_eq!(allows(Scope::Pattern(granted.clone()), &channel), wanted, "{granted:?} {asked}");
            (cells, opened) = (cells + 1, opened + u32::from(wanted));
        }
    }
    assert!(cells > 100_000 && opened > 1_000, "{opened} of {cells}");
}

/// A pattern is covered exactly if no name fits it that does not fit what was granted. One token more than either has,
/// and one that neither has, are enough to tell them apart.
#[test]
fn a_granted_pattern_opens_the_patterns_that_bring_nothing_else() {
    let patterns = patterns(&texts(&["a", "*", ">"], 3));
    let names = texts(&["a", "*", ">", "other"], 4);
    let (mut covered, mut not) = (0, 0);
    for granted in &patterns {
        for asked in &patterns {
            let wanted = names.iter().all(|name| !asked.matches(name) || granted.matches(name));
            let allowed = allows(Scope::Pattern(granted.clone()), &Topic::Pattern(asked.clone()));
            assert_eq!(allowed, wanted, "{granted:?} {asked:?}");
            (covered, not) = (covered + u32::from(wanted), not + u32::from(!wanted));
        }
    }
    assert!(covered > 50 && not > 500, "{covered} and {not}");
}
