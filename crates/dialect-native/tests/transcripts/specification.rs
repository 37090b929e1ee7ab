//! The examples of `spec/SPEC.md` are true: what a client says there is understood, and what the server says
//! is in the transcripts.

use fanfare_dialect_native::NativeJson;
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Dialect, Incoming};

use fanfare_testkit::transcripts::spec;

use super::SUITE;

#[test]
fn the_examples_of_the_specification_are_true() {
    let text = std::fs::read_to_string(spec().join("SPEC.md")).unwrap();
    let told = SUITE.texts().unwrap();
    let (mut said_count, mut told_count) = (0, 0);
    for (index, line) in text.lines().enumerate() {
        if let Some(message) = line.strip_prefix("→ ") {
            let outcome = NativeJson.decode(Incoming::Text(message), &DecodeLimits::default());
            assert!(outcome.is_ok(), "SPEC.md:{}: {outcome:?}", index + 1);
            said_count += 1;
        } else if let Some(message) = line.strip_prefix("← ") {
            assert!(told.contains(message), "SPEC.md:{}: in no transcript: {message}", index + 1);
            told_count += 1;
        }
    }
    assert!(said_count >= 15 && told_count >= 25, "{said_count} and {told_count} examples");
}
