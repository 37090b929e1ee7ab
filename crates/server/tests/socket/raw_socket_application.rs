//! Messages that are no messages: each is told a stable code, and the connection is kept.

use std::sync::Arc;

use super::support::case::{Case, Start, judge};
use super::support::frames::{BINARY, FIN, frame, text};
use super::support::node::{TestNode, builder};

fn one(name: &str, message: impl AsRef<[u8]>, expected: &str) -> Case {
    Case::new(name, vec![text(message)], &[expected])
}

fn not_an_object() -> Vec<Case> {
    let json = "error invalid_json";
    let object = "error invalid_message";
    vec![
        one("nothing", "", json),
        one("spaces", "   ", json),
        one("prose", "hello", json),
        one("a truncated object", r#"{"type":"ping""#, json),
        one("two objects", r#"{"type":"ping"}{"type":"ping"}"#, json),
        one("a trailing comma", r#"{"type":"ping",}"#, json),
        one("a byte order mark", "\u{feff}{\"type\":\"ping\"}", json),
        one("a raw control character", "{\"type\":\"pi\u{1}ng\"}", json),
        one("a number that is none", r#"{"type":"ping","id":NaN}"#, json),
        one("a number with a zero in front", r#"{"type":"ping","id":01}"#, json),
        one("null", "null", object),
        one("true", "true", object),
        one("a number", "42", object),
        one("a huge number", "1e400", object),
        one("a string", r#""ping""#, object),
        one("a list", r#"[{"type":"ping"}]"#, object),
        one("no type", "{}", object),
        one("a type of null", r#"{"type":null}"#, object),
        one("a type that is a number", r#"{"type":1}"#, object),
        one("a type that is an object", r#"{"type":{"type":"ping"}}"#, object),
        one("a type that is half a pair", r#"{"type":"\ud800"}"#, object),
        Case::new(
            "a binary message",
            vec![frame(FIN | BINARY, br#"{"type":"ping"}"#)],
            &["error wrong_frame_kind"],
        ),
        Case::new("an empty binary message", vec![frame(FIN | BINARY, "")], &["error wrong_frame_kind"]),
    ]
}

fn deep() -> Vec<Case> {
    let too_deep = "error nesting_too_deep";
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    vec![
        one("10,000 lists", lists(10_000), too_deep),
        one("32,000 lists that never end", "[".repeat(32_000), too_deep),
        one("10,000 objects", objects, too_deep),
        one(
            "10,000 lists in data",
            format!(r#"{{"type":"message","channel":"d","data":{}}}"#, lists(10_000)),
            too_deep,
        ),
        one(
            "10,000 lists in data, with an id",
            format!(r#"{{"id":7,"type":"publish","channel":"d","data":{}}}"#, lists(10_000)),
            "error 7 nesting_too_deep",
        ),
        one(
            "10,000 brackets in a string",
            format!(r#"{{"type":"ping","id":7,"data":"{}"}}"#, "[".repeat(10_000)),
            "pong 7",
        ),
    ]
}

fn numbers() -> Vec<Case> {
    let field = "error 1 invalid_field";
    let history = |member: &str| format!(r#"{{"type":"history","id":1,"channel":"numbers",{member}}}"#);
    let recover = |offset: &str| {
        format!(
            r#"{{"type":"subscribe","id":1,"channel":"numbers","recover":{{"epoch":"00","offset":{offset}}}}}"#
        )
    };
    let digits = "9".repeat(300);
    vec![
        one(
            "an id of any size",
            r#"{"type":"ping","id":1e999999}"#,
            r#"FRAME {"type":"pong","id":1e999999}"#,
        ),
        one("an id of 300 digits", format!(r#"{{"type":"ping","id":{digits}}}"#), "error invalid_field"),
        one(
            "an id of 300 letters",
            format!(r#"{{"type":"ping","id":"{}"}}"#, "i".repeat(300)),
            "error invalid_field",
        ),
        one("an id that is a list", r#"{"type":"ping","id":[1]}"#, "error invalid_field"),
        one("an id that is true", r#"{"type":"ping","id":true}"#, "error invalid_field"),
        one("a negative limit", history(r#""limit":-1"#), field),
        one("a limit with a fraction", history(r#""limit":1.5"#), field),
        one("a limit of 2^32", history(r#""limit":4294967296"#), field),
        one("a limit of many digits", history(&format!(r#""limit":{digits}"#)), field),
        one("a limit in words", history(r#""limit":"10""#), field),
        one("a negative offset", recover("-1"), field),
        one("an offset of 2^64", recover("18446744073709551616"), field),
        one("an offset in exponents", recover("1e3"), field),
        one("a place without an offset", recover("null"), "error 1 missing_field"),
        one(
            "a place that is no object",
            r#"{"type":"subscribe","id":1,"channel":"numbers","recover":5}"#,
            field,
        ),
        one(
            "a place that never was",
            history(r#""since":{"epoch":"0000000000000000","offset":18446744073709551615}"#),
            "error 1 history_unavailable",
        ),
    ]
}

fn names() -> Vec<Case> {
    let channel = "error 1 invalid_channel";
    let field = "error 1 invalid_field";
    let subscribe = |member: &str| format!(r#"{{"type":"subscribe","id":1,{member}}}"#);
    let long = "n".repeat(256);
    let many = vec![r#""u""#; 65].join(",");
    vec![
        one("an unknown type", r#"{"type":"nothing","id":1}"#, "error 1 unknown_type"),
        one("an unknown type without an id", r#"{"type":"PING"}"#, "error unknown_type"),
        one("an empty type", r#"{"type":"","id":1}"#, field),
        one("a long type", format!(r#"{{"type":"{long}","id":1}}"#), field),
        one("a type with a control character", r#"{"type":"a\u0000b","id":1}"#, field),
        one("no channel", r#"{"type":"publish","id":1,"data":1}"#, "error 1 missing_field"),
        one("no channel and no id", r#"{"type":"message","data":1}"#, "error missing_field"),
        one("no data", r#"{"type":"publish","id":1,"channel":"n"}"#, "error 1 missing_field"),
        one("a channel of null", subscribe(r#""channel":null"#), "error 1 missing_field"),
        one("a channel that is a number", subscribe(r#""channel":5"#), field),
        one("an empty channel", subscribe(r#""channel":"""#), channel),
        one("a long channel", subscribe(&format!(r#""channel":"{long}""#)), channel),
        one("a channel with a control character", subscribe(r#""channel":"a\u0007b""#), channel),
        one("a channel with a line break", subscribe(r#""channel":"a\r\nb""#), channel),
        one("a channel that is half a pair", subscribe(r#""channel":"\udc00""#), field),
        one("a pattern without a wildcard", subscribe(r#""pattern":"a.b""#), channel),
        one("a pattern with an empty token", subscribe(r#""pattern":"a..*""#), channel),
        one("a pattern that goes on", subscribe(r#""pattern":"a.>.b""#), channel),
        one("channel and pattern", subscribe(r#""channel":"a","pattern":"a.*""#), field),
        one("history of a pattern", subscribe(r#""pattern":"a.*","history":1"#), field),
        one("a filter that is a list", subscribe(r#""channel":"a","filter":["x"]"#), field),
        one("a filter without a value", subscribe(r#""channel":"a","filter":{"x":[]}"#), field),
        one("presence in words", subscribe(r#""channel":"a","presence":"yes""#), field),
        one("tags that are a list", r#"{"type":"publish","id":1,"channel":"n","data":1,"tags":[]}"#, field),
        one(
            "a tag that is a number",
            r#"{"type":"publish","id":1,"channel":"n","data":1,"tags":{"a":1}}"#,
            field,
        ),
        one("data and binary", r#"{"type":"publish","id":1,"channel":"n","data":1,"binary":""}"#, field),
        one("binary that is no base64", r#"{"type":"publish","id":1,"channel":"n","binary":"*"}"#, field),
        one(
            "a long key",
            format!(r#"{{"type":"publish","id":1,"channel":"n","data":1,"idempotency_key":"{long}"}}"#),
            field,
        ),
        one("too many users", format!(r#"{{"type":"users","id":1,"users":[{many}]}}"#), field),
        one("users that are no list", r#"{"type":"users","id":1,"users":"ann"}"#, field),
        one("a user that is empty", r#"{"type":"users","id":1,"users":[""]}"#, field),
    ]
}

fn out_of_place() -> Vec<Case> {
    vec![
        one(
            "leaving where one never was",
            r#"{"type":"unsubscribe","id":1,"channel":"never"}"#,
            "error 1 not_subscribed",
        ),
        one(
            "a method that is not there",
            r#"{"type":"request","id":1,"method":"nothing"}"#,
            "error 1 unknown_method",
        ),
        one("a request without a method", r#"{"type":"request","id":1}"#, "error 1 missing_field"),
        one(
            "a token that nobody wants",
            r#"{"type":"auth","id":1,"token":"secret"}"#,
            "error 1 authentication_disabled",
        ),
        one(
            "a status without a user",
            r#"{"type":"status","id":1,"status":"away"}"#,
            "error 1 permission_denied",
        ),
        one("a status that is none", r#"{"type":"status","id":1,"status":"gone"}"#, "error 1 invalid_field"),
        one("a member given twice", r#"{"type":"nothing","type":"ping","id":1,"id":2}"#, "pong 2"),
        one("members that nobody knows", r#"{"type":"ping","id":1,"x":{"y":[null]}}"#, "pong 1"),
        Case::new(
            "one after the other",
            vec![[text("null"), text("{"), frame(FIN | BINARY, "x"), text("{}")].concat()],
            &[
                "error invalid_message",
                "error invalid_json",
                "error wrong_frame_kind",
                "error invalid_message",
            ],
        ),
        Case::new("a goodbye", vec![text(r#"{"type":"disconnect"}"#)], &["CLOSE 1000"]),
    ]
}

#[tokio::test]
async fn messages_that_cannot_be_understood_are_told_why_and_keep_their_connection() {
    let node = Arc::new(TestNode::start(builder()).await);
    let cases = [not_an_object(), deep(), numbers(), names(), out_of_place()];
    judge(&node, Start::Member, cases.into_iter().flatten().collect()).await;
}
