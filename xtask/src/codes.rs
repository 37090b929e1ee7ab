//! The error and close codes: `spec/codes.json` is the one source, the Rust table is written from it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

const SOURCE: &str = "spec/codes.json";
const TARGET: &str = "crates/protocol/src/codes.rs";

/// Writes the Rust table.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    let text = generate(root)?;
    std::fs::write(root.join(TARGET), text).map_err(|error| format!("{TARGET}: {error}"))
}

/// The Rust table as it has to be.
pub(crate) fn generate(root: &Path) -> Result<String, String> {
    let codes = read(root)?;
    let mut out = String::from(
        "//! Every error and close code that a client or backend can meet.\n//!\n\
         //! Written by `cargo xtask codes` from `spec/codes.json`; change that file, not this one.\n\n\
         /// Whose doing a failure is.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub enum Fault {\n    \
         /// The client's or the calling backend's.\n    Client,\n    \
         /// The server's or the application's behind it.\n    Server,\n    \
         /// Nobody's: it is how things end.\n    Nobody,\n}\n\n",
    );
    errors(&mut out, list(&codes, "errors")?)?;
    closes(&mut out, list(&codes, "closes")?)?;
    Ok(out)
}

/// The one source.
pub(crate) fn read(root: &Path) -> Result<Value, String> {
    let source = std::fs::read_to_string(root.join(SOURCE)).map_err(|error| format!("{SOURCE}: {error}"))?;
    serde_json::from_str(&source).map_err(|error| format!("{SOURCE}: {error}"))
}

/// One of its two lists.
pub(crate) fn list<'a>(codes: &'a Value, name: &str) -> Result<&'a Vec<Value>, String> {
    codes[name].as_array().ok_or_else(|| format!("{SOURCE}: no list {name}"))
}

fn errors(out: &mut String, rows: &[Value]) -> Result<(), String> {
    out.push_str(
        "/// What went wrong with one request or message. The connection is kept.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum ErrorCode {\n",
    );
    for row in rows {
        let text = sentence(field(row, "text")?);
        let _ = writeln!(out, "    /// {text}.\n    {},", variant(field(row, "code")?));
    }
    out.push_str("}\n\nimpl ErrorCode {\n    /// All of them.\n    pub const ALL: &[ErrorCode] = &[\n");
    for row in rows {
        let _ = writeln!(out, "        ErrorCode::{},", variant(field(row, "code")?));
    }
    out.push_str("    ];\n\n");
    method(
        out,
        rows,
        "ErrorCode",
        "as_str",
        "&'static str",
        "The code as it is written in every dialect.",
        |row| Ok(format!("\"{}\"", field(row, "code")?)),
    )?;
    method(out, rows, "ErrorCode", "text", "&'static str", "The general text, for people.", |row| {
        Ok(format!("\"{}\"", field(row, "text")?))
    })?;
    method(
        out,
        rows,
        "ErrorCode",
        "http_status",
        "u16",
        "The status of an HTTP response that carries it.",
        |row| Ok(row["http"].as_u64().ok_or("an error without http")?.to_string()),
    )?;
    method(out, rows, "ErrorCode", "retry", "bool", "Whether the same request may succeed later.", |row| {
        Ok(row["retry"].as_bool().ok_or("an error without retry")?.to_string())
    })?;
    method(out, rows, "ErrorCode", "fault", "Fault", "Whose doing it is.", fault)?;
    out.truncate(out.len() - 1);
    out.push_str("}\n\n");
    Ok(())
}

fn closes(out: &mut String, rows: &[Value]) -> Result<(), String> {
    out.push_str(
        "/// Why a connection was closed; the code of the WebSocket close frame (RFC 6455, section 7.4).\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[repr(u16)]\npub enum CloseCode {\n",
    );
    for row in rows {
        let number = row["code"].as_u64().ok_or("a close without code")?;
        let text = sentence(field(row, "text")?);
        let _ = writeln!(out, "    /// {text}.\n    {} = {number},", variant(field(row, "name")?));
    }
    out.push_str("}\n\nimpl CloseCode {\n    /// All of them.\n    pub const ALL: &[CloseCode] = &[\n");
    for row in rows {
        let _ = writeln!(out, "        CloseCode::{},", variant(field(row, "name")?));
    }
    out.push_str(
        "    ];\n\n    /// The number on the wire.\n    pub fn number(self) -> u16 {\n        self as u16\n    }\n\n    \
         /// The code of a number on the wire.\n    pub fn from_number(number: u16) -> Option<Self> {\n        \
         Self::ALL.iter().copied().find(|code| code.number() == number)\n    }\n\n",
    );
    method(out, rows, "CloseCode", "as_str", "&'static str", "The name, for metrics and logs.", |row| {
        Ok(format!("\"{}\"", field(row, "name")?))
    })?;
    method(out, rows, "CloseCode", "text", "&'static str", "The reason on the wire.", |row| {
        Ok(format!("\"{}\"", field(row, "text")?))
    })?;
    method(out, rows, "CloseCode", "reconnect", "bool", "Whether connecting again is of use.", |row| {
        Ok(row["reconnect"].as_bool().ok_or("a close without reconnect")?.to_string())
    })?;
    method(out, rows, "CloseCode", "fault", "Fault", "Whose doing it is.", fault)?;
    out.truncate(out.len() - 1);
    out.push_str("}\n");
    Ok(())
}

fn method(
    out: &mut String,
    rows: &[Value],
    kind: &str,
    name: &str,
    returns: &str,
    doc: &str,
    value: impl Fn(&Value) -> Result<String, String>,
) -> Result<(), String> {
    let _ = writeln!(out, "    /// {doc}\n    pub fn {name}(self) -> {returns} {{\n        match self {{");
    for row in rows {
        let label = row["name"].as_str().map_or_else(|| field(row, "code"), Ok)?;
        let _ = writeln!(out, "            {kind}::{} => {},", variant(label), value(row)?);
    }
    out.push_str("        }\n    }\n\n");
    Ok(())
}

fn fault(row: &Value) -> Result<String, String> {
    Ok(format!("Fault::{}", variant(field(row, "fault")?)))
}

/// A text in a row.
pub(crate) fn field<'a>(row: &'a Value, name: &str) -> Result<&'a str, String> {
    row[name].as_str().ok_or_else(|| format!("{SOURCE}: a row without {name}: {row}"))
}

fn variant(code: &str) -> String {
    code.split('_').map(sentence).collect()
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
