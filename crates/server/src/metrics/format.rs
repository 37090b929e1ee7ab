//! The two text formats that Prometheus reads, and which of them a client asks for.

use http::HeaderMap;
use http::header::ACCEPT;

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, version 0.0.4: what tools understand that do not say what they want.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The content type of a page in this format.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What the client likes best (RFC 9110, section 12.5.1); the text format where it likes both alike, or neither.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let (mut text, mut open) = (0.0_f32, 0.0_f32);
        for range in
            headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','))
        {
            let mut parameters = range.split(';').map(str::trim);
            let kind = parameters.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parameters
                .find_map(|parameter| parameter.strip_prefix("q="))
                .map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
            match kind.as_str() {
                "application/openmetrics-text" => open = open.max(weight),
                "text/plain" | "text/*" | "*/*" => text = text.max(weight),
                _ => {}
            }
        }
        if open > text { Format::OpenMetrics } else { Format::Text }
    }
}

/// A page of OpenMetrics in the older format. There a counter is declared under the name that its samples have, an info
/// is a gauge, and neither a unit nor an end is written.
pub(super) fn to_text(page: &str) -> String {
    let mut out = String::with_capacity(page.len() + 512);
    let mut help = "";
    for line in page.lines() {
        if let Some(declared) = line.strip_prefix("# HELP ") {
            help = declared;
        } else if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap_or((declared, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                kind => ("", kind),
            };
            let help = help.strip_prefix(name).unwrap_or_default();
            out += &format!("# HELP {name}{suffix}{help}\n# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            out += line;
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn accepted(accept: &[&'static str]) -> Format {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        Format::accepted(&headers)
    }

    /// Every client got OpenMetrics, also those that cannot read it, such as promtool and most agents.
    #[test]
    fn the_format_is_the_one_that_was_asked_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!(accepted(&[prometheus]), Format::OpenMetrics);
        assert_eq!(accepted(&["application/openmetrics-text"]), Format::OpenMetrics);
        assert_eq!(
            accepted(&["text/plain", "Application/OpenMetrics-Text; version=1.0.0;q=0.9"]),
            Format::Text
        );
        for text in [
            &[][..],
            &["*/*"],
            &["text/plain"],
            &["text/html,application/xhtml+xml,*/*;q=0.8"],
            &["application/json"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;q=x"],
            &["application/openmetrics-text, text/*"],
        ] {
            assert_eq!(accepted(text), Format::Text, "{text:?}");
        }
    }
}
