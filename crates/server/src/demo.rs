//! The demo page, embedded in the binary: a room to chat in, and a button that cuts the line.
//!
//! Its files are served as they are, below a policy that lets the page load nothing from elsewhere.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

/// A file of the page.
struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

static PAGE: Asset = Asset { path: "/", kind: HTML, text: include_str!("demo/index.html") };

static FILES: [Asset; 8] = [
    Asset { path: "/demo/demo.css", kind: "text/css; charset=utf-8", text: include_str!("demo/demo.css") },
    Asset { path: "/demo/theme.js", kind: SCRIPT, text: include_str!("demo/theme.js") },
    Asset { path: "/demo/channel.js", kind: SCRIPT, text: include_str!("demo/channel.js") },
    Asset { path: "/demo/companion.js", kind: SCRIPT, text: include_str!("demo/companion.js") },
    Asset { path: "/demo/names.js", kind: SCRIPT, text: include_str!("demo/names.js") },
    Asset { path: "/demo/conversation.js", kind: SCRIPT, text: include_str!("demo/conversation.js") },
    Asset { path: "/demo/demo.js", kind: SCRIPT, text: include_str!("demo/demo.js") },
    Asset { path: "/demo/icon.svg", kind: "image/svg+xml", text: include_str!("demo/icon.svg") },
];

/// The page may talk to its own server, over HTTP and WebSocket, and be framed by nobody.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves the page at `/` and its files below `/demo/`.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    files().route("/", page())
}

/// The page alone.
pub(crate) fn page<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    file(&PAGE)
}

/// What the page loads.
pub(crate) fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, asset| router.route(asset.path, file(asset)))
}

fn file<S: Clone + Send + Sync + 'static>(asset: &'static Asset) -> MethodRouter<S> {
    let tag = entity_tag(asset.text);
    get(move |headers: HeaderMap| std::future::ready(answer(asset, &tag, &headers)))
}

/// The file, or only word that it has not changed.
fn answer(asset: &Asset, tag: &str, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unchanged = known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response =
        if unchanged { StatusCode::NOT_MODIFIED.into_response() } else { asset.text.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Asked for again each time, so that a new server never runs the page of an old one.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// FNV-1a of the text: it need only differ from one release to the next.
fn entity_tag(text: &str) -> String {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("\"{:016x}\"", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    fn assets() -> impl Iterator<Item = &'static Asset> {
        FILES.iter().chain([&PAGE])
    }

    async fn get(path: &str, tag: Option<&HeaderValue>) -> Response {
        let mut request = Request::get(path);
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        router::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn every_file_is_served_with_its_kind_and_the_policy() {
        for asset in assets() {
            let response = get(asset.path, None).await;
            assert_eq!(response.status(), StatusCode::OK, "{}", asset.path);
            assert_eq!(response.headers()[header::CONTENT_TYPE], asset.kind);
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        }
        assert_eq!(get("/demo/other.js", None).await.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_file_that_is_known_is_not_sent_again() {
        let first = get("/", None).await;
        let tag = &first.headers()[header::ETAG];
        assert_eq!(get("/", Some(tag)).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(get("/demo/demo.js", Some(tag)).await.status(), StatusCode::OK, "another file's tag");
    }

    #[test]
    fn the_page_names_only_files_that_are_served() {
        for asset in assets() {
            for part in
                asset.text.split('"').filter(|part| part.starts_with("demo/") || part.starts_with("./"))
            {
                let file = part.trim_start_matches("./").trim_start_matches("demo/");
                let served =
                    |asset: &Asset| asset.path == "/" && file.is_empty() || asset.path.ends_with(file);
                let address = file.starts_with('?');
                assert!(address || assets().any(served), "{} names {part}", asset.path);
            }
            // Links may lead to the project; nothing else names another host.
            let own = asset.text.replace("<a href=\"https://github.com/fanfare-rs/fanfare", "");
            assert!(!own.contains("://") || asset.kind == "image/svg+xml", "{}", asset.path);
        }
    }
}
