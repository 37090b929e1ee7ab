//! What the head of a request of HTTP/1.1 has to say, whatever it is for.
//!
//! Where two programs in a row disagree about where a request ends, or which host it is for, one of them can be made to
//! serve what the other would have refused. So what is ambiguous is refused, and the connection closed.

use fanfare_protocol::ErrorCode;
use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Version};

use crate::handshake::Refusal;

/// Judges the head of a request.
///
/// # Errors
/// `invalid_request`: without `Host` or with more than one (RFC 9112, section 3.2), or with a body in a transfer coding
/// other than chunked (section 6.1).
pub(super) fn judge<B>(request: &Request<B>) -> Result<(), Refusal> {
    let wrong = |text: &str| Err(Refusal { code: ErrorCode::InvalidRequest, text: text.to_owned() });
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() >= Version::HTTP_11 => return wrong("\"Host\" is missing"),
        (_, Some(_)) => return wrong("\"Host\" is given twice"),
        (Some(host), None) if !is_host(host) => return wrong("\"Host\" is no host"),
        _ => {}
    }
    // Beside a `Content-Length`, which section 6.3 passes over, hyper does so too.
    if headers.contains_key(TRANSFER_ENCODING) && !is_chunked(headers) {
        return wrong("the only \"Transfer-Encoding\" that is taken is chunked");
    }
    Ok(())
}

/// RFC 9112, section 3.2: empty where the target has no authority.
fn is_host(host: &HeaderValue) -> bool {
    host.is_empty()
        || Authority::try_from(host.as_bytes()).is_ok_and(|authority| !authority.as_str().contains('@'))
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next().is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    first && codings.next().is_none()
}
