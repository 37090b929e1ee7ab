use super::*;

const ANY: &[&str] = &["*"];
const NONE: &[&str] = &[];
const APP: &[&str] = &["https://app.example"];
const BELOW: &[&str] = &["https://*.example.com"];
const LOCAL: &[&str] = &["http://localhost:3000"];

fn origins(patterns: &[&str]) -> Origins {
    Origins(patterns.iter().map(|text| text.parse().unwrap()).collect())
}

fn request(sent: &[&str], host: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(host).unwrap());
    for origin in sent {
        headers.append(ORIGIN, HeaderValue::from_bytes(origin.as_bytes()).unwrap());
    }
    headers
}

fn judge(patterns: &[&str], sent: &[&str], host: &str, scheme: Option<Scheme>) -> &'static str {
    match origins(patterns).judge(&request(sent, host), &Uri::from_static("/ws"), scheme) {
        Ok(Standing::NoPage) => "no page",
        Ok(Standing::Same) => "same",
        Ok(Standing::Cross(_)) => "cross",
        Err(denied) => {
            assert_eq!(denied.code(), ErrorCode::OriginNotAllowed);
            "denied"
        }
    }
}

/// What is configured, what the browser sends as `Origin`, what as `Host`, and what comes of it.
type Case = (&'static [&'static str], &'static str, &'static str, &'static str);

const SAME: &[Case] = &[
    (NONE, "http://localhost:8000", "localhost:8000", "same"),
    (NONE, "http://127.0.0.1:8000", "127.0.0.1:8000", "same"),
    (NONE, "http://127.0.0.1:8000", "localhost:8000", "denied"),
    (NONE, "https://example.com", "example.com", "same"),
    (NONE, "https://example.com", "example.com:443", "same"),
    (NONE, "https://example.com:443", "example.com", "same"),
    (NONE, "https://example.com", "example.com:80", "denied"),
    (NONE, "http://example.com", "example.com", "same"),
    (NONE, "http://example.com:80", "example.com", "same"),
    (NONE, "http://example.com", "example.com:443", "denied"),
    (NONE, "http://example.com:8080", "example.com", "denied"),
    (NONE, "http://example.com", "example.com:8080", "denied"),
    (NONE, "HTTPS://EXAMPLE.com", "example.COM", "same"),
    (NONE, "https://example.com.", "example.com", "same"),
    (NONE, "https://example.com", "example.com.:443", "same"),
    (NONE, "https://example.com..", "example.com", "denied"),
    (NONE, "https://.example.com", "example.com", "denied"),
    (NONE, "http://[::1]:8000", "[::1]:8000", "same"),
    (NONE, "http://[0:0:0:0:0:0:0:1]:8000", "[::1]:8000", "same"),
    (NONE, "http://[::1]", "[::1]:8000", "denied"),
    (NONE, "http://[::1", "[::1]", "denied"),
    (NONE, "http://::1", "[::1]", "denied"),
    (NONE, "http://[::1]8000", "[::1]:8000", "denied"),
    (NONE, "https://xn--bcher-kva.example", "xn--bcher-kva.example", "same"),
    (NONE, "https://bücher.example", "xn--bcher-kva.example", "denied"),
    (NONE, "https://example.com.evil.com", "example.com", "denied"),
    (NONE, "https://evilexample.com", "example.com", "denied"),
    (NONE, "https://example.com", "", "denied"),
    (NONE, "https://example.com", "user@example.com", "denied"),
];

const MALFORMED: &[Case] = &[
    (ANY, "null", "example.com", "denied"),
    (ANY, "", "example.com", "denied"),
    (ANY, " ", "example.com", "denied"),
    (ANY, "file://", "example.com", "denied"),
    (ANY, "file:///home/ann/chat.html", "example.com", "denied"),
    (ANY, "https://", "example.com", "denied"),
    (ANY, "https:example.com", "example.com", "denied"),
    (ANY, "//example.com", "example.com", "denied"),
    (ANY, "example.com", "example.com", "denied"),
    (ANY, "://example.com", "example.com", "denied"),
    (ANY, "https://example.com/", "example.com", "denied"),
    (ANY, "https://example.com/path", "example.com", "denied"),
    (ANY, "https://example.com?query", "example.com", "denied"),
    (ANY, "https://example.com#part", "example.com", "denied"),
    (ANY, "https://ann@example.com", "example.com", "denied"),
    (ANY, "https://ann:secret@example.com", "example.com", "denied"),
    (ANY, "https://example.com https://evil.com", "example.com", "denied"),
    (ANY, "https://example.com,https://evil.com", "example.com", "denied"),
    (ANY, "https://exam ple.com", "example.com", "denied"),
    (ANY, "https://example.com:", "example.com", "denied"),
    (ANY, "https://example.com:0443", "example.com", "denied"),
    (ANY, "https://example.com:+443", "example.com", "denied"),
    (ANY, "https://example.com:65536", "example.com", "denied"),
    (ANY, "https://example.com:443:443", "example.com", "denied"),
    (ANY, "https://*.example.com", "example.com", "denied"),
    (ANY, "*", "example.com", "denied"),
    (ANY, "https://evil.com", "example.com", "cross"),
    (ANY, "capacitor://localhost", "example.com", "cross"),
];

