//! The API as pages of other sites reach it, in the order in which a browser asks.

use http::Method;
use reqwest::header::{HeaderMap, VARY};
use serde_json::{Value, json};

use super::support::{Answer, KEY, Server, start_from};

const APP: &str = "https://app.example";

async fn preflight(server: &Server, origin: &str, path: &str) -> Answer {
    let request = server.request(Method::OPTIONS, path).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    server.finish(request.header("access-control-request-headers", "content-type,x-api-key")).await
}

async fn publish(server: &Server, origin: Option<&str>) -> Answer {
    let mut request = server.request(Method::POST, "/api/publish").header("x-api-key", KEY);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let body = json!({"channel": "room", "data": 1}).to_string();
    server.finish(request.header("content-type", "application/json").body(body)).await
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn code(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.text).unwrap()["error"]["code"].clone()
}

async fn published(server: &Server) -> Value {
    let request = server.request(Method::GET, "/api/history?channel=room").header("x-api-key", KEY);
    let answer = server.finish(request).await;
    serde_json::from_str::<Value>(&answer.text).unwrap()["messages"].as_array().map(Vec::len).into()
}

#[tokio::test]
async fn a_page_that_is_allowed_asks_first_and_then_publishes() {
    let server = start_from(&[APP]).await;
    let answer = preflight(&server, APP, "/api/publish").await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(named(&answer.headers, "access-control-allow-origin"), APP);
    assert_eq!(named(&answer.headers, "access-control-allow-methods"), "GET, POST, DELETE");
    for header in ["x-api-key", "authorization", "content-type", "idempotency-key"] {
        assert!(named(&answer.headers, "access-control-allow-headers").contains(header), "{header}");
    }
    assert_eq!(named(&answer.headers, "access-control-max-age"), "600");
    assert_eq!(named(&answer.headers, "vary"), "origin");
    assert_eq!(named(&answer.headers, "access-control-allow-credentials"), "");
    let answer = publish(&server, Some(APP)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(named(&answer.headers, "access-control-allow-origin"), APP);
    assert_eq!(published(&server).await, 1);
    // An error is for the page to read as well.
    let wrong = server.request(Method::POST, "/api/publish").header("origin", APP);
    let answer = server.finish(wrong).await;
    assert_eq!((answer.status.as_u16(), named(&answer.headers, "access-control-allow-origin")), (401, APP));
}

#[tokio::test]
async fn a_page_that_is_not_allowed_changes_nothing() {
    let server = start_from(&[APP]).await;
    for origin in ["https://evil.example", "null", "https://app.example.evil.com", "http://app.example"] {
        let answer = preflight(&server, origin, "/api/publish").await;
        assert_eq!((answer.status.as_u16(), code(&answer)), (403, json!("origin_not_allowed")), "{origin}");
        assert_eq!(named(&answer.headers, "access-control-allow-origin"), "", "{origin}");
        let answer = publish(&server, Some(origin)).await;
        assert_eq!((answer.status.as_u16(), code(&answer)), (403, json!("origin_not_allowed")), "{origin}");
        assert_eq!(named(&answer.headers, "access-control-allow-origin"), "", "{origin}");
    }
    assert_eq!(published(&server).await, 0);
    let reading = server.request(Method::GET, "/health").header("origin", "https://evil.example");
    let answer = server.finish(reading).await;
    assert_eq!(answer.status, 200);
    assert_eq!(named(&answer.headers, "access-control-allow-origin"), "");
    assert_eq!(answer.headers.get(VARY).unwrap(), "origin");
}

#[tokio::test]
async fn a_backend_and_the_servers_own_page_ask_as_before() {
    let server = start_from(&[]).await;
    assert_eq!(publish(&server, None).await.status, 200);
    let own = format!("http://{}", server.address);
    let answer = publish(&server, Some(&own)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(named(&answer.headers, "access-control-allow-origin"), "");
    assert_eq!(publish(&server, Some(APP)).await.status, 403);
    assert_eq!(published(&server).await, 2);
}
