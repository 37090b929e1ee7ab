//! Repository chores that need no more than the repository.
//!
//! - `cargo xtask tidy` checks the rules of the repository that the compiler does not.
//! - `cargo xtask codes` writes the code tables from `spec/codes.json`: Rust's, and those in `spec/SPEC.md`.

mod code_tables;
mod codes;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let task = std::env::args().nth(1).unwrap_or_default();
    let result = match task.as_str() {
        "codes" => codes::write(root).and_then(|()| code_tables::write(root)),
        "tidy" => tidy::run(root),
        _ => Err("usage: cargo xtask codes | tidy".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {task}: {error}");
            ExitCode::FAILURE
        }
    }
}
