//! Generated files equal what their generator writes today.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::code_tables::DOCUMENT;

const CODES: &str = "crates/protocol/src/codes.rs";

pub(crate) fn check(root: &Path) -> Result<Vec<String>, String> {
    if !root.join("spec/codes.json").exists() && !root.join(CODES).exists() {
        return Ok(Vec::new());
    }
    let (wanted, document) = match (crate::codes::generate(root), crate::code_tables::generate(root)) {
        (Ok(text), Ok(document)) => (formatted(root, &text)?, document),
        (Err(problem), _) | (_, Err(problem)) => return Ok(vec![problem]),
    };
    let mut stale = Vec::new();
    if super::walk::read(root, CODES)? != wanted {
        stale.push(CODES);
    }
    if let Some(wanted) = document
        && super::walk::read(root, DOCUMENT)? != wanted
    {
        stale.push(DOCUMENT);
    }
    let problem = |path: &str| {
        format!("{path}: not what spec/codes.json says: run `cargo xtask codes`, then `cargo fmt`")
    };
    Ok(stale.into_iter().map(problem).collect())
}

/// As `cargo fmt` leaves it.
fn formatted(root: &Path, text: &str) -> Result<String, String> {
    let problem = |error: std::io::Error| format!("rustfmt: {error}");
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--config-path"]).arg(root);
    rustfmt.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = rustfmt.spawn().map_err(problem)?;
    // No deadlock between the two pipes: rustfmt reads to the end before it writes.
    child.stdin.take().ok_or("rustfmt has no input")?.write_all(text.as_bytes()).map_err(problem)?;
    let output = child.wait_with_output().map_err(problem)?;
    if !output.status.success() {
        return Err(format!("rustfmt: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("rustfmt: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Tree;

    #[test]
    fn a_stale_table_is_a_problem() {
        let tree = Tree::new("stale-codes");
        tree.file("rustfmt.toml", "max_width = 110\n");
        let row = r#"{"code":"odd","http":400,"fault":"client","retry":false,"text":"it is odd"}"#;
        let close = r#"{"code":4000,"name":"away","fault":"nobody","reconnect":true,"text":"gone away"}"#;
        tree.file("spec/codes.json", &format!(r#"{{"errors":[{row}],"closes":[{close}]}}"#));
        let text = formatted(tree.root(), &crate::codes::generate(tree.root()).unwrap()).unwrap();
        tree.file(CODES, &text);
        assert!(check(tree.root()).unwrap().is_empty());
        tree.file(CODES, &text.replace("4000", "4001"));
        assert_eq!(check(tree.root()).unwrap().len(), 1);
        tree.file(
            DOCUMENT,
            "<!-- codes.json: errors -->\n<!-- end -->\n<!-- codes.json: closes -->\n<!-- end -->\n",
        );
        assert_eq!(check(tree.root()).unwrap().len(), 2);
        crate::code_tables::write(tree.root()).unwrap();
        assert_eq!(check(tree.root()).unwrap().len(), 1);
    }
}
