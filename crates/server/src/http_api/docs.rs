//! `/docs`: a page of our own that shows the OpenAPI document and sends requests. It loads nothing from elsewhere.

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};

/// Path, type, text.
const FILES: [(&str, &str, &str); 3] = [
    ("/docs", "text/html; charset=utf-8", include_str!("docs/docs.html")),
    ("/docs/docs.css", "text/css; charset=utf-8", include_str!("docs/docs.css")),
    ("/docs/docs.js", "text/javascript; charset=utf-8", include_str!("docs/docs.js")),
];

/// The page runs its own script only, and talks to its own server only: an API key is typed into it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(move || std::future::ready(file(kind, text))))
    })
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use tower::ServiceExt as _;

    use super::*;

    /// There was no page that shows the document; and one that holds a key must not reach other hosts.
    #[tokio::test]
    async fn the_page_loads_from_its_own_server_only() {
        for (path, kind, text) in FILES {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router::<()>().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()[CONTENT_TYPE], kind);
            assert!(response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("'none'"));
            assert!(!text.contains("//fonts") && !text.contains("http://") && !text.contains("https://"));
        }
        let page = FILES[0].2;
        for (path, _, _) in &FILES[1..] {
            assert!(page.contains(&format!("\"{path}\"")), "{path}");
        }
        assert!(!page.contains("<script>") && !page.contains("style="), "the policy forbids them");
    }
}
