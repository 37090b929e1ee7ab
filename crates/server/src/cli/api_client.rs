//! A client of the HTTP API, as small as one request needs.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

/// The longest a request may take, from the look-up of the host to the end of the answer.
const REQUEST_MAX: Duration = Duration::from_secs(15);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where the API is and what opens it.
pub(super) struct ApiClient {
    /// `http://host:port`, perhaps with a path in front of `/api`.
    pub(super) url: String,
    /// The API key.
    pub(super) key: String,
}

#[derive(Deserialize)]
struct Answer {
    error: AnswerError,
}

#[derive(Deserialize)]
struct AnswerError {
    code: String,
    message: String,
}

impl ApiClient {
    /// Calls an operation; the answer is its JSON, a failure a sentence.
    pub(super) async fn call(&self, operation: &str, body: String) -> Result<String, String> {
        let url = self.url.trim_end_matches('/');
        let uri: Uri = format!("{url}/api/{operation}").parse().map_err(|_| format!("{url} is not a URL"))?;
        match tokio::time::timeout(REQUEST_MAX, self.exchange(&uri, body)).await {
            Ok(result) => result,
            Err(_) => Err(format!("{url} did not answer within {} s", REQUEST_MAX.as_secs())),
        }
    }

    async fn exchange(&self, uri: &Uri, body: String) -> Result<String, String> {
        if uri.scheme_str() != Some("http") {
            return Err("the URL has to begin with http://".to_owned());
        }
        let authority = uri.authority().ok_or("the URL names no host")?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80)))
            .await
            .map_err(|error| format!("cannot connect to {authority}: {error}; is the server running?"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("{authority}: {error}"))?;
        // Ends by itself with the exchange; what goes wrong on it shows there.
        tokio::spawn(connection);
        let mut key = HeaderValue::try_from(format!("Bearer {}", self.key))
            .map_err(|_| "the API key has characters that no key has")?;
        key.set_sensitive(true);
        let request = Request::post(uri.path())
            .header(HOST, authority.as_str())
            .header(AUTHORIZATION, key)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| format!("{authority}: {error}"))?;
        let response = sender.send_request(request).await.map_err(|error| format!("{authority}: {error}"))?;
        answer(response).await
    }
}

async fn answer(response: Response<Incoming>) -> Result<String, String> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| format!("the answer broke off: {error}"))?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    if status.is_success() {
        return Ok(text.into_owned());
    }
    match serde_json::from_str::<Answer>(&text) {
        Ok(Answer { error }) => Err(format!("{}: {}", error.code, error.message)),
        Err(_) => Err(format!("the server answered {status}; is it Fanfare?")),
    }
}
