//! Frames that break RFC 6455, or keep it in ways that only a hostile client would.

use std::sync::Arc;

use super::support::case::{Case, Start, Step, judge};
use super::support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, Length, PING, PONG, RSV, TEXT, ask, close, frame, frame_of, header,
    text, unmasked,
};
use super::support::node::{TestNode, builder};

/// The limits' default.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

fn one(name: impl Into<String>, bytes: Vec<u8>, expected: &str) -> Case {
    Case::new(name, vec![bytes], &[expected])
}

fn headers() -> Vec<Case> {
    let bad = "CLOSE 1002";
    let mut cases = vec![
        one("unmasked text", unmasked(FIN | TEXT, b"{}"), bad),
        one("unmasked and empty", unmasked(FIN | TEXT, b""), bad),
        one("unmasked ping", unmasked(FIN | PING, b"x"), bad),
        one("unmasked close", unmasked(FIN | CLOSE, &1000_u16.to_be_bytes()), bad),
        one("unmasked behind masked", [frame(FIN | PONG, ""), unmasked(FIN | TEXT, b"")].concat(), bad),
        one("64 bits for 5", frame_of(FIN | TEXT, Length::Long(5), b"hello"), bad),
        one("64 bits for 125", header(FIN | TEXT, true, Length::Long(125)), bad),
        one("64 bits for 65535", header(FIN | BINARY, true, Length::Long(65_535)), bad),
        one("64 bits with the top one", header(FIN | BINARY, true, Length::Long(1 << 63)), bad),
        one("64 bits, all of them", header(FIN | BINARY, true, Length::Long(u64::MAX)), bad),
        one("16 bits for 0", frame_of(FIN | TEXT, Length::Medium(0), b""), bad),
        one("16 bits for 125", frame_of(FIN | TEXT, Length::Medium(125), &[b' '; 125]), bad),
        one("63 bits, all of them", header(FIN | BINARY, true, Length::Long(u64::MAX >> 1)), "CLOSE 1009"),
        one("a byte over the limit", header(FIN | TEXT, true, Length::Long(65_537)), "CLOSE 1009"),
        one("4 GiB", header(FIN | BINARY, true, Length::Long(1 << 32)), "CLOSE 1009"),
        one("ping of 126 bytes", frame(FIN | PING, [b'x'; 126]), bad),
        one("pong of 200 bytes", frame(FIN | PONG, [b'x'; 200]), bad),
        one("ping that announces 1 MiB", header(FIN | PING, true, Length::Long(1 << 20)), bad),
        one("ping with 16 bits for 5", frame_of(FIN | PING, Length::Medium(5), b"hello"), bad),
    ];
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        cases.push(one(format!("opcode {opcode:#x}"), frame(FIN | opcode, ""), bad));
    }
    for (bit, name) in RSV.into_iter().zip(["RSV1", "RSV2", "RSV3"]) {
        cases.push(one(format!("{name} on text"), frame(FIN | bit | TEXT, "{}"), bad));
        cases.push(one(format!("{name} on a ping"), frame(FIN | bit | PING, ""), bad));
        let later = [frame(TEXT, "{"), frame(FIN | bit | CONTINUATION, "}")].concat();
        cases.push(one(format!("{name} on a continuation"), later, bad));
    }
    for (opcode, name) in [(PING, "ping"), (PONG, "pong"), (CLOSE, "close")] {
        cases.push(one(format!("a fragmented {name}"), frame(opcode, ""), bad));
    }
    cases
}

