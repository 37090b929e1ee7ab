//! The header `Idempotency-Key`, as other APIs have it.

use fanfare_protocol::ErrorCode;
use http::{HeaderMap, HeaderName};

use super::error::ApiError;
use super::fields;
use super::operation::Route;

const NAME: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of a request for an operation; none without the header. It may stand in quotes, as the structured form of the
/// header has it (draft-ietf-httpapi-idempotency-key-header), or bare.
///
/// # Errors
/// When there are two, when it is no name, or when the operation cannot honour it: a caller who relies on it must not
/// believe that it counts.
pub(super) fn key(headers: &HeaderMap, route: &Route) -> Result<Option<Box<str>>, ApiError> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = |text: String| Err(ApiError::new(ErrorCode::InvalidRequest, text));
    if !route.keyed {
        return wrong(format!("\"{}\" does not honour the header Idempotency-Key: leave it out", route.name));
    }
    if values.next().is_some() {
        return wrong("the header Idempotency-Key stands there twice".to_owned());
    }
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    fields::short(&Some(bare.into()), "Idempotency-Key")
}
