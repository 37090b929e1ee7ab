//! The listener for metrics and administration: apart from the clients', and on this host unless configured.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::Config;
use crate::http_api::MetricsPage;
use crate::listen;

/// The listeners that the configuration asks for, and where they are. Where nobody asked and the usual address is
/// taken, most likely by another server on this host, there is none: that is no reason not to start.
pub(crate) fn bind(config: &Config) -> io::Result<(Vec<TcpListener>, Vec<SocketAddr>)> {
    let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
    for address in &config.admin.listen {
        match listen::bind(*address) {
            Ok(listener) => {
                addresses.push(listener.local_addr()?);
                listeners.push(listener);
            }
            Err(error) if config.chose_admin_listener() => {
                let text =
                    format!("cannot listen on {address} for administration: {error}; set admin.listen");
                return Err(io::Error::new(error.kind(), text));
            }
            Err(error) => tracing::warn!(
                %error,
                %address,
                "no /metrics: the usual address is not free; set admin.listen to another one, or to [] for none"
            ),
        }
    }
    Ok((listeners, addresses))
}

/// Who sees `/metrics` on this listener.
pub(crate) fn metrics(config: &Config) -> MetricsPage {
    page(config.metrics, config.admin.listen.iter().all(|address| address.ip().is_loopback()))
}

/// Who sees `/metrics` where clients connect.
pub(crate) fn metrics_on_main(config: &Config) -> MetricsPage {
    page(config.metrics && config.admin.on_main, config.private())
}

fn page(served: bool, loopback_only: bool) -> MetricsPage {
    match (served, loopback_only) {
        (false, _) => MetricsPage::Absent,
        (true, true) => MetricsPage::Open,
        (true, false) => MetricsPage::Keyed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Inputs};

    #[test]
    fn metrics_take_a_key_where_other_hosts_get_to_them() {
        let on_main = |variables: &[(&str, &str)]| {
            let mut inputs = Inputs::new(&["native"]);
            let variables = variables.iter().chain(&[("FANFARE_ADMIN_ON_MAIN", "true")]);
            inputs.environment =
                variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            metrics_on_main(&config::load(&inputs).unwrap_or_else(|error| panic!("{error}")).config)
        };
        assert_eq!(on_main(&[]), MetricsPage::Open);
        assert_eq!(on_main(&[("FANFARE_LISTEN", "0.0.0.0:8000")]), MetricsPage::Keyed);
        assert_eq!(
            on_main(&[("FANFARE_NETWORK_TRUSTED_PROXIES", "127.0.0.1")]),
            MetricsPage::Keyed,
            "through the proxy"
        );
    }
}
