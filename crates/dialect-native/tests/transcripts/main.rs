//! Golden transcripts: `spec/cases/native/` says what each message is understood as and what each event
//! looks like, in both encodings. `spec/cases/README.md` describes the files.
//!
//! The bytes of the binary encoding are checked by a foreign implementation that knows nothing but
//! `spec/fanfare.proto`. With `FANFARE_BLESS=1` the files are written anew from what the code does: read
//! the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod decode;
mod encode;
mod events;
mod schema;
mod specification;

use std::path::PathBuf;

use serde::Serialize;

/// One file of cases.
#[derive(Serialize, serde::Deserialize)]
struct Transcript<Case> {
    cases: Vec<Case>,
}

fn spec() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec")
}

fn folder() -> PathBuf {
    spec().join("cases/native")
}

/// The names of the files that begin so.
fn files(start: &str) -> Vec<String> {
    let names = std::fs::read_dir(folder()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(start)).collect();
    names.sort();
    names
}

/// Compares a file with what it should be, or writes it.
fn settle<Case: Serialize>(file: &str, cases: Vec<Case>) {
    let wanted = serde_json::to_string_pretty(&Transcript { cases }).unwrap() + "\n";
    let path = folder().join(file);
    if std::env::var_os("FANFARE_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    for (index, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(found, wanted, "{file}:{}", index + 1);
    }
    assert_eq!(found.lines().count(), wanted.lines().count(), "{file} is longer or shorter");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_file_is_walked() {
    for name in files("") {
        assert!(name.starts_with("decode_") || name.starts_with("encode_"), "{name} is of no kind");
    }
    assert!(!files("decode_").is_empty());
}
