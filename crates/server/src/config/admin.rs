//! The listener for metrics and administration.

use std::net::SocketAddr;

use super::{Config, Source};

/// The listener's part.
pub struct AdminConfig {
    /// Where it listens; nowhere if it is empty.
    pub listen: Vec<SocketAddr>,
    /// Names, beside those of this host, that a listener on a loopback address may be asked by.
    pub hosts: Vec<String>,
    /// Whether `/metrics` is served where clients connect too.
    pub on_main: bool,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from(([127, 0, 0, 1], 8001))], hosts: Vec::new(), on_main: false }
    }
}

impl Config {
    /// Whether somebody has said where the listener for administration is to be.
    pub fn chose_admin_listener(&self) -> bool {
        self.source("admin.listen") != Source::Default
    }
}
