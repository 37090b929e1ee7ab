//! A client of the HTTP API, as small as one request needs.

use std::path::PathBuf;
use std::time::Duration;

use fanfare_protocol::dialect::excerpt;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Certificate, Client, Response, redirect};
use serde::Deserialize;

/// The longest a request may take, from the look-up of the host to the end of the answer.
const REQUEST_MAX: Duration = Duration::from_secs(15);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where the API is and what opens it.
pub(super) struct ApiClient {
    /// `http://host:port` or `https://host:port`, perhaps with a path in front of `/api`.
    pub(super) url: String,
    /// The API key.
    pub(super) key: String,
    /// Authorities to trust beside those of the system.
    pub(super) ca_file: Option<PathBuf>,
    /// Whether any certificate will do.
    pub(super) insecure_tls: bool,
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
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("the URL has to begin with http:// or https://".to_owned());
        }
        let request = self.client()?.post(format!("{url}/api/{operation}"));
        let request = request.bearer_auth(&self.key).header("Content-Type", "application/json").body(body);
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        self.answer(response).await
    }

    fn client(&self) -> Result<Client, String> {
        // An API key goes to the server that was named, not where a proxy or a redirect sends it.
        let builder = Client::builder().timeout(REQUEST_MAX).no_proxy().redirect(redirect::Policy::none());
        let mut builder = builder.tls_danger_accept_invalid_certs(self.insecure_tls);
        if let Some(path) = &self.ca_file {
            let at = |error: String| format!("{}: {error}", path.display());
            let pem = std::fs::read(path).map_err(|error| at(format!("it cannot be read: {error}")))?;
            let roots = Certificate::from_pem_bundle(&pem).map_err(|error| at(innermost(&error)))?;
            if roots.is_empty() {
                return Err(at("there is no certificate in it".to_owned()));
            }
            builder = builder.tls_certs_merge(roots);
        }
        builder.build().map_err(|error| innermost(&error))
    }

    fn failure(&self, error: &reqwest::Error) -> String {
        let url = self.url.trim_end_matches('/');
        if error.is_timeout() {
            return format!("{url} did not answer within {} s", REQUEST_MAX.as_secs());
        }
        let cause = innermost(error);
        if cause.contains("certificate") {
            return format!("{url}: {cause}; name its authority with --cacert");
        }
        match error.is_connect() {
            true => format!("cannot connect to {url}: {cause}; is the server running?"),
            false => format!("{url}: {cause}; is it a Fanfare server?"),
        }
    }

    async fn answer(&self, mut response: Response) -> Result<String, String> {
        let (status, url) = (response.status(), self.url.trim_end_matches('/').to_owned());
        // Without parameters, and without what could steer a terminal.
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim).unwrap_or_default();
        let kind = if kind.is_empty() { String::new() } else { format!(" with {}", excerpt(kind)) };
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&part);
        }
        let text = String::from_utf8_lossy(&body);
        if status.is_success() {
            return match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
                Ok(_) => Ok(text.into_owned()),
                Err(_) => Err(format!(
                    "what answered {status}{kind} at {url} is no Fanfare server: its answer is not JSON"
                )),
            };
        }
        match serde_json::from_str::<Answer>(&text) {
            Ok(Answer { error }) => Err(format!("{}: {}", error.code, error.message)),
            Err(_) => Err(format!("what answered {status}{kind} at {url} is no Fanfare server")),
        }
    }
}

/// What reqwest says last is what went wrong; before it, it repeats what it was about.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