fn closes() -> Vec<Case> {
    let bad = "CLOSE 1002";
    let mut cases = vec![
        one("empty close", frame(FIN | CLOSE, ""), "CLOSE 1000"),
        one("close of one byte", frame(FIN | CLOSE, [3]), bad),
        one("close with a reason", close(1000, "très bien".as_bytes()), "CLOSE 1000"),
        one("close that goes away", close(1001, b""), "CLOSE 1001"),
        one("close with the longest reason", close(1000, &[b'r'; 123]), "CLOSE 1000"),
        one("close with a longer reason", close(1000, &[b'r'; 124]), bad),
        one("reason that is no UTF-8", close(1000, b"\xC3\x28"), "CLOSE 1007"),
        one("reason that ends early", close(1000, b"\xE2\x82"), "CLOSE 1007"),
        one(
            "data after close",
            [close(1000, b""), ask("late"), frame(FIN | PING, "late")].concat(),
            "CLOSE 1000",
        ),
        one("a broken frame after close", [close(1000, b""), frame(FIN | 0xF, "")].concat(), "CLOSE 1000"),
        one("data after a violation", [frame(FIN | 0xF, ""), ask("late")].concat(), bad),
        one("close within a message", [frame(TEXT, "{"), close(1000, b"")].concat(), "CLOSE 1000"),
        Case::new(
            "an answer before the close",
            vec![[ask("last"), close(1000, b"")].concat()],
            &["pong last", "CLOSE 1000"],
        ),
    ];
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65_535] {
        cases.push(one(format!("close with {code}"), close(code, b""), bad));
    }
    for code in [1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
        cases.push(one(format!("close with {code}"), close(code, b""), &format!("CLOSE {code}")));
    }
    cases
}

fn fragments() -> Vec<Case> {
    let bad = "CLOSE 1002";
    let json = br#"{"type":"ping","id":"whole"}"#;
    let (start, end) = json.split_at(9);
    let parts = |first: u8, parts: &[&[u8]]| -> Vec<u8> {
        let last = parts.len() - 1;
        let opcode = |index| if index == 0 { first } else { CONTINUATION };
        let fin = |index| if index == last { FIN } else { 0 };
        parts.iter().enumerate().flat_map(|(i, part)| frame(fin(i) | opcode(i), part)).collect()
    };
    let flood = |count: usize| [frame(TEXT, ""), frame(CONTINUATION, "").repeat(count)].concat();
    let half = [b' '; MESSAGE_BYTES_MAX / 2];
    let over = [frame(TEXT, half), frame(CONTINUATION, half), header(CONTINUATION, true, Length::Short(1))];
    let between = [frame(TEXT, start), frame(FIN | PING, "now"), frame(FIN | CONTINUATION, end)].concat();
    vec![
        one("continuation of nothing", frame(FIN | CONTINUATION, "{}"), bad),
        one("unfinished continuation of nothing", frame(CONTINUATION, ""), bad),
        Case::new(
            "continuation of a whole message",
            vec![[ask("x"), frame(FIN | CONTINUATION, "")].concat()],
            &["pong x", bad],
        ),
        one("text within text", [frame(TEXT, "{"), text("}")].concat(), bad),
        one("binary within text", [frame(TEXT, "{"), frame(FIN | BINARY, "}")].concat(), bad),
        one("unfinished text within text", frame(TEXT, "").repeat(2), bad),
        one("in two", parts(TEXT, &[start, end]), "pong whole"),
        one("an empty one first", parts(TEXT, &[b"", json]), "pong whole"),
        one("an empty one last", parts(TEXT, &[json, b""]), "pong whole"),
        one("one for each byte", parts(TEXT, &json.chunks(1).collect::<Vec<_>>()), "pong whole"),
        Case::new("a ping in between", vec![between], &["PONG now", "pong whole"]),
        one("all of them empty", parts(TEXT, &[&b""[..]; 100]), "error invalid_json"),
        one("as many as may be", [flood(1022), frame(FIN | CONTINUATION, "")].concat(), "error invalid_json"),
        one("a flood of empty ones", flood(20_000), "CLOSE 1009"),
        one("together over the limit", over.concat(), "CLOSE 1009"),
        one("as long as may be", text([b' '; MESSAGE_BYTES_MAX]), "error invalid_json"),
    ]
}

