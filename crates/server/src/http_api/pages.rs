//! Life, readiness and the document, which need no key; and metrics, which do where other hosts can ask for them.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use fanfare_protocol::ErrorCode;
use http::header::{CONTENT_TYPE, HeaderValue, VARY};
use http::{HeaderMap, StatusCode};

use super::error::ApiError;
use super::snapshot::Snapshot;
use super::{ApiState, access, openapi, reply};
use crate::metrics::{Format, Pages, ProcessMetrics};

/// The pages, as the document lists them: path, and a line for people.
pub(super) const PAGES: [(&str, &str); 4] = [
    ("/health", "Whether the node lives"),
    ("/ready", "Whether new clients should be sent here"),
    (
        "/metrics",
        "The node's numbers, for Prometheus; on the listener for administration, unless configured otherwise",
    ),
    ("/openapi.json", "This document"),
];

/// Whether `/metrics` is served, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsPage {
    /// Not here.
    Absent,
    /// To whoever can connect.
    Open,
    /// To whoever has an API key.
    Keyed,
}

pub(super) fn router(metrics: MetricsPage) -> Router<Arc<ApiState>> {
    let router = Router::new()
        .route("/health", get(async || reply::json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned())))
        .route("/ready", get(ready));
    if metrics == MetricsPage::Absent {
        return router;
    }
    let snapshot = Snapshot::default();
    router.route("/metrics", get(async move |State(state), headers| scrape(&snapshot, state, headers).await))
}

pub(super) fn document_router() -> Router<Arc<ApiState>> {
    Router::new().route("/openapi.json", get(async || document()))
}

async fn ready(State(state): State<Arc<ApiState>>) -> Response {
    match (state.is_ready)() {
        true => reply::json(StatusCode::OK, r#"{"status":"ready"}"#.to_owned()),
        false => ApiError::from(ErrorCode::Draining).respond(),
    }
}

async fn scrape(snapshot: &Snapshot<Pages>, state: Arc<ApiState>, headers: HeaderMap) -> Response {
    if state.metrics == MetricsPage::Keyed
        && let Err(error) = access::check(&state.keys, &headers)
    {
        return error.respond();
    }
    let make = async move {
        state.fanfare.metrics().await?.encode(ProcessMetrics::read()).map_err(|_| ErrorCode::Internal)
    };
    let format = Format::accepted(&headers);
    match snapshot.get(make).await {
        Ok(pages) => {
            let mut response = reply::json(StatusCode::OK, pages.get(format));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
            headers.insert(VARY, HeaderValue::from_static("accept"));
            response
        }
        Err(code) => ApiError::from(code).respond(),
    }
}

/// Written once: anyone may ask for it, as often as they like.
static DOCUMENT: LazyLock<Option<Bytes>> =
    LazyLock::new(|| openapi::document().to_json().ok().map(Bytes::from));

fn document() -> Response {
    match &*DOCUMENT {
        Some(text) => reply::json(StatusCode::OK, text.clone()),
        None => ApiError::from(ErrorCode::Internal).respond(),
    }
}
