//! A test runs always, and waits for events, not for time.

use super::exceptions::Exceptions;
use super::source::Source;

const SLEEPS: &[&[&str]] =
    &[&["thread", ":", ":", "sleep"], &["time", ":", ":", "sleep"], &["time", ":", ":", "sleep_until"]];

pub(crate) fn check(sources: &[Source], exceptions: &Exceptions) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources {
        for pattern in [["[", "ignore", "]"], ["[", "ignore", "="]] {
            for token in source.find(&pattern) {
                problems.push(format!("{}:{}: a test is ignored", source.path, token.line));
            }
        }
        if !exceptions.sleeps.contains_key(&source.path) {
            problems.extend(sleeps(source));
        }
    }
    let needed =
        |path: &String| sources.iter().any(|source| source.path == *path && !sleeps(source).is_empty());
    let stale = exceptions.sleeps.keys().filter(|path| !needed(path));
    problems.extend(stale.map(|path| format!("xtask/tidy.toml: {path} does not sleep: strike it off")));
    problems
}

fn sleeps(source: &Source) -> Vec<String> {
    let found = SLEEPS.iter().flat_map(|pattern| source.find(pattern)).filter(|token| token.test);
    found.map(|token| format!("{}:{}: a test sleeps instead of waiting", source.path, token.line)).collect()
}

#[cfg(test)]
mod tests {
    use crate::tidy::exceptions::Exceptions;
    use crate::tidy::tree::source;

    fn problems_of(path: &str, text: &str) -> usize {
        super::check(&[source(path, text)], &Exceptions::default()).len()
    }

    #[test]
    fn no_test_is_ignored() {
        assert_eq!(problems_of("crates/core/tests/a.rs", "#[test] #[ignore] fn f() {}"), 1);
        assert_eq!(problems_of("crates/core/src/a.rs", "#[test] #[ignore = \"slow\"] fn f() {}"), 1);
    }

    #[test]
    fn no_test_sleeps() {
        for call in ["std::thread::sleep(d)", "tokio::time::sleep(d).await", "time::sleep_until(d).await"] {
            let text = format!("async fn f() {{ {call}; }}");
            assert_eq!(problems_of("crates/server/tests/a.rs", &text), 1, "{call}");
            assert_eq!(problems_of("crates/server/src/a.rs", &text), 0, "shipped code may: {call}");
        }
    }
}
