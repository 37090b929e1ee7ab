//! The log: structured, with connection and user ids, never with payloads or credentials.

mod writer;

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use fanfare_protocol::dialect::excerpt;
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};
use writer::LogWriter;

pub use writer::LogGuard;

/// Parameters of a request's query whose values say nothing about who asks.
const PLAIN_PARAMETERS: &[&str] = &["dialect", "room", "channel", "channels", "limit", "protocol"];

/// Parameters of one address that are shown at most.
const PARAMETERS_MAX: usize = 8;

/// Starts logging to standard error. Of several calls in one process only the first has an effect. Keep the guard until
/// the program ends: it writes the last lines.
pub fn start(config: &LogConfig) -> LogGuard {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let Ok((writer, guard)) = LogWriter::start(std::io::stderr()) else { return LogGuard::idle() };
    // An error of the log would be printed to standard error, which panics where that is closed.
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    let started = match config.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    // Fails only where a program that embeds the server has its own log already; that one is used then.
    started.map_or_else(|_| LogGuard::idle(), |()| guard)
}

/// A request's target, fit for the log: bounded, printable, and without the value of any parameter but
/// those known to be harmless. A credential under a name nobody thought of stays out too.
pub fn loggable_target(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut out = excerpt(path);
    let mut separator = '?';
    let mut parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    for parameter in parameters.by_ref().take(PARAMETERS_MAX) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let _ = match (PLAIN_PARAMETERS.contains(&name), parameter.contains('=')) {
            (true, _) => write!(out, "{separator}{name}={}", excerpt(value)),
            (false, true) => write!(out, "{separator}{}=…", excerpt(name)),
            // A name alone may be the credential itself.
            (false, false) => write!(out, "{separator}…"),
        };
        separator = '&';
    }
    if parameters.next().is_some() {
        out.push_str("&…");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::loggable_target;

    #[test]
    fn a_target_is_logged_without_credentials() {
        let cases = [
            ("/ws", "/ws"),
            ("/ws?dialect=rooms&token=eyJh.eyJz.sig", "/ws?dialect=rooms&token=…"),
            ("/ws?Token=x&to%6ben=x&access_token=x&jwt=x", "/ws?Token=…&to%6ben=…&access_token=…&jwt=…"),
            ("/ws?eyJh.eyJz.sig", "/ws?…"),
            ("/ws?user=ann&&=x", "/ws?user=…&=…"),
            ("/a\u{1b}[31m?room=\n", "/a\\u{1b}[31m?room=\\n"),
            ("/?a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1", "/?a=…&b=…&c=…&d=…&e=…&f=…&g=…&h=…&…"),
        ];
        for (target, wanted) in cases {
            assert_eq!(loggable_target(target), wanted);
        }
        let long = format!("/{}?{}=1", "p".repeat(9_000), "n".repeat(9_000));
        assert!(loggable_target(&long).len() < 100);
    }
}
