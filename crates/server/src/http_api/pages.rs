//! What is served without a key: life, readiness, metrics, and the document.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use fanfare_protocol::ErrorCode;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::error::ApiError;
use super::snapshot::Snapshot;
use super::{ApiState, openapi, reply};
use crate::metrics;

/// The pages, as the document lists them: path, and a line for people.
pub(super) const PAGES: [(&str, &str); 4] = [
    ("/health", "Whether the node lives"),
    ("/ready", "Whether new clients should be sent here"),
    ("/metrics", "The node's numbers, for Prometheus"),
    ("/openapi.json", "This document"),
];

pub(super) fn router(metrics: bool) -> Router<Arc<ApiState>> {
    let router = Router::new()
        .route("/health", get(async || reply::json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned())))
        .route("/ready", get(ready))
        .route("/openapi.json", get(async || document()));
    if !metrics {
        return router;
    }
    let snapshot = Snapshot::default();
    router.route("/metrics", get(async move |State(state)| scrape(&snapshot, state).await))
}

async fn ready(State(state): State<Arc<ApiState>>) -> Response {
    match (state.is_ready)() {
        true => reply::json(StatusCode::OK, r#"{"status":"ready"}"#.to_owned()),
        false => ApiError::from(ErrorCode::Draining).respond(),
    }
}

async fn scrape(snapshot: &Snapshot, state: Arc<ApiState>) -> Response {
    let make = async move {
        let text = state.fanfare.metrics().await?.encode().map_err(|_| ErrorCode::Internal)?;
        Ok(Bytes::from(text))
    };
    match snapshot.get(make).await {
        Ok(page) => {
            let mut response = reply::json(StatusCode::OK, page);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
            response
        }
        Err(code) => ApiError::from(code).respond(),
    }
}

/// Written once: anyone may ask for it, as often as they like.
static DOCUMENT: LazyLock<Option<String>> = LazyLock::new(|| openapi::document().to_json().ok());

fn document() -> Response {
    match &*DOCUMENT {
        Some(text) => reply::json(StatusCode::OK, text.clone()),
        None => ApiError::from(ErrorCode::Internal).respond(),
    }
}
