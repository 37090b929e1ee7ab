//! What a request for a WebSocket is answered with, once it is decided: that the connection is one now, or why it is none.

use axum::body::Body;
use fanfare_protocol::ErrorCode;
use fanfare_wire::handshake as wire;
use http::header::{
    CONNECTION, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    WWW_AUTHENTICATE,
};
use http::{HeaderValue, Response, StatusCode, Version, request};
use hyper::ext::Protocol;

use super::Refusal;
use crate::network::head::ENCODINGS;

pub(super) fn check(head: &request::Parts) -> Result<wire::Accepted, wire::Refusal> {
    let method = head.method.as_str();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    if head.version < Version::HTTP_2 {
        let http11_or_newer = head.version >= Version::HTTP_11;
        return wire::check(wire::Request { method, http11_or_newer, headers });
    }
    wire::check_connect(wire::ExtendedConnect {
        method,
        protocol: head.extensions.get::<Protocol>().map(Protocol::as_str),
        authority: head.uri.authority().map(http::uri::Authority::as_str),
        headers,
    })
}

pub(super) fn refusal_of(refusal: wire::Refusal) -> Refusal {
    let code = match refusal.status() {
        405 => ErrorCode::MethodNotAllowed,
        426 if refusal.code() == "unsupported_version" => ErrorCode::UnsupportedVersion,
        426 => ErrorCode::UpgradeRequired,
        501 => ErrorCode::UnsupportedProtocol,
        _ => ErrorCode::BadHandshake,
    };
    Refusal { code, text: refusal.text().to_owned() }
}

/// With a key, the connection becomes a WebSocket; without one, the stream that the CONNECT came by.
pub(super) fn agreed_on(accept_key: Option<&str>, subprotocol: Option<&str>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    if let Some(Ok(key)) = accept_key.map(HeaderValue::from_str) {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Some(Ok(subprotocol)) = subprotocol.map(HeaderValue::from_str) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

/// A refusal says why, and ends the connection: frames sent in the belief that it succeeded must not be read
/// as another request. In HTTP/2, where they would come by a stream of their own, the listener takes `Connection` off.
pub(crate) fn refused(refusal: &Refusal) -> Response<Body> {
    let body = serde_json::json!({
        "error": { "code": refusal.code.as_str(), "message": refusal.text },
    });
    let mut response = Response::new(Body::from(body.to_string()));
    let status = StatusCode::from_u16(refusal.code.http_status());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    match refusal.code {
        ErrorCode::UnsupportedVersion => {
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        ErrorCode::UpgradeRequired => {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade, close"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        ErrorCode::MethodNotAllowed => {
            headers.insert(http::header::ALLOW, HeaderValue::from_static("GET"));
        }
        // RFC 9110, section 15.5.16.
        ErrorCode::UnsupportedMediaType => {
            headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
        }
        // RFC 6750, section 3.
        ErrorCode::AuthenticationRequired => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ if refusal.code.http_status() == 401 => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
        }
        _ if refusal.code.retry() => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
    response
}
