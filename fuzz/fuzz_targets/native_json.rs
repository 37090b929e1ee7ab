//! Text messages: each is a command or a refusal, and what comes of it can be told to clients of either encoding.

#![no_main]

#[path = "support/native.rs"]
mod native;

use fanfare_dialect_native::NativeJson;
use fanfare_protocol::Incoming;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| native::check(&NativeJson, Incoming::Text(text)));
