//! Parts of answers: JSON responses, payloads, times.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_protocol::Payload;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A response in JSON that nobody keeps.
pub(super) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response
}

/// A payload that is JSON or text, as the value it is; binary ones are left out.
pub(super) fn data(payload: &Payload) -> Option<Box<RawValue>> {
    match payload {
        // Known to be well-formed; the check costs little and spares an `unsafe`.
        Payload::Json(bytes) => serde_json::from_slice(bytes).ok(),
        Payload::Text(bytes) => serde_json::value::to_raw_value(&String::from_utf8_lossy(bytes)).ok(),
        Payload::Binary(_) => None,
    }
}

/// A binary payload, in base64.
pub(super) fn binary(payload: &Payload) -> Option<String> {
    match payload {
        Payload::Binary(bytes) => Some(STANDARD.encode(bytes)),
        Payload::Json(_) | Payload::Text(_) => None,
    }
}

/// Milliseconds of Unix time, written in seconds with a fraction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) u64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}
