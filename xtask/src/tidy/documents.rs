//! Documents that name what is not there: paths in ARCHITECTURE.md and links in every Markdown file.

use std::path::Path;

pub(crate) fn check(root: &Path, files: &[String]) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for name in ["ARCHITECTURE.md", "README.md", "STYLE.md", "CHANGELOG.md"] {
        if !files.iter().any(|path| path == name) {
            problems.push(format!("{name} is missing"));
        }
    }
    for path in files.iter().filter(|path| path.ends_with(".md")) {
        let text = super::walk::read(root, path)?;
        for (index, line) in prose(&text) {
            for target in links(line) {
                if !link_exists(root, path, target) {
                    problems.push(format!("{path}:{}: the link {target} leads nowhere", index + 1));
                }
            }
            if path == "ARCHITECTURE.md" {
                for name in quoted(line).filter(|name| is_path(name)) {
                    if !expand(name).iter().all(|name| exists(files, name)) {
                        problems.push(format!("{path}:{}: `{name}` does not exist", index + 1));
                    }
                }
            }
        }
    }
    Ok(problems)
}

/// The lines outside fenced blocks, with their indices.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What stands in backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// What stands outside them.
fn outside_code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').step_by(2)
}

/// The targets of `[text](target)`, code aside.
fn links(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for mut rest in outside_code(line) {
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            targets.push(&rest[..end]);
        }
    }
    targets
}

fn link_exists(root: &Path, document: &str, target: &str) -> bool {
    let elsewhere = ["http://", "https://", "mailto:", "#"];
    if elsewhere.iter().any(|start| target.starts_with(start)) {
        return true;
    }
    let file = target.split('#').next().unwrap_or_default();
    let folder = root.join(document);
    folder.parent().is_some_and(|folder| folder.join(file).exists())
}

/// Whether a quoted word means a file or folder: `core/session/`, `app.rs`, `dialect-*/decode`; not `/ws`,
/// `application/json`, a Rust path or an expression.
fn is_path(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-*{},".contains(c);
    let kinds = [".rs", ".toml", ".md", ".json", ".proto", ".sh", ".js", ".css", ".html"];
    let media = ["application/", "text/", "image/"];
    name.chars().all(plain)
        && !name.starts_with('/')
        && !media.iter().any(|start| name.starts_with(start))
        && name.chars().any(|c| c.is_ascii_alphabetic())
        && (name.contains('/') || kinds.iter().any(|kind| name.ends_with(kind)))
}

/// `a/{b,c}` as `a/b` and `a/c`.
fn expand(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let Some((inner, after)) = rest.split_once('}') else { return vec![name.to_owned()] };
    inner.split(',').map(|word| format!("{before}{word}{after}")).collect()
}

/// From the root, from `crates/`, from a crate's `src/`, or, for a bare file name, anywhere.
fn exists(files: &[String], name: &str) -> bool {
    let name = name.trim_end_matches('/');
    let mut places = vec![name.to_owned(), format!("crates/{name}")];
    if let Some((member, rest)) = name.split_once('/') {
        places.push(format!("crates/{member}/src/{rest}"));
    }
    let bare = !name.contains('/');
    files.iter().any(|file| {
        places.iter().any(|place| covers(place, file))
            || (bare && file.rsplit('/').next().is_some_and(|last| last == name))
    })
}

/// Whether `file` is what `place` names, with or without `.rs`, or lies in the folder that it names.
fn covers(place: &str, file: &str) -> bool {
    let mut parts = file.split('/');
    for wanted in place.split('/') {
        let Some(part) = parts.next() else { return false };
        let last = parts.clone().next().is_none();
        let same = component(wanted, part) || (last && component(&format!("{wanted}.rs"), part));
        if !same {
            return false;
        }
    }
    true
}

/// One component, with at most one `*` in the pattern.
fn component(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::tidy::tree::Tree;

    fn problems_of(name: &str, document: &str, text: &str) -> usize {
        let tree = Tree::new(name);
        tree.file("crates/core/src/session/mod.rs", "").file("crates/server/src/app.rs", "");
        tree.file("crates/dialect-native/src/decode.rs", "").file("spec/codes.json", "");
        tree.file("ARCHITECTURE.md", "").file("README.md", "").file("STYLE.md", "").file("CHANGELOG.md", "");
        tree.file(document, text);
        super::check(tree.root(), &tree.files()).unwrap().len()
    }

    #[test]
    fn paths_in_the_architecture_exist_in_one_of_their_forms() {
        let good = "`core/session/` `crates/core` `app.rs` `server/app` `dialect-*/decode` `spec/codes.json` \
                    `spec/{codes.json,codes.json}` but not `/ws`, `POST /api/publish`, `application/json`, `a::b`";
        assert_eq!(problems_of("paths-good", "ARCHITECTURE.md", good), 0);
        for bad in ["`core/sessions/`", "`lost.rs`", "`dialect-*/encode`", "`spec/{codes.json,cases}`"] {
            assert_eq!(problems_of("paths-bad", "ARCHITECTURE.md", bad), 1, "{bad}");
            assert_eq!(problems_of("paths-other", "NOTES.md", bad), 0, "{bad}");
        }
    }

    #[test]
    fn the_documents_that_a_newcomer_needs_are_there() {
        let tree = Tree::new("documents-missing");
        tree.file("README.md", "");
        assert_eq!(super::check(tree.root(), &tree.files()).unwrap().len(), 3);
    }

    #[test]
    fn links_lead_somewhere() {
        let good = "[a](../spec/codes.json) [b](https://example.org) [c](#here) [d](page.md#part)";
        assert_eq!(problems_of("links-good", "docs/page.md", good), 0);
        assert_eq!(problems_of("links-code", "docs/page.md", "```\n[a](nowhere)\n```\n`[a](nowhere)`"), 0);
        assert_eq!(problems_of("links-bad", "docs/page.md", "[a](spec/codes.json) [b](lost.md#x)"), 2);
    }
}
