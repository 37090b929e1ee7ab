//! The document, and the pages that need no key.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{KEY, start};

#[tokio::test]
async fn the_document_is_whole_and_true() {
    let server = start().await;
    let answer = server.finish(server.request(Method::GET, "/openapi.json")).await;
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for reference in references(&document) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} is nowhere");
    }
    let paths = document["paths"].as_object().unwrap();
    for path in paths.keys() {
        for method in [Method::GET, Method::POST] {
            let listed = &paths[path][method.as_str().to_lowercase()];
            let with_key = server.request(method.clone(), path).header("x-api-key", KEY);
            let status = server.finish(with_key).await.status.as_u16();
            assert_ne!(status, 404, "{method} {path}");
            assert_eq!(status == 405, listed.is_null(), "{method} {path}");
            if path.starts_with("/api/") && !listed.is_null() {
                let responses = listed["responses"].as_object().unwrap();
                for status in ["200", "400", "401", "429", "500", "503"] {
                    assert!(responses.contains_key(status), "{method} {path} {status}");
                }
                assert!(!responses.contains_key("default") && listed["security"].is_array());
            }
        }
    }
    assert!(
        document["components"]["schemas"]["ErrorCode"]["enum"]
            .as_array()
            .unwrap()
            .contains(&json!("unauthorized"))
    );
}

#[tokio::test]
async fn the_schemas_say_what_is_required() {
    let server = start().await;
    let document = server.finish(server.request(Method::GET, "/openapi.json")).await.json();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["PublishRequest"]["required"], json!(["channel"]));
    assert_eq!(schemas["BroadcastRequest"]["required"], Value::Null, "either of two members");
    assert_eq!(schemas["Since"]["required"], json!(["epoch", "offset"]));
    assert_eq!(schemas["PublishRequest"]["additionalProperties"], false);
    assert_eq!(schemas["PublishReply"]["required"], json!(["offset", "epoch", "duplicate"]));
}

/// The document let a caller send both of two members that exclude each other, or neither, and a name of any length; it
/// had no status but 200 and "default".
#[tokio::test]
async fn the_schemas_say_what_the_server_checks() {
    let server = start().await;
    let document = server.finish(server.request(Method::GET, "/openapi.json")).await.json();
    let schemas = &document["components"]["schemas"];
    let channel = &schemas["Channel"];
    assert_eq!((&channel["minLength"], &channel["maxLength"]), (&json!(1), &json!(255)));
    assert!(channel["pattern"].is_string() && schemas["Pattern"]["pattern"].is_string());
    let publish = &schemas["PublishRequest"];
    assert_eq!(publish["properties"]["channel"]["$ref"], "#/components/schemas/Channel");
    assert_eq!(publish["oneOf"][0], json!({"required": ["data"]}));
    assert_eq!(publish["oneOf"].as_array().unwrap().len(), 2);
    assert_eq!(schemas["SendRequest"]["allOf"].as_array().unwrap().len(), 2, "whom, and what");
    let limit = &schemas["ChannelsRequest"]["properties"]["limit"];
    assert_eq!((&limit["minimum"], &limit["maximum"]), (&json!(0), &json!(1000)));
    assert_eq!(limit["format"], "int32");
    let history = &document["paths"]["/api/history"]["get"];
    let since = &history["parameters"][2];
    assert_eq!(
        (&since["name"], &since["schema"]["$ref"]),
        (&json!("since.offset"), &json!("#/components/schemas/Offset"))
    );
    let gone = &history["responses"]["410"]["content"]["application/json"]["schema"]["allOf"][1];
    assert_eq!(gone["properties"]["error"]["properties"]["code"]["enum"], json!(["history_unavailable"]));
    let wait = &document["components"]["responses"]["Error503"]["headers"]["Retry-After"];
    assert!(wait.is_object(), "when to try again");
}

/// Who copies an example out of the document gets no error.
#[tokio::test]
async fn every_example_is_carried_out() {
    let server = start().await;
    let document = server.finish(server.request(Method::GET, "/openapi.json")).await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(operation) = path.strip_prefix("/api/") else { continue };
        let schema = &item["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let schema = document.pointer(schema.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
        assert!(schema["example"].is_object(), "{path} has an example");
        server.done(operation, schema["example"].clone()).await;
    }
}

