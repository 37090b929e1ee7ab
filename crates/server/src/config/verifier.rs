//! From the configuration to what verifies tokens: reads the files that it names.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules};

use super::auth::IssuerConfig;
use super::{Config, issuers};
use crate::secrets::Secret;

/// More than any file with keys has; a larger one is something else.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// As [`issuers`] describes it for a secret in the configuration itself.
const SECRET_BYTES_MIN: usize = 32;

impl Config {
    /// What verifies the tokens of every issuer: of those that are configured, and of `local`, whose secret the
    /// server has made itself.
    ///
    /// # Errors
    /// In a sentence, when a file that the configuration names does not hold what it should.
    pub fn verifier_settings(&self, generated: &Secret) -> Result<(Vec<IssuerSettings>, TokenRules), String> {
        let mut all = self.configured_issuers()?;
        all.push(own_issuer(generated.expose().to_vec()));
        Ok((all, self.token_rules()))
    }

    /// What verifies the tokens of the issuers that are configured.
    ///
    /// # Errors
    /// As [`Config::verifier_settings`].
    pub fn configured_issuers(&self) -> Result<Vec<IssuerSettings>, String> {
        self.auth.issuers.iter().map(|(name, issuer)| issuer.settings(name)).collect()
    }

    /// What holds for every token.
    pub fn token_rules(&self) -> TokenRules {
        TokenRules {
            leeway: Duration::from_millis(u64::from(self.auth.leeway_ms)),
            lifetime_max: Duration::from_millis(self.auth.token_lifetime_max_ms),
            ..TokenRules::default()
        }
    }
}

/// This server as an issuer, with the secret that it has made itself.
pub(crate) fn own_issuer(secret: Vec<u8>) -> IssuerSettings {
    IssuerSettings {
        name: issuers::BUILT_IN.to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: vec![Algorithm::HS256],
        keys: KeySettings::Secret(secret),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    }
}

impl IssuerConfig {
    /// What verifies this issuer's tokens; reads the file with its keys.
    pub(crate) fn settings(&self, name: &str) -> Result<IssuerSettings, String> {
        let claim = |claim: &Option<String>, usual: &str| claim.clone().unwrap_or_else(|| usual.to_owned());
        Ok(IssuerSettings {
            name: name.to_owned(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            keys: keys(name, self)?,
            user_claim: claim(&self.user_claim, "sub"),
            roles_claim: claim(&self.roles_claim, "roles"),
        })
    }
}

fn keys(name: &str, issuer: &IssuerConfig) -> Result<KeySettings, String> {
    let file = |setting: &str, path: &Path| {
        read(path)
            .map_err(|error| format!("issuers.{name}.{setting}: {} cannot be read: {error}", path.display()))
    };
    if let Some(secret) = &issuer.secret {
        return Ok(KeySettings::Secret(secret.expose().to_vec()));
    }
    if let Some(path) = &issuer.secret_file {
        let bytes = file("secret_file", path)?;
        let secret = without_line_end(&bytes);
        if secret.len() < SECRET_BYTES_MIN {
            let path = path.display();
            return Err(format!(
                "issuers.{name}.secret_file: {path} holds fewer than {SECRET_BYTES_MIN} bytes, too few for a secret"
            ));
        }
        return Ok(KeySettings::Secret(secret.to_vec()));
    }
    if let Some(path) = &issuer.public_key_file {
        return Ok(KeySettings::Pem(file("public_key_file", path)?));
    }
    if let Some(path) = &issuer.jwks_file {
        return Ok(KeySettings::Jwks(file("jwks_file", path)?));
    }
    match &issuer.jwks_url {
        Some(url) => Ok(KeySettings::JwksUrl(url.clone())),
        // Refused already where the configuration was loaded from a file.
        None => Err(format!("issuers.{name} has no keys")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err("it is larger than 1 MiB".to_owned());
    }
    Ok(bytes)
}

/// Editors end a file with a line end that is no part of the secret.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
