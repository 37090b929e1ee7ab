//! Everything that is refused, and how.

use fanfare_core::namespace::{Namespace, Namespaces};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{KEY, MESSAGE_BYTES_MAX, Server, start, start_with};

/// Posts a body and checks status, code and field of the refusal.
async fn check(
    server: &Server,
    operation: &str,
    body: &str,
    status: u16,
    code: &str,
    field: Value,
) -> String {
    let answer = server.post_raw(operation, body.to_owned()).await;
    let shown = body.chars().take(80).collect::<String>();
    assert_eq!(answer.header("content-type"), "application/json", "{operation} {shown}");
    assert_eq!(answer.status, status, "{operation} {shown}: {}", answer.text);
    assert_eq!(answer.code(), code, "{operation} {shown}: {}", answer.text);
    assert_eq!(answer.json()["error"].get("field").cloned().unwrap_or_default(), field, "{}", answer.text);
    assert!(answer.text.len() < 400, "the answer repeats what was sent: {}", answer.text);
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused_with_line_and_column() {
    let server = start().await;
    let cases = [
        ("{\n  \"channel\": \"a\",\n  \"data\" 1}", "expected `:` at line 3, column 10"),
        ("{\"channel\": ", "EOF while parsing a value at line 1, column 12"),
        ("{} {}", "trailing characters at line 1, column 4"),
        ("nonsense", "expected ident at line 1, column 2"),
        ("{\"channel\":\"a\u{1}b\"}", "control character"),
    ];
    for (body, wanted) in cases {
        let message = check(&server, "publish", body, 400, "invalid_json", Value::Null).await;
        assert!(message.contains(wanted), "{body:?}: {message}");
    }
    let answer = server.post_raw("publish", &b"{\"channel\":\"\xff\"}"[..]).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_json".to_owned()));
}

#[tokio::test]
async fn wrong_members_are_named() {
    let server = start().await;
    let long = "x".repeat(300);
    let many: Vec<String> = (0..1001).map(|n| format!("\"u{n}\"")).collect();
    let cases: Vec<(&str, String, &str, Value)> = vec![
        ("publish", "[]".into(), "invalid_request", Value::Null),
        ("publish", "null".into(), "invalid_request", Value::Null),
        ("publish", "{}".into(), "missing_field", json!("channel")),
        ("publish", r#"{"channel":"a"}"#.into(), "missing_field", json!("data")),
        ("publish", r#"{"channel":null,"data":1}"#.into(), "missing_field", json!("channel")),
        ("publish", r#"{"channel":7,"data":1}"#.into(), "invalid_field", json!("channel")),
        ("publish", r#"{"channel":"","data":1}"#.into(), "invalid_channel", json!("channel")),
        ("publish", r#"{"channel":"a\u0000","data":1}"#.into(), "invalid_channel", json!("channel")),
        ("publish", format!(r#"{{"channel":"{long}","data":1}}"#), "invalid_channel", json!("channel")),
        ("publish", r#"{"chanel":"a","data":1}"#.into(), "invalid_request", json!("chanel")),
        ("publish", r#"{"channel":"a","data":1,"binary":"AA=="}"#.into(), "invalid_field", json!("data")),
        ("publish", r#"{"channel":"a","binary":"*"}"#.into(), "invalid_field", json!("binary")),
        ("publish", r#"{"channel":"a","data":1,"from":""}"#.into(), "invalid_field", json!("from")),
        ("publish", r#"{"channel":"a","data":1,"tags":{"t":1}}"#.into(), "invalid_field", json!("tags.t")),
        ("publish", r#"{"channel":"a","data":1,"tags":["t"]}"#.into(), "invalid_field", json!("tags")),
        ("publish", r#"{"channel":"a","data":1,"key":""}"#.into(), "invalid_field", json!("key")),
        (
            "publish",
            format!(r#"{{"channel":"a","data":1,"idempotency_key":"{long}"}}"#),
            "invalid_field",
            json!("idempotency_key"),
        ),
        ("broadcast", r#"{"room":"a"}"#.into(), "missing_field", json!("message")),
        ("broadcast", r#"{"message":1,"data":1}"#.into(), "invalid_request", json!("data")),
        // A room that got lost on the way is not everyone.
        ("broadcast", r#"{"room":null,"message":1}"#.into(), "invalid_field", json!("room")),
        ("send", r#"{"data":1}"#.into(), "missing_field", json!("user")),
        ("send", r#"{"user":"a","users":["b"],"data":1}"#.into(), "invalid_field", json!("user")),
        ("send", r#"{"users":[],"data":1}"#.into(), "invalid_field", json!("users")),
        ("send", r#"{"users":["a",""],"data":1}"#.into(), "invalid_field", json!("users[1]")),
        ("send", format!(r#"{{"users":[{}],"data":1}}"#, many.join(",")), "invalid_field", json!("users")),
        ("send", r#"{"connection":"zzz","data":1}"#.into(), "invalid_field", json!("connection")),
        ("subscribe", r#"{"user":"a"}"#.into(), "missing_field", json!("channel")),
        (
            "subscribe",
            r#"{"user":"a","channel":"b","pattern":"c.*"}"#.into(),
            "invalid_field",
            json!("channel"),
        ),
        ("subscribe", r#"{"user":"a","pattern":"plain"}"#.into(), "invalid_channel", json!("pattern")),
        ("subscribe", r#"{"roles":["a"],"channel":"b"}"#.into(), "invalid_request", json!("roles")),
        ("history", r#"{"channel":"a","limit":-1}"#.into(), "invalid_field", json!("limit")),
        ("history", r#"{"channel":"a","limit":1001}"#.into(), "invalid_field", json!("limit")),
        ("history", r#"{"channel":"a","since":{"offset":1}}"#.into(), "missing_field", json!("since.epoch")),
        (
            "history",
            r#"{"channel":"a","since":{"epoch":"x","offset":1}}"#.into(),
            "invalid_field",
            json!("since.epoch"),
        ),
        (
            "history",
            r#"{"channel":"a","since":{"epoch":"1","offset":"1"}}"#.into(),
            "invalid_field",
            json!("since.offset"),
        ),
        ("batch", r#"{"operations":{}}"#.into(), "invalid_field", json!("operations")),
        ("disconnect", r#"{"user":"a","code":70000}"#.into(), "invalid_field", json!("code")),
        ("counts", r#"{"x":1}"#.into(), "invalid_request", json!("x")),
    ];
    for (operation, body, code, field) in cases {
        check(&server, operation, &body, 400, code, field).await;
    }
}

/// "must be f64" and "must be a sequence" are nothing to who writes JSON.
#[tokio::test]
async fn kinds_of_values_are_named_as_json_has_them() {
    let server = start().await;
    for (operation, body, field, wanted) in [
        ("revoke", r#"{"user":"a","before":"now"}"#, "before", "must be a number"),
        ("disconnect", r#"{"user":"a","code":"x"}"#, "code", "must be a whole number from 0 to 65535"),
        ("users", r#"{"users":"a"}"#, "users", "must be a list"),
        ("publish", r#"{"channel":"a","data":1,"tags":3}"#, "tags", "must be an object"),
    ] {
        let message = check(&server, operation, body, 400, "invalid_field", json!(field)).await;
        assert!(message.ends_with(wanted), "{message}");
    }
}

/// A backend could give a message names that no client may give it.
#[tokio::test]
async fn names_of_labels_are_checked_like_those_of_clients() {
    let server = start().await;
    for (labels, field) in [
        (json!({"tags": {"": "x"}}), "tags"),
        (json!({"tags": {"a\u{7}": "x"}}), "tags"),
        (json!({"key": "a\nb"}), "key"),
        (json!({"idempotency_key": "a\u{0}"}), "idempotency_key"),
        (json!({"idempotency_key": ""}), "idempotency_key"),
    ] {
        let mut body = json!({"channel": "a", "data": 1});
        body.as_object_mut().unwrap().extend(labels.as_object().unwrap().clone());
        check(&server, "publish", &body.to_string(), 400, "invalid_field", json!(field)).await;
    }
    let allowed = json!({"channel": "a", "data": 1, "tags": {"t": "", "u": "line\nline"}});
    assert_eq!(server.post("publish", &allowed).await.status, 200);
}

/// Each shard refused such a subscription by itself, and whoever had asked for it was told that it was done.
#[tokio::test]
async fn a_subscription_that_no_connection_could_have_is_refused() {
    let server = start_with(Namespaces::new(Namespace::default(), true)).await;
    for (body, code) in [
        (r#"{"user":"a","channel":"nowhere:a"}"#, "unknown_namespace"),
        (r#"{"user":"a","pattern":"nowhere:*"}"#, "unknown_namespace"),
        (r#"{"user":"a","pattern":"bare:*"}"#, "permission_denied"),
    ] {
        let answer = server.post_raw("subscribe", body).await;
        assert_eq!(answer.code(), code, "{body}");
    }
    for body in [r#"{"user":"a","channel":"bare:a"}"#, r#"{"user":"a","pattern":"plain.*"}"#] {
        assert_eq!(server.post_raw("subscribe", body).await.status, 200, "{body}");
    }
}

#[tokio::test]
async fn what_the_caller_sent_is_repeated_only_as_an_excerpt() {
    let server = start().await;
    let long = "\u{1b}[31m".escape_default().to_string().replace("\\u{1b}", "\\u001b") + &"x".repeat(2000);
    for body in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"channel":"a","data":1,"tags":{{"{long}":1}}}}"#),
        format!(r#"{{"channel":"a","data":1,"tags":"{long}"}}"#),
    ] {
        let answer = server.post_raw("publish", body).await;
        assert!(
            answer.status == 400 && answer.text.len() < 400 && !answer.text.contains('\u{1b}'),
            "{}",
            answer.text
        );
    }
    let answer = server.get(&format!("/{}", "p".repeat(2000))).await;
    assert!(answer.text.len() < 200, "{}", answer.text);
}

#[tokio::test]
async fn deep_nesting_is_refused_whatever_its_depth() {
    let server = start().await;
    let nested =
        |depth: usize| format!(r#"{{"channel":"a","data":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(server.post_raw("publish", nested(63)).await.status, 200);
    for depth in [64, 1500] {
        check(&server, "publish", &nested(depth), 400, "nesting_too_deep", Value::Null).await;
    }
}

#[tokio::test]
async fn payloads_and_bodies_have_bounds() {
    let server = start().await;
    let of = |bytes: usize| format!(r#"{{"channel":"a","data":"{}"}}"#, "x".repeat(bytes - 2));
    assert_eq!(server.post_raw("publish", of(MESSAGE_BYTES_MAX)).await.status, 200);
    check(&server, "publish", &of(MESSAGE_BYTES_MAX + 1), 413, "message_too_large", json!("data")).await;
    let huge = of(1024 * 1024);
    check(&server, "publish", &huge, 413, "message_too_large", Value::Null).await;
    // The same without an announced length.
    let chunks = huge.into_bytes().chunks(1000).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let stream = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
    let answer = server.post_raw("publish", reqwest::Body::wrap_stream(stream)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "message_too_large".to_owned()));
    let binary = json!({"channel": "a", "binary": "A".repeat(MESSAGE_BYTES_MAX / 3 * 4)});
    assert_eq!(server.post("publish", &binary).await.status, 200);
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let server = start().await;
    let with = |kind: Option<&str>| {
        let request = server.request(Method::POST, "/api/publish").header("x-api-key", KEY);
        let request = request.body(r#"{"channel":"a","data":1}"#);
        kind.map_or_else(
            || request.try_clone().unwrap(),
            |kind| request.try_clone().unwrap().header("content-type", kind),
        )
    };
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(server.finish(with(Some(kind))).await.status, 200, "{kind}");
    }
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        let answer = server.finish(with(kind)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (415, "unsupported_media_type".to_owned()),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn a_key_is_needed_and_its_absence_is_challenged() {
    let server = start().await;
    for (name, value) in [
        ("x-api-key", KEY),
        ("authorization", &format!("Bearer {KEY}")),
        ("authorization", "apikey another-key"),
    ] {
        let request = server.request(Method::GET, "/api/counts").header(name, value);
        assert_eq!(server.finish(request).await.status, 200, "{name}");
    }
    for method in [Method::GET, Method::POST] {
        let nothing = server.finish(server.request(method.clone(), "/api/counts")).await;
        let wrong = server.finish(server.request(method, "/api/counts").header("x-api-key", "wrong")).await;
        for answer in [nothing, wrong] {
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized".to_owned()));
            assert!(answer.header("www-authenticate").starts_with("Bearer realm="));
        }
    }
    // The answer arrives although a large body was on its way.
    let request = server.request(Method::POST, "/api/publish").body("x".repeat(200_000));
    assert_eq!(server.finish(request).await.status, 401);
}

#[tokio::test]
async fn unknown_paths_methods_and_parameters_are_refused() {
    let server = start().await;
    for path in ["/nowhere", "/api/nowhere", "/api", "/api/publish/more"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found".to_owned()), "{path}");
    }
    for (method, path, allow) in [
        (Method::GET, "/api/publish", "POST"),
        (Method::DELETE, "/api/history", "POST,GET,HEAD"),
        (Method::POST, "/health", "GET,HEAD"),
        (Method::PUT, "/metrics", "GET,HEAD"),
    ] {
        let answer = server.finish(server.request(method, path).header("x-api-key", KEY)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (405, "method_not_allowed".to_owned()), "{path}");
        let mut allowed: Vec<&str> = answer.header("allow").split(',').collect();
        let mut wanted: Vec<&str> = allow.split(',').collect();
        allowed.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(allowed, wanted, "{path}");
    }
    let answer = server.get("/api/history?chanel=a").await;
    assert_eq!(
        (answer.code(), &answer.json()["error"]["field"]),
        ("invalid_request".to_owned(), &json!("chanel"))
    );
    let answer = server.get("/api/history?channel=a&limit=many").await;
    assert_eq!(
        (answer.code(), &answer.json()["error"]["field"]),
        ("invalid_field".to_owned(), &json!("limit"))
    );
}
