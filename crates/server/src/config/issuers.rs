//! The settings of an issuer, as each `[issuers.NAME]` has them.

use fanfare_auth::Algorithm;

use super::Config;
use super::auth::IssuerConfig;
use super::kinds::{
    Algorithms, FilePath, Given, KeySetAddress, Kind, Refusal, SharedSecret, WordList, Words,
};

/// One setting of an issuer.
pub(super) struct IssuerSetting {
    /// As in the file, without the table: `audience`.
    pub(super) name: &'static str,
    /// A line for people.
    pub(super) about: &'static str,
    /// An example for the reference, as the file writes it.
    pub(super) example: &'static str,
    /// Reads a value into the issuer.
    pub(super) set: fn(&mut IssuerConfig, &Given) -> Result<(), Refusal>,
    /// Writes the value in force, withholding secrets.
    pub(super) show: fn(&IssuerConfig) -> String,
    /// What values it takes.
    pub(super) describe: fn() -> String,
}

macro_rules! setting {
    ($name:literal, $field:ident, $kind:expr, $about:literal, $example:literal) => {
        IssuerSetting {
            name: $name,
            about: $about,
            example: $example,
            set: |issuer, given| {
                issuer.$field = $kind.read(given)?;
                Ok(())
            },
            show: |issuer| $kind.show(&issuer.$field),
            describe: || $kind.describe(),
        }
    };
}

/// The issuer whose keys are the generated secret.
pub(super) const BUILT_IN: &str = "local";

/// The settings of which an issuer has exactly one.
pub(super) const KEY_SOURCES: [&str; 5] =
    ["secret", "secret_file", "public_key_file", "jwks_file", "jwks_url"];

/// All of them, in the order in which they are shown.
pub(super) const SETTINGS: &[IssuerSetting] = &[
    setting!(
        "issuer",
        issuer,
        Words,
        "the claim iss; without it, tokens that have none",
        "\"https://login.example\""
    ),
    setting!(
        "audience",
        audience,
        WordList,
        "what the claim aud has to name one of; without it, any",
        "[\"chat\"]"
    ),
    setting!(
        "algorithms",
        algorithms,
        Algorithms,
        "the algorithms taken; without it, all that fit the keys",
        "[\"ES256\"]"
    ),
    setting!(
        "secret",
        secret,
        SharedSecret,
        "a secret that the issuer signs with, for HS256, HS384 and HS512",
        "\"…\""
    ),
    setting!("secret_file", secret_file, FilePath, "a file with such a secret", "\"/etc/fanfare/secret\""),
    setting!(
        "public_key_file",
        public_key_file,
        FilePath,
        "a file with public keys or certificates in PEM",
        "\"/etc/fanfare/issuer.pem\""
    ),
    setting!(
        "jwks_file",
        jwks_file,
        FilePath,
        "a file with a key set (RFC 7517)",
        "\"/etc/fanfare/jwks.json\""
    ),
    setting!(
        "jwks_url",
        jwks_url,
        KeySetAddress,
        "where the issuer publishes its key set",
        "\"https://login.example/.well-known/jwks.json\""
    ),
    setting!(
        "user_claim",
        user_claim,
        Words,
        "the claim that names the user; within objects with dots; without it, sub",
        "\"sub\""
    ),
    setting!(
        "roles_claim",
        roles_claim,
        Words,
        "the claim that lists the user's roles; without it, roles",
        "\"realm_access.roles\""
    ),
];

impl IssuerSetting {
    /// Whether values are withheld from everything that is shown.
    pub(super) fn is_secret(&self) -> bool {
        self.name == "secret"
    }
}

/// The setting of a name.
pub(super) fn find(name: &str) -> Option<&'static IssuerSetting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// What is allowed and seldom meant.
///
/// Who has a secret has it from the operator, for this server. One who publishes keys signs tokens for everybody's services,
/// and those of any of them would do here (RFC 8725, section 3.9).
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let serves_others = |issuer: &IssuerConfig| {
        issuer.public_key_file.is_some() || issuer.jwks_file.is_some() || issuer.jwks_url.is_some()
    };
    let issuers = config.auth.issuers.iter();
    let any = issuers.filter(|(_, issuer)| issuer.audience.is_empty() && serves_others(issuer));
    any.map(|(name, _)| {
        format!(
            "issuers.{name}.audience is not set: tokens that this issuer signed for other services are taken too"
        )
    })
    .collect()
}

/// What is wrong with what an operator calls an issuer, if anything.
pub(super) fn name_error(name: &str) -> Option<&'static str> {
    if name == BUILT_IN {
        return Some("\"local\" is the issuer whose keys are the generated secret");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Some("an issuer is called by 1 to 64 letters, digits, \"-\" and \"_\"");
    }
    None
}

/// The settings that say where an issuer's keys are, of those that it has.
pub(super) fn key_sources(issuer: &IssuerConfig) -> Vec<&'static str> {
    let given = [
        issuer.secret.is_some(),
        issuer.secret_file.is_some(),
        issuer.public_key_file.is_some(),
        issuer.jwks_file.is_some(),
        issuer.jwks_url.is_some(),
    ];
    KEY_SOURCES.into_iter().zip(given).filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

/// Whether an algorithm signs with a secret that both sides know.
pub(super) fn is_symmetric(algorithm: Algorithm) -> bool {
    algorithm.secret_bytes_min().is_some()
}
