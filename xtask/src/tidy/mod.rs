//! The rules of this repository that a compiler does not hold, each a function from a tree to problems.
//!
//! | module | question it answers |
//! |---|---|
//! | [`imports`] | does a crate depend only on what its place in the design allows? |
//! | [`words`] | do pure crates stay pure, and does only the composition root name drivers and dialects? |
//! | [`tests_rules`] | can a test be skipped, or pass by waiting long enough? |
//! | [`lengths`] | do functions and files stay short, and do the long ones only shrink? |
//! | [`documents`] | does every path and link that a document names exist? |
//! | [`generated`] | are generated files what their generator writes today? |
//!
//! Exceptions live in `xtask/tidy.toml`, each with its reason; one that is no longer needed is a problem too.

mod documents;
mod exceptions;
mod generated;
mod imports;
mod lengths;
mod source;
mod tests_rules;
#[cfg(test)]
mod tree;
mod walk;
mod words;

use std::path::Path;

use exceptions::Exceptions;
use source::Source;

/// Every problem of the tree under `root`, one line each.
pub(crate) fn check(root: &Path) -> Result<Vec<String>, String> {
    let files = walk::files(root)?;
    let exceptions = Exceptions::read(root)?;
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    for path in files.iter().filter(|path| path.ends_with(".rs")) {
        match Source::read(root, path) {
            Ok(source) => sources.push(source),
            Err(problem) => problems.push(problem),
        }
    }
    let test_modules: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in sources.iter_mut().filter(|source| test_modules.contains(&source.path)) {
        source.mark_as_test();
    }
    problems.extend(imports::check(root, &files)?);
    problems.extend(words::check(&sources, &exceptions));
    problems.extend(tests_rules::check(&sources, &exceptions));
    problems.extend(lengths::check(root, &files, &sources, &exceptions)?);
    problems.extend(documents::check(root, &files)?);
    problems.extend(generated::check(root)?);
    problems.sort();
    Ok(problems)
}

/// Prints the problems; an error when there are any.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let problems = check(root)?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => Ok(()),
        count => Err(format!("{count} problems")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_repository_is_tidy() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let problems = super::check(root).unwrap();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    #[test]
    fn a_file_that_does_not_parse_is_a_problem_and_not_a_pass() {
        let tree = super::tree::Tree::new("unparsed");
        tree.file("crates/wire/src/lib.rs", "fn open( {");
        let problems = super::check(tree.root()).unwrap();
        assert!(
            problems.iter().any(|problem| problem.starts_with("crates/wire/src/lib.rs:")),
            "{problems:?}"
        );
    }
}
