//! The length ratchet: short functions and files, and a list of the long ones that can only shrink.

use std::collections::BTreeMap;
use std::path::Path;

use super::exceptions::Exceptions;
use super::source::Source;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;

/// Files written by hand.
const KINDS: &[&str] = &[".rs", ".js", ".mjs", ".ts", ".tsx", ".css", ".html", ".py", ".sh", ".proto"];

/// Written by a generator from a table as long as it has to be.
const GENERATED: &[&str] = &["crates/protocol/src/codes.rs"];

pub(crate) fn check(
    root: &Path,
    files: &[String],
    sources: &[Source],
    exceptions: &Exceptions,
) -> Result<Vec<String>, String> {
    let mut file_lines = BTreeMap::new();
    for path in files.iter().filter(|path| is_written(path)) {
        file_lines.insert(path.clone(), super::walk::read(root, path)?.lines().count());
    }
    let mut problems = ratchet(&file_lines, FILE_LINES_MAX, &exceptions.long_files, "long-files");
    let functions = function_lines(sources);
    problems.extend(ratchet(&functions, FUNCTION_LINES_MAX, &exceptions.long_functions, "long-functions"));
    Ok(problems)
}

fn is_written(path: &str) -> bool {
    KINDS.iter().any(|kind| path.ends_with(kind)) && !GENERATED.contains(&path)
}

/// Length by `path name`; of functions with one name in one file, the longest counts.
fn function_lines(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut lengths = BTreeMap::new();
    for source in sources.iter().filter(|source| is_written(&source.path)) {
        for function in &source.functions {
            let longest = lengths.entry(format!("{} {}", source.path, function.name)).or_insert(0);
            *longest = function.lines.max(*longest);
        }
    }
    lengths
}

fn ratchet(
    actual: &BTreeMap<String, usize>,
    limit: usize,
    listed: &BTreeMap<String, usize>,
    section: &str,
) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, &lines) in actual {
        let allowed = listed.get(name).copied().unwrap_or(limit);
        if lines > allowed {
            problems.push(format!("{name}: {lines} lines, at most {allowed}"));
        }
    }
    for (name, &allowed) in listed {
        let lines = actual.get(name).copied().unwrap_or(0);
        if lines <= limit {
            problems.push(format!("xtask/tidy.toml: [{section}] {name} is short enough: strike it off"));
        } else if lines < allowed {
            problems.push(format!("xtask/tidy.toml: [{section}] {name} has shrunk: set it to {lines}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::{Tree, source};

    fn function(lines: usize) -> Vec<Source> {
        vec![source("a.rs", &format!("fn f() {{{}}}", "\n".repeat(lines - 1)))]
    }

    fn problems_of(sources: &[Source], exceptions: &str) -> usize {
        let exceptions = Exceptions::parse(exceptions).unwrap();
        check(Path::new("/"), &[], sources, &exceptions).unwrap().len()
    }

    #[test]
    fn long_functions_are_listed_and_shrink() {
        assert_eq!(problems_of(&function(70), ""), 0);
        assert_eq!(problems_of(&function(71), ""), 1);
        assert_eq!(problems_of(&function(80), "[long-functions]\n\"a.rs f\" = 80"), 0);
        assert_eq!(problems_of(&function(81), "[long-functions]\n\"a.rs f\" = 80"), 1);
        assert_eq!(problems_of(&function(79), "[long-functions]\n\"a.rs f\" = 80"), 1, "shrunk");
        assert_eq!(problems_of(&function(60), "[long-functions]\n\"a.rs f\" = 80"), 1, "short now");
        assert_eq!(problems_of(&[], "[long-functions]\n\"a.rs f\" = 80"), 1, "gone");
    }

    #[test]
    fn long_files_are_problems_unless_generated() {
        let tree = Tree::new("long-files");
        let text = "\n".repeat(501);
        tree.file("crates/protocol/src/codes.rs", &text).file("crates/protocol/src/names.rs", &text);
        tree.file("crates/server/src/demo/demo.js", &text).file("Cargo.lock", &text);
        let problems = check(tree.root(), &tree.files(), &[], &Exceptions::default()).unwrap();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