const CROSS: &[Case] = &[
    (APP, "https://app.example", "ws.example", "cross"),
    (APP, "https://app.example:443", "ws.example", "cross"),
    (APP, "https://APP.example.", "ws.example", "cross"),
    (APP, "http://app.example", "ws.example", "denied"),
    (APP, "https://app.example:8443", "ws.example", "denied"),
    (APP, "https://app.example.evil.com", "ws.example", "denied"),
    (APP, "https://evilapp.example", "ws.example", "denied"),
    (APP, "https://x.app.example", "ws.example", "denied"),
    (APP, "https://ws.example", "ws.example", "same"),
    (APP, "null", "ws.example", "denied"),
    (BELOW, "https://a.example.com", "ws.example", "cross"),
    (BELOW, "https://a.b.c.example.com", "ws.example", "cross"),
    (BELOW, "https://A.Example.Com:443", "ws.example", "cross"),
    (BELOW, "https://example.com", "ws.example", "denied"),
    (BELOW, "https://.example.com", "ws.example", "denied"),
    (BELOW, "https://evilexample.com", "ws.example", "denied"),
    (BELOW, "https://a.example.com.evil.com", "ws.example", "denied"),
    (BELOW, "http://a.example.com", "ws.example", "denied"),
    (BELOW, "https://a.example.com:8443", "ws.example", "denied"),
    (BELOW, "https://a..example.com", "ws.example", "denied"),
    (LOCAL, "http://localhost:3000", "127.0.0.1:8000", "cross"),
    (LOCAL, "http://localhost", "127.0.0.1:8000", "denied"),
    (LOCAL, "https://localhost:3000", "127.0.0.1:8000", "denied"),
    (LOCAL, "http://127.0.0.1:3000", "127.0.0.1:8000", "denied"),
    (LOCAL, "http://localhost.evil.com:3000", "127.0.0.1:8000", "denied"),
];

#[test]
fn every_origin_gets_its_answer() {
    let cases: Vec<&Case> = [SAME, MALFORMED, CROSS].into_iter().flatten().collect();
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(patterns, sent, host, wanted)| {
            let got = judge(patterns, &[sent], host, None);
            (got != *wanted).then(|| format!("{patterns:?} {sent:?} at {host:?}: {got}, not {wanted}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 40);
}

#[test]
fn no_origin_is_no_page_and_two_are_refused_even_when_equal() {
    assert_eq!(judge(NONE, &[], "example.com", None), "no page");
    assert_eq!(judge(ANY, &["https://example.com", "https://example.com"], "example.com", None), "denied");
    let mut headers = request(&["https://example.com"], "example.com");
    headers.append(HOST, HeaderValue::from_static("example.com"));
    assert!(origins(NONE).judge(&headers, &Uri::from_static("/ws"), None).is_err());
    headers.remove(HOST);
    let uri = Uri::from_static("https://example.com/ws");
    assert_eq!(origins(NONE).judge(&headers, &uri, None), Ok(Standing::Same), "as HTTP/2 has it");
    let raw = HeaderValue::from_bytes(b"https://\xff.com").unwrap();
    headers.insert(ORIGIN, raw);
    assert!(origins(ANY).judge(&headers, &uri, None).is_err());
}

#[test]
fn a_scheme_that_is_known_has_to_agree() {
    let judged = |origin, scheme| judge(NONE, &[origin], "example.com", Some(scheme));
    assert_eq!(judged("https://example.com", Scheme::Https), "same");
    assert_eq!(judged("http://example.com", Scheme::Https), "denied");
    assert_eq!(judged("http://example.com", Scheme::Http), "same");
    assert_eq!(judged("https://example.com", Scheme::Http), "denied");
    assert_eq!(judged("https://example.com:80", Scheme::Http), "denied");
    assert_eq!(judge(APP, &["https://app.example"], "app.example", Some(Scheme::Http)), "cross");
}

#[test]
fn a_refusal_names_what_to_add_and_repeats_no_more_than_a_piece() {
    let text = |origin: &str| {
        let judged = origins(NONE).judge(&request(&[origin], "ws.example"), &Uri::from_static("/ws"), None);
        judged.unwrap_err().text().to_owned()
    };
    assert_eq!(
        text("https://App.Example:443"),
        "pages of \"https://app.example\" may not talk to \"ws.example\": \
         add \"https://app.example\" to network.origins if they should"
    );
    assert!(text("null").contains("opened from a file"));
    assert!(text(&format!("https://example.com/{}", "x".repeat(9_000))).len() < 100);
    assert!(text(&format!("https://{}com", "x.".repeat(120))).len() < 700);
}

#[test]
fn patterns_are_origins_and_survive_their_text_form() {
    for text in
        ["*", "https://app.example", "https://*.example.com", "http://localhost:3000", "http://[::1]:1"]
    {
        assert_eq!(text.parse::<OriginPattern>().unwrap().to_string(), text);
    }
    assert_eq!(
        "HTTPS://App.Example:443".parse::<OriginPattern>().unwrap().to_string(),
        "https://app.example"
    );
    for odd in [
        "",
        "null",
        "**",
        "app.example",
        "https://app.example/",
        "https://*",
        "https://*example.com",
        "https://a.*.example.com",
        "https://*.*.example.com",
        "https://*.",
        "https://*.1.2.3.4",
        "https://*.[::1]",
        "*.example.com",
        "https://ann@app.example",
        "https://app.example:0",
        "https://app.example:*",
    ] {
        assert_eq!(odd.parse::<OriginPattern>(), Err(NoOrigin), "{odd:?}");
    }
}
