//! `spec/fanfare.proto` is the truth: the Rust messages are what it compiles to.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

/// With `FANFARE_BLESS=1` the file is written instead of compared.
#[test]
fn the_rust_messages_are_what_the_schema_compiles_to() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let spec = root.join("../../spec");
    let schema = protox::compile(["fanfare.proto"], [&spec]).unwrap();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"));
    prost_build::Config::new()
        .bytes(["."])
        .btree_map(["."])
        .disable_comments(["."])
        .skip_debug(["Authenticate", "Subscribe"])
        .out_dir(out)
        .compile_fds(schema)
        .unwrap();
    let compiled = std::fs::read_to_string(out.join("fanfare.native.v1.rs")).unwrap();
    let wanted = format!(
        "//! The messages of `spec/fanfare.proto`, compiled from it by this crate's `schema` test run with\n\
         //! `FANFARE_BLESS=1`; change that file, not this one.\n\n{compiled}"
    );
    let file = root.join("src/protobuf/messages.rs");
    if std::env::var_os("FANFARE_BLESS").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap();
    assert!(found == wanted, "run FANFARE_BLESS=1 cargo test -p fanfare-dialect-native --test schema");
}
