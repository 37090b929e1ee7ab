//! From a request's body to the operation's own type, with errors that say where.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use fanfare_protocol::ErrorCode;
use fanfare_protocol::dialect::excerpt;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_path_to_error::{Path, Segment};

use super::error::ApiError;
use crate::network;

/// The deepest nesting of a body, payload included.
const DEPTH_MAX: usize = 64;

/// What is still read of a body that is refused, so that its caller can go on with the connection. Behind more than this
/// the connection is ended, and the listener reads on for a while, so that the caller sees why.
const DISCARD_BYTES_MAX: usize = 1024 * 1024;
/// And for how long.
const DISCARD_MAX: Duration = Duration::from_secs(2);

/// Reads a body, within its bounds. An empty one stands for an empty object.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    bytes_max: usize,
    deadline: Duration,
) -> Result<Bytes, ApiError> {
    if let Err(denied) = network::head::judge_encoding(headers) {
        discard(headers, body).await;
        return Err(denied.into());
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > bytes_max as u64) {
        discard(headers, body).await;
        return Err(too_large(bytes_max));
    }
    let bytes = match tokio::time::timeout(deadline, gather(&mut body, bytes_max)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            discard(headers, body).await;
            return Err(error);
        }
        Err(_) => return Err(ErrorCode::HandshakeTimeout.into()),
    };
    if bytes.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    if !is_json(headers) {
        let message = "the body must be JSON, announced as \"Content-Type: application/json\"";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType, message));
    }
    Ok(bytes)
}

async fn gather(body: &mut Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    let broken = |_| ApiError::new(ErrorCode::InvalidRequest, "the body broke off");
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if gathered.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        gathered.extend_from_slice(&data);
    }
    Ok(gathered.freeze())
}

/// Reads a bounded rest of a body and forgets it. Who waits to be told to go on is not told, and sends nothing.
pub(super) async fn discard(headers: &HeaderMap, mut body: Body) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let reading = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > DISCARD_BYTES_MAX {
                break;
            }
        }
    };
    // What takes longer is not waited for.
    let _ = tokio::time::timeout(DISCARD_MAX, reading).await;
}

fn too_large(bytes_max: usize) -> ApiError {
    ApiError::new(ErrorCode::MessageTooLarge, format!("the body is larger than {bytes_max} bytes"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Understands a body. What the caller sent appears in errors only as a bounded, escaped excerpt.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ApiError::new(ErrorCode::InvalidJson, "the body is not valid UTF-8"))?;
    if depth(body) > DEPTH_MAX {
        let message = format!("the body is nested more than {DEPTH_MAX} levels deep");
        return Err(ApiError::new(ErrorCode::NestingTooDeep, message));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| refusal(error.path(), error.inner()))?;
    json.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

/// How deeply brackets are nested outside strings.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn syntax(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let message =
        format!("the body is not valid JSON: {what} at line {}, column {}", error.line(), error.column());
    ApiError::new(ErrorCode::InvalidJson, message)
}

fn refusal(path: &Path, error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        return syntax(error);
    }
    let text = error.to_string();
    if let Some(rest) = text.strip_prefix("unknown field `") {
        return unknown(rest);
    }
    let field = written(path);
    let expected = text.rsplit_once("expected ").map_or("of another kind", |(_, rest)| rest);
    let expected = expected.split(" at line ").next().unwrap_or_default();
    if field.is_empty() {
        return ApiError::new(ErrorCode::InvalidRequest, "the body must be a JSON object");
    }
    if let Some(missing) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return ApiError::missing(&format!("{field}.{missing}"));
    }
    ApiError::invalid(&field, in_json(expected))
}

/// What serde calls by names of Rust's, in words of JSON's.
fn in_json(expected: &str) -> &str {
    match expected {
        "f32" | "f64" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "a map" => "an object",
        "a sequence" => "a list",
        other => other,
    }
}

/// The rest of serde's message is the name in backticks, then the names that are known.
fn unknown(rest: &str) -> ApiError {
    let listed = rest.rsplit_once("`, expected ");
    let (name, known) = listed.or_else(|| rest.rsplit_once("`, there are no ")).unwrap_or((rest, ""));
    let name = excerpt(name);
    let known = known.split(" at line ").next().unwrap_or_default();
    let known = known.trim_start_matches("one of ").replace('`', "\"");
    let message = match known.as_str() {
        "" | "fields" => format!("no member \"{name}\" is known here"),
        known => format!("no member \"{name}\" is known here; known are {known}"),
    };
    ApiError::new(ErrorCode::InvalidRequest, message).at(&name)
}

/// A path as the caller would write it: `tags.colour`, `users[3]`.
fn written(path: &Path) -> String {
    let mut out = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("[{index}]")),
            Segment::Map { key } => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&excerpt(key));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, wanted) in [("1", 0), ("{}", 1), (r#"{"a":[{}]}"#, 3), (r#"["[[\"[["]"#, 1), ("]]]", 0)] {
            assert_eq!(depth(json.as_bytes()), wanted, "{json}");
        }
    }
}
