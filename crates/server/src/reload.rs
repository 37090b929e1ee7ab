//! SIGHUP: reads the configuration again, and puts in force what a running server can take.

use fanfare_auth::Verifier;

use crate::cli::Setup;
use crate::config::{self, Change, Config};
use crate::network::origin::OriginPattern;
use crate::node::{Node, Reload};
use crate::secrets::{KeyFile, KeyKind, Secret};
use crate::tls::Tls;

/// What keeps the configuration in force.
pub(crate) struct Reloader<'a> {
    setup: &'a Setup,
    node: &'a Node,
    /// What was put in force last; none as long as it is what the server was started with.
    last: Option<Config>,
}

/// Everything that a reload needs, found to be right.
struct Prepared {
    config: Config,
    keys: Vec<Secret>,
    reload: Reload,
    keys_changed: bool,
}

impl<'a> Reloader<'a> {
    pub(crate) fn new(setup: &'a Setup, node: &'a Node) -> Self {
        Self { setup, node, last: None }
    }

    /// Reads everything again: the file, and the files that it names. Flags and the environment stay in force over it.
    /// If anything is wrong, nothing changes. What comes of it is logged.
    pub(crate) fn reload(&mut self) {
        let prepared = match self.prepare() {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::error!("SIGHUP: nothing was reloaded, because the configuration is wrong: {error}");
                return;
            }
        };
        let Prepared { config, keys, reload, keys_changed } = prepared;
        self.setup.keys.replace(keys);
        self.node.reload(reload);
        self.tell(&config, keys_changed);
        self.last = Some(config);
    }

    fn prepare(&self) -> Result<Prepared, String> {
        let loaded = config::load(&self.setup.inputs).map_err(|problems| problems.to_string())?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let (config, began) = (loaded.config, &self.setup.config);
        let keys = if config.api.keys.is_empty() {
            let file = KeyFile::open(&config.key_file(), KeyKind::Api).map_err(|error| error.to_string())?;
            vec![file.key]
        } else {
            config.api.keys.clone()
        };
        // Whoever watches its files replaces the certificate; here it is only looked whether it could be.
        if let Some((cert, key)) = began.tls.files() {
            Tls::from_files(cert, key, began.tls.min_version).map_err(|error| error.to_string())?;
        }
        let (issuers, mut rules) = config.verifier_settings(&self.setup.token_secret.key)?;
        let former = self.node.verifier();
        if let Some(former) = &former {
            rules.lifetime_max = former.rules().lifetime_max;
        }
        let verifier = match &former {
            Some(former) => Verifier::in_place_of(former, issuers, rules)?,
            None => Verifier::new(issuers, rules)?,
        };
        let keys_changed = former.is_some_and(|former| !former.trusts_the_same_as(&verifier));
        let reload = Reload {
            namespaces: config.engine_namespaces(),
            // Whether rates are off altogether is one of the settings that need a restart.
            rate_limits: if began.insecure { began.rate_limits() } else { config.rate_limits.clone() },
            limits: config.limits.clone(),
            users: config.auth.allow_users.clone(),
            origins: origins(&config),
            verifier: Some(verifier),
        };
        Ok(Prepared { config, keys, reload, keys_changed })
    }

    /// Says what has changed, and what needs a restart.
    fn tell(&self, new: &Config, keys_changed: bool) {
        let began = &self.setup.config;
        let changed = self.last.as_ref().unwrap_or(began).changes(new);
        let reloaded: Vec<Change> = changed.into_iter().filter(|change| change.reloadable).collect();
        for change in &reloaded {
            tracing::info!("SIGHUP: in force: {change}");
        }
        if keys_changed {
            tracing::info!(
                "SIGHUP: in force: the issuers' keys have changed; whose token has none of them is closed"
            );
        }
        // Compared with the start: what was not taken the last time is still not in force.
        let waiting = began.changes(new).into_iter().filter(|change| !change.reloadable);
        for change in waiting {
            tracing::warn!("SIGHUP: needs a restart: {change}");
        }
        if began.auth_mode() != new.auth_mode() {
            let (old, new) = (began.auth_mode(), new.auth_mode());
            tracing::warn!("SIGHUP: needs a restart: auth.mode comes to {new:?}, and {old:?} stays in force");
        }
        tracing::info!(settings = reloaded.len(), "SIGHUP: the configuration was reloaded");
    }
}

fn origins(config: &Config) -> Vec<OriginPattern> {
    config.network.origins.clone()
}
