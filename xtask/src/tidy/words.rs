//! Words that a crate may not say because of its place in the design.

use super::exceptions::Exceptions;
use super::source::Source;

/// Crates that are deterministic functions of their inputs.
const PURE: &[&str] =
    &["crates/wire/", "crates/protocol/", "crates/json/", "crates/dialect-", "crates/core/"];

/// What they may not do, and the tokens that do it.
const IMPURE: &[(&str, &[&str])] = &[
    ("reads a clock", &["Instant", ":", ":", "now"]),
    ("reads a clock", &["SystemTime", ":", ":", "now"]),
    ("prints", &["print", "!"]),
    ("prints", &["println", "!"]),
    ("prints", &["eprint", "!"]),
    ("prints", &["eprintln", "!"]),
    ("logs", &["tracing", ":", ":"]),
    ("logs", &["log", ":", ":"]),
    ("draws a random number", &["getrandom"]),
    ("draws a random number", &["rand", ":", ":"]),
    ("awaits", &["async"]),
    ("awaits", &[".", "await"]),
];

/// Crates of which only the composition root may know the names.
const PLUGINS: &[&str] = &["fanfare_dialect_", "fanfare_broker_", "fanfare_store_"];

/// The broker that needs no crate of its own.
const BUILT_IN_BROKER: &[&str] = &["memory", ":", ":", "Memory"];

/// Ways to panic that are easily written.
const PANICS: &[&[&str]] = &[&[".", "unwrap", "(", ")"], &[".", "expect", "("]];

pub(crate) fn check(sources: &[Source], exceptions: &Exceptions) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources {
        if PURE.iter().any(|start| source.path.starts_with(start)) {
            problems.extend(purity(source));
        }
        problems.extend(composition(source));
        if !exceptions.unwraps.contains_key(&source.path) {
            problems.extend(panics(source));
        }
    }
    problems.extend(stale(sources, exceptions));
    problems
}

fn purity(source: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    for (deed, pattern) in IMPURE {
        for token in source.find(pattern).filter(|token| !token.test) {
            problems.push(format!("{}:{}: a pure crate {deed}", source.path, token.line));
        }
    }
    problems
}

/// The server's tests and examples may name dialects; of its sources, only `app`.
fn composition(source: &Source) -> Vec<String> {
    let Some(inner) = source.path.strip_prefix("crates/server/src/") else { return Vec::new() };
    if inner == "app.rs" || inner.starts_with("app/") {
        return Vec::new();
    }
    let named = |token: &&super::source::Token| {
        !token.test && PLUGINS.iter().any(|start| token.text.starts_with(start))
    };
    let memory = source.find(BUILT_IN_BROKER).filter(|token| !token.test);
    let problem = |token: &super::source::Token| {
        format!("{}:{}: only app.rs names {}", source.path, token.line, token.text)
    };
    source.tokens.iter().filter(named).chain(memory).map(problem).collect()
}

fn panics(source: &Source) -> Vec<String> {
    let found = PANICS.iter().flat_map(|pattern| source.find(pattern)).filter(|token| !token.test);
    found.map(|token| format!("{}:{}: unwrap or expect outside tests", source.path, token.line)).collect()
}

fn stale(sources: &[Source], exceptions: &Exceptions) -> Vec<String> {
    let needed =
        |path: &String| sources.iter().any(|source| source.path == *path && !panics(source).is_empty());
    let stale = exceptions.unwraps.keys().filter(|path| !needed(path));
    stale.map(|path| format!("xtask/tidy.toml: {path} does not unwrap: strike it off")).collect()
}

#[cfg(test)]
mod tests {
    use crate::tidy::exceptions::Exceptions;
    use crate::tidy::tree::source;

    fn problems_of(path: &str, text: &str) -> usize {
        super::check(&[source(path, text)], &Exceptions::default()).len()
    }

    #[test]
    fn pure_crates_touch_nothing_outside() {
        for text in [
            "fn f() { std::time::Instant::now(); }",
            "use std::time::SystemTime; fn f() { SystemTime::now(); }",
            "fn f() { println!(\"x\"); }",
            "fn f() { tracing::info!(\"x\"); }",
            "fn f() { getrandom::fill(&mut []); }",
            "fn f() { rand::random(); }",
            "async fn f() {}",
        ] {
            for path in ["crates/wire/src/a.rs", "crates/core/src/a.rs", "crates/dialect-chat/src/a.rs"] {
                assert_eq!(problems_of(path, text), 1, "{path}: {text}");
            }
            assert_eq!(problems_of("crates/server/src/a.rs", text), 0, "{text}");
            assert_eq!(problems_of("crates/core/tests/a.rs", text), 0, "{text}");
            assert_eq!(problems_of("crates/core/src/a.rs", &format!("#[cfg(test)] mod t {{ {text} }}")), 0);
        }
    }

    #[test]
    fn only_the_composition_root_names_plug_ins() {
        let text = "use fanfare_dialect_native::Native;";
        assert_eq!(problems_of("crates/server/src/listen.rs", text), 1);
        assert_eq!(problems_of("crates/server/src/app.rs", text), 0);
        assert_eq!(problems_of("crates/server/src/app/shards.rs", text), 0);
        assert_eq!(problems_of("crates/server/tests/socket.rs", text), 0);
        let text = "use fanfare_core::memory::Memory;";
        assert_eq!(problems_of("crates/server/src/node.rs", text), 1);
        assert_eq!(problems_of("crates/server/src/app.rs", text), 0);
    }

    #[test]
    fn unwrap_and_expect_are_for_tests_or_listed() {
        for text in ["fn f() { g().unwrap(); }", "fn f() { h!(g().expect(\"x\")); }"] {
            assert_eq!(problems_of("crates/server/src/a.rs", text), 1, "{text}");
            assert_eq!(problems_of("crates/server/src/a.rs", &format!("#[test] {text}")), 0, "{text}");
        }
        let listed = Exceptions::parse("[unwraps]\n\"a.rs\" = \"cannot fail: static\"").unwrap();
        assert!(super::check(&[source("a.rs", "fn f() { g().unwrap(); }")], &listed).is_empty());
        assert_eq!(super::check(&[source("a.rs", "fn f() {}")], &listed).len(), 1, "a stale exception");
    }
}