fn utf8() -> Vec<Case> {
    let bad = "CLOSE 1007";
    let two = |first: &[u8], second: &[u8]| [frame(TEXT, first), frame(FIN | CONTINUATION, second)].concat();
    let fine = |rest: &[u8]| [br#"{"type":"ping","id":""#, rest, br#""}"#].concat();
    let mut cases = vec![
        one("a stray byte", text(b"\xFF"), bad),
        one("overlong", text(b"\xC0\xAF"), bad),
        one("a surrogate", text(b"\xED\xA0\x80"), bad),
        one("beyond the last", text(b"\xF4\x90\x80\x80"), bad),
        one("an unfinished end", text(b"{\xE2\x82"), bad),
        one("broken at the border", two(b"{\xE2\x82", b"{"), bad),
        one("broken behind the border", two(b"{", b"\x82\xAC"), bad),
        one("unfinished in the last fragment", two(b"{", b"\xF0\x9F\x8E"), bad),
        one("told before the message ends", frame(TEXT, b"{\xFF"), bad),
        one("told before the frame ends", frame_of(FIN | TEXT, Length::Short(100), b"{\xFF"), bad),
        one("binary may be anything", frame(FIN | BINARY, b"\xFF\xFE"), "error wrong_frame_kind"),
    ];
    let whole = fine("🎺".as_bytes());
    for at in 22..25 {
        cases.push(one(format!("a character split at {at}"), two(&whole[..at], &whole[at..]), "pong 🎺"));
    }
    cases
}

/// A frame of each length form, cut into two writes at each byte of its header and once in its payload.
fn splits() -> Vec<Case> {
    let mut cases = Vec::new();
    for (form, header_bytes, padding) in [("7", 6, 0), ("16", 8, 200), ("64", 14, 65_536 - 28)] {
        let json = format!(r#"{{"type":"ping","id":"split"}}{}"#, " ".repeat(padding));
        let limit = json.len() > MESSAGE_BYTES_MAX;
        let bytes = text(json);
        for at in 1..=header_bytes + 1 {
            let writes = vec![bytes[..at].to_vec(), bytes[at..].to_vec()];
            let expected = if limit { "CLOSE 1009" } else { "pong split" };
            cases.push(Case::new(format!("a length of {form} bits cut at {at}"), writes, &[expected]));
        }
    }
    let bytewise = ask("bytewise").into_iter().map(|byte| vec![byte]).collect();
    cases.push(Case::new("byte by byte", bytewise, &["pong bytewise"]));
    cases
}

fn ends() -> Vec<Case> {
    let within = |bytes: Vec<u8>| vec![bytes[..bytes.len() - 3].to_vec()];
    let answered = Case::new("half-closed behind a request", vec![ask("last")], &["pong last", "EOF"]);
    vec![
        answered.then(Step::Shut),
        Case::new("half-closed at rest", vec![], &["EOF"]).then(Step::Shut),
        Case::new("half-closed within a frame", within(ask("x")), &["EOF"]).then(Step::Shut),
        Case::new("half-closed within a header", vec![vec![FIN | TEXT]], &["EOF"]).then(Step::Shut),
        Case::new("half-closed within a message", vec![frame(TEXT, "{")], &["EOF"]).then(Step::Shut),
        Case::new("reset at rest", vec![], &[]).then(Step::Reset),
        Case::new("reset within a frame", within(ask("x")), &[]).then(Step::Reset),
        Case::new("reset within a header", vec![vec![FIN | TEXT]], &[]).then(Step::Reset),
        Case::new("reset behind a request", vec![ask("x")], &[]).then(Step::Reset),
        Case::new("pongs that nobody asked for", vec![frame(FIN | PONG, "x").repeat(100)], &[]),
        Case::new("an empty ping", vec![frame(FIN | PING, "")], &["PONG"]),
        Case::new(
            "the longest ping",
            vec![frame(FIN | PING, [b'x'; 125])],
            &[&format!("PONG {}", "x".repeat(125))],
        ),
    ]
}

#[tokio::test]
async fn frames_are_taken_or_cost_their_close_code() {
    let node = Arc::new(TestNode::start(builder()).await);
    let cases = [headers(), closes(), fragments(), utf8(), splits(), ends()];
    judge(&node, Start::Member, cases.into_iter().flatten().collect()).await;
}