#[tokio::test]
async fn a_node_lives_and_is_ready_until_it_drains() {
    let server = start().await;
    let page = async |path| server.finish(server.request(Method::GET, path)).await;
    assert_eq!(page("/health").await.status, 200);
    assert_eq!(page("/ready").await.status, 200);
    server.ready.store(false, Ordering::Relaxed);
    let answer = page("/ready").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "draining".to_owned()));
    assert_eq!(page("/health").await.status, 200);
}

#[tokio::test]
async fn metrics_count_what_happened_and_name_nothing_a_client_chose() {
    let server = start().await;
    let mut ann = server.member("canary-user", "canary:room").await;
    let _bob = server.member("bob", "canary:room").await;
    server.done("publish", json!({"channel": "canary:room", "data": "canary-payload"})).await;
    ann.hear("message").await;
    ann.say(&json!({"type": "canary-type", "id": 1})).await;
    ann.hear("error").await;
    let refused = server.request(Method::GET, "/ws?dialect=canary-dialect");
    let refused = refused.header("connection", "upgrade").header("upgrade", "websocket");
    let refused =
        refused.header("sec-websocket-version", "13").header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(server.finish(refused).await.code(), "unknown_dialect");
    let answer = server.finish(server.request(Method::GET, "/metrics")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized".to_owned()));
    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        "fanfare_connections{dialect=\"native\"} 2",
        "fanfare_connections_opened_total 2",
        "fanfare_handshakes_refused_total{code=\"unknown_dialect\"} 1",
        "fanfare_subscriptions 2",
        "fanfare_channels 1",
        "fanfare_channels_subscribed 1",
        "fanfare_connections{dialect=\"rooms\"} 0",
        "fanfare_api_calls_total{operation=\"publish\",outcome=\"ok\"} 1",
        "fanfare_api_call_duration_seconds_count{operation=\"publish\"} 1",
        "fanfare_users 2",
        "fanfare_errors_total{code=\"unknown_type\"} 1",
        "fanfare_channels_by_subscribers{at_most=\"2\"} 1",
        "fanfare_channels_by_subscribers{at_most=\"1\"} 0",
    ] {
        assert!(answer.text.lines().any(|found| found == line), "{line} is not in\n{}", answer.text);
    }
    assert!(!answer.text.contains("canary"), "{}", answer.text);
    let open = server.request(Method::GET, "/metrics").bearer_auth(KEY);
    let open = server.finish(open.header("accept", "application/openmetrics-text; version=1.0.0")).await;
    assert!(open.header("content-type").starts_with("application/openmetrics-text"));
    assert!(open.text.ends_with("# EOF\n"));
}

/// The numbers that the API and the metrics both give had two meanings: a channel that only has history counted in one.
#[tokio::test]
async fn counts_and_metrics_agree() {
    let server = start().await;
    let _ann = server.member("ann", "agree:one").await;
    let _bob = server.member("bob", "agree:one").await;
    server.done("publish", json!({"channel": "agree:empty", "data": 1})).await;
    let counts = server.done("counts", json!({})).await;
    let page = server.get("/metrics").await.text;
    let metric = |name: &str| -> u64 {
        let of = |line: &str| {
            let (found, value) = line.rsplit_once(' ')?;
            (found.split('{').next() == Some(name)).then(|| value.parse::<u64>().unwrap())
        };
        page.lines().filter_map(of).sum()
    };
    for (count, name) in [
        ("connections", "fanfare_connections"),
        ("channels", "fanfare_channels"),
        ("channels_subscribed", "fanfare_channels_subscribed"),
        ("users", "fanfare_users"),
        ("history_bytes", "fanfare_history_bytes"),
    ] {
        assert_eq!(counts[count], metric(name), "{count}");
    }
    assert_eq!((&counts["channels"], &counts["channels_subscribed"]), (&json!(2), &json!(1)));
}

/// promtool is what Prometheus' own users check a page with: it complains of names, types and missing help.
#[tokio::test]
async fn promtool_finds_nothing_to_complain_of() {
    let server = start().await;
    let _ann = server.member("ann", "lint:one").await;
    server.done("publish", json!({"channel": "lint:one", "data": 1})).await;
    let page = server.get("/metrics").await.text;
    let mut promtool = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus: scripts/setup.sh test installs it");
    std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

/// Every `$ref` in a document.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("$ref", Value::String(reference)) => vec![reference.clone()],
                (_, value) => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
