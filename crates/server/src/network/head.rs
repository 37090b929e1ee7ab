//! What the head of a request may say, where the libraries would let more pass.

use fanfare_protocol::ErrorCode;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;

use super::Denied;

/// The encodings of bodies that are taken, as `Accept-Encoding` has them.
pub(crate) const ENCODINGS: &str = "identity";

/// The query of a request; empty without one.
///
/// # Errors
/// `invalid_request` for one that is not UTF-8 where it is percent-decoded. Its bytes would be replaced otherwise, and two
/// names that differ could become one.
pub(crate) fn query(uri: &Uri) -> Result<&str, Denied> {
    let query = uri.query().unwrap_or_default();
    match percent_decode_str(query).decode_utf8() {
        Ok(_) => Ok(query),
        Err(_) => {
            let text = "the query is not valid UTF-8 where it is percent-decoded";
            Err(Denied::new(ErrorCode::InvalidRequest, text))
        }
    }
}

/// Judges the encoding of a body.
///
/// # Errors
/// `unsupported_media_type` for one that is compressed.
pub(crate) fn judge_encoding(headers: &HeaderMap) -> Result<(), Denied> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(ENCODINGS.as_bytes())) {
        return Ok(());
    }
    let text = "a body with Content-Encoding is not taken: send it as it is";
    Err(Denied::new(ErrorCode::UnsupportedMediaType, text))
}
