//! When an EventSource connects again, and what it is told in place of a refusal that passes.
//!
//! An EventSource that meets any status but 200 gives up for good (WHATWG HTML, section 9.2.3), and no page can tell it
//! otherwise. So a refusal that passes is a stream that says when to come again, and ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use fanfare_protocol::ErrorCode;
use fanfare_wire::sse;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};

/// How long an EventSource waits before it connects again; its own choice would be some seconds.
pub(super) const RETRY_MS: u32 = 1000;

/// The same after a refusal that does not say when it ends: what `Retry-After` says elsewhere.
const REFUSED_MS: u32 = 5000;

/// The fraction of the golden ratio: its multiples divide any interval evenly, however many there are.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Whether the same request may be welcome later.
pub(super) fn passes(code: ErrorCode) -> bool {
    matches!(code.http_status(), 429 | 503) && code.retry()
}

/// How long an EventSource waits that was refused; `wait` is how long the refusal lasts, where that is known. Clients that
/// were refused together do not come again together: each waits up to twice as long as the first.
pub(super) fn retry_ms(wait: Option<Duration>) -> u32 {
    let least_ms = wait.map_or(REFUSED_MS, |wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
    let least_ms = least_ms.max(RETRY_MS);
    least_ms.saturating_add(spread(least_ms))
}

/// The answer in place of a refusal that passes.
pub(super) fn later(code: ErrorCode, retry_ms: u32) -> Response {
    let mut body = format!(": {}\n", code.as_str()).into_bytes();
    sse::encode_retry(&mut body, retry_ms);
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Another part of an interval with each call.
fn spread(over_ms: u32) -> u32 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let part = CALLS.fetch_add(1, Ordering::Relaxed).wrapping_mul(GOLDEN) >> 32;
    ((part * u64::from(over_ms)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_is_put_off() {
        let put_off: Vec<_> = ErrorCode::ALL.iter().filter(|code| passes(**code)).collect();
        let wanted = [
            ErrorCode::TooManyRequestsInFlight,
            ErrorCode::RateLimited,
            ErrorCode::Overloaded,
            ErrorCode::Unavailable,
            ErrorCode::NodeFull,
            ErrorCode::AddressLimit,
            ErrorCode::UserLimit,
            ErrorCode::Draining,
        ];
        assert_eq!(put_off, wanted.iter().collect::<Vec<_>>());
    }

    #[test]
    fn those_who_are_put_off_together_do_not_come_again_together() {
        let mut parts: Vec<u32> = (0..100).map(|_| spread(1000)).collect();
        parts.sort_unstable();
        assert!(parts.windows(2).all(|pair| pair[1] - pair[0] < 50), "{parts:?}");
        assert!(parts[0] < 50 && parts[99] > 950 && parts[99] < 1000, "{parts:?}");
    }
}
