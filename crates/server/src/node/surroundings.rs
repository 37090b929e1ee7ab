//! What stands around a node: whose pages may connect to it, through which proxies, and how often.

use std::io;

use fanfare_protocol::dialect::excerpt;

use super::Builder;
use crate::config::NetworkConfig;
use crate::network::origin::NoOrigin;

impl Builder {
    /// Sets who may connect from where, and how often.
    #[must_use]
    pub fn network(mut self, network: NetworkConfig) -> Self {
        self.network = network;
        self
    }

    /// Lets pages of these origins connect, beside those that are served under the same host and port:
    /// `https://app.example`, `https://*.example.com` for every name below, `*` for any. What is none is an error of
    /// [`Builder::start`].
    #[must_use]
    pub fn origins<S: AsRef<str>>(mut self, origins: impl IntoIterator<Item = S>) -> Self {
        self.network.origins.clear();
        for origin in origins {
            match origin.as_ref().parse() {
                Ok(pattern) => self.network.origins.push(pattern),
                Err(NoOrigin) => self.odd_origin = Some(excerpt(origin.as_ref())),
            }
        }
        self
    }

    /// That everything given as an origin was one.
    pub(super) fn check_origins(&self) -> io::Result<()> {
        match &self.odd_origin {
            Some(odd) => Err(io::Error::other(format!("no origin: \"{odd}\""))),
            None => Ok(()),
        }
    }
}
