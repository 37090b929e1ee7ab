//! The tables of error and close codes in `spec/SPEC.md`, between markers that name them.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::codes;

/// The document with the tables in it.
pub(crate) const DOCUMENT: &str = "spec/SPEC.md";

const END: &str = "<!-- end -->";

/// Writes the tables into the document; a tree without the document has none.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    match generate(root)? {
        None => Ok(()),
        Some(text) => {
            std::fs::write(root.join(DOCUMENT), text).map_err(|error| format!("{DOCUMENT}: {error}"))
        }
    }
}

/// The document as it has to be.
pub(crate) fn generate(root: &Path) -> Result<Option<String>, String> {
    let path = root.join(DOCUMENT);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    let codes = codes::read(root)?;
    let text = replace(&text, "errors", &errors(codes::list(&codes, "errors")?)?)?;
    replace(&text, "closes", &closes(codes::list(&codes, "closes")?)?).map(Some)
}

/// Puts a table between its marker and the end that follows.
fn replace(text: &str, name: &str, table: &str) -> Result<String, String> {
    let marker = format!("<!-- codes.json: {name} -->\n");
    let missing = || format!("{DOCUMENT}: no place for the table of {name}");
    let (before, rest) = text.split_once(&marker).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{marker}\n{table}\n{END}{after}"))
}

fn errors(rows: &[Value]) -> Result<String, String> {
    let mut out = String::from("| code | HTTP | fault | again | meaning |\n|---|---|---|---|---|\n");
    for row in rows {
        let (code, fault, text) =
            (codes::field(row, "code")?, codes::field(row, "fault")?, codes::field(row, "text")?);
        let _ = writeln!(out, "| `{code}` | {} | {fault} | {} | {text} |", row["http"], yes(&row["retry"]));
    }
    Ok(out)
}

fn closes(rows: &[Value]) -> Result<String, String> {
    let mut out = String::from("| code | name | fault | connect again | meaning |\n|---|---|---|---|---|\n");
    for row in rows {
        let (name, fault, text) =
            (codes::field(row, "name")?, codes::field(row, "fault")?, codes::field(row, "text")?);
        let again = yes(&row["reconnect"]);
        let _ = writeln!(out, "| {} | `{name}` | {fault} | {again} | {text} |", row["code"]);
    }
    Ok(out)
}

fn yes(value: &Value) -> &'static str {
    if value.as_bool() == Some(true) { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_what_stands_between_its_markers() {
        let text = "a\n<!-- codes.json: errors -->\nold\n<!-- end -->\nb\n<!-- end -->\n";
        let wanted = "a\n<!-- codes.json: errors -->\n\nnew\n\n<!-- end -->\nb\n<!-- end -->\n";
        assert_eq!(replace(text, "errors", "new\n").as_deref(), Ok(wanted));
        assert_eq!(replace(wanted, "errors", "new\n").as_deref(), Ok(wanted));
        assert!(replace(text, "closes", "new\n").is_err());
    }
}
