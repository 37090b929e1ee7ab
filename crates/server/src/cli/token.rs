//! `fanfare token`: signs a token, for a client or for one subscription of it.

mod claims;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_auth::sign::{SigningKey, sign};
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, Verifier};
use fanfare_core::auth::Scope;
use fanfare_protocol::UserId;
use fanfare_protocol::command::Topic;

use super::config_args::ConfigArgs;
use super::{Failure, Program, print};
use crate::config::{self, Config};
use crate::secrets::{KeyFile, KeyKind};
use claims::Claims;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Who its bearer is.
    #[arg(long, required_unless_present_any = ["channel", "pattern", "subscribe"])]
    user: Option<String>,
    /// The user's name, for people.
    #[arg(long, conflicts_with = "subscribe")]
    name: Option<String>,
    /// What the user is, for rules of namespaces that name roles; may be repeated.
    #[arg(long, conflicts_with = "subscribe")]
    role: Vec<String>,
    /// What other members see beside the user: JSON.
    #[arg(long, value_name = "JSON", conflicts_with = "subscribe")]
    info: Option<String>,
    /// A channel that it opens, to read; or with operations: chat:lobby=subscribe,publish,history,presence; may be
    /// repeated.
    #[arg(long, value_name = "NAME[=OPERATIONS]", conflicts_with = "subscribe")]
    channel: Vec<String>,
    /// The same for all channels that a pattern matches, such as 'team.7.>'.
    #[arg(long, value_name = "PATTERN[=OPERATIONS]", conflicts_with = "subscribe")]
    pattern: Vec<String>,
    /// Instead of a token for a connection: one for a subscription to this channel, by this user if one is named.
    #[arg(long, value_name = "NAME[=OPERATIONS]")]
    subscribe: Option<String>,
    /// How long it lasts: 90s, 15m, 12h, 7d.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    expires: String,
    /// A name by which it can be revoked.
    #[arg(long)]
    id: Option<String>,
    /// For whom it is; may be repeated [default: the first audience of the issuer].
    #[arg(long)]
    audience: Vec<String>,
    /// The issuer of the configuration in whose name [default: this server].
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// Sign with this private key, PKCS#8 in PEM [default: the issuer's secret, or the generated one].
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Sign in this way [default: the issuer's first].
    #[arg(long)]
    algorithm: Option<String>,
    /// Say in the token's header which key it was.
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// Print a JSON object on one line: the token, and the claims that it makes.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &Args, program: &Program) -> Result<(), Failure> {
    let config = args.config.load(program)?.config;
    let issuer = args.issuer(&config)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = Claims::of(args, &issuer, now)?;
    let key = args.key(&config, &issuer)?;
    let signed = claims.to_string();
    let token = sign(&key, &signed).map_err(Failure::Text)?;
    args.check(&config, issuer, &claims, &token, now)?;
    match args.json {
        true => print(&format!("{{\"token\":\"{token}\",\"claims\":{signed}}}\n")),
        false => print(&format!("{token}\n")),
    }
}

impl Args {
    /// The issuer in whose name, without its keys where a private key is given: they are public ones.
    fn issuer(&self, config: &Config) -> Result<IssuerSettings, Failure> {
        let Some(name) = &self.issuer else { return self.own(config) };
        let Some(issuer) = config.auth.issuers.get(name) else {
            let known: Vec<&str> = config.auth.issuers.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::Usage(format!("no issuer \"{name}\" is configured; there is {known}")));
        };
        issuer.settings(name).map_err(Failure::Text)
    }

    /// This server itself.
    fn own(&self, config: &Config) -> Result<IssuerSettings, Failure> {
        // With a private key the token is for somebody else's verifier, and the secret is not needed.
        if self.key_file.is_some() {
            return Ok(config::own_issuer(Vec::new()));
        }
        if config.auth.secret_file.is_none() {
            super::serve::has_home(config)?;
        }
        let text = KeyFile::text(&config.secret_file(), KeyKind::Token)
            .map_err(|error| Failure::Text(format!("{error}; the first `fanfare serve` makes it")))?;
        Ok(config::own_issuer(text.into_bytes()))
    }

    fn algorithm(&self, issuer: &IssuerSettings) -> Result<Option<Algorithm>, Failure> {
        let Some(name) = &self.algorithm else { return Ok(issuer.algorithms.first().copied()) };
        let known = || Algorithm::ALL.map(Algorithm::as_str).join(", ");
        let algorithm = Algorithm::from_name(name);
        let algorithm =
            algorithm.ok_or_else(|| Failure::Usage(format!("--algorithm takes one of {}", known())))?;
        // What is signed for somebody else's verifier is nobody's business here.
        let is_for_here = self.issuer.is_some() || self.key_file.is_none();
        if is_for_here && !issuer.algorithms.is_empty() && !issuer.algorithms.contains(&algorithm) {
            let taken = issuer.algorithms.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(", ");
            let name = &issuer.name;
            return Err(Failure::Usage(format!(
                "of issuer \"{name}\" only {taken} is taken; with --key-file and without --issuer, any"
            )));
        }
        Ok(Some(algorithm))
    }

    fn key(&self, config: &Config, issuer: &IssuerSettings) -> Result<SigningKey, Failure> {
        let algorithm = self.algorithm(issuer)?;
        let key = match (&self.key_file, &issuer.keys) {
            (Some(path), _) => {
                let algorithm = match (algorithm, &self.issuer, &self.algorithm) {
                    (Some(algorithm), Some(_), _) | (Some(algorithm), None, Some(_)) => algorithm,
                    _ => {
                        return Err(Failure::Usage(
                            "say with --algorithm what the key is for, such as ES256".to_owned(),
                        ));
                    }
                };
                SigningKey::pem(algorithm, &read(path)?).map_err(|error| at(path, &error))
            }
            (None, KeySettings::Secret(secret)) => {
                let source = match &self.issuer {
                    Some(name) => format!("the secret of issuer \"{name}\""),
                    None => config.secret_file().display().to_string(),
                };
                SigningKey::secret(algorithm.unwrap_or(Algorithm::HS256), secret)
                    .map_err(|error| Failure::Text(format!("{source}: {error}")))
            }
            (None, _) => Err(Failure::Usage(format!(
                "issuer \"{}\" is known by public keys; give the private one with --key-file",
                issuer.name
            ))),
        }?;
        Ok(match &self.key_id {
            Some(id) => key.named(id),
            None => key,
        })
    }

    /// Whether a server with this configuration would take the token. Asks the verifier itself; where that has no keys,
    /// because they are fetched or belong to somebody else, the claims alone, signed with a key of the moment.
    fn check(
        &self,
        config: &Config,
        issuer: IssuerSettings,
        claims: &Claims,
        token: &str,
        now: u64,
    ) -> Result<(), Failure> {
        const KEY: [u8; 32] = [0; 32];
        let refused = |why: &str| Failure::Text(format!("the server would refuse it: {why}"));
        let rules = config.token_rules();
        if token.len() > rules.bytes_max {
            return Err(refused(&format!("it has {} bytes, {} are allowed", token.len(), rules.bytes_max)));
        }
        let is_foreign = self.issuer.is_none() && self.key_file.is_some();
        let (issuer, token) = if is_foreign || matches!(issuer.keys, KeySettings::JwksUrl(_)) {
            let mut key = SigningKey::secret(Algorithm::HS256, &KEY).map_err(Failure::Text)?;
            if let Some(id) = &self.key_id {
                key = key.named(id);
            }
            let keys = KeySettings::Secret(KEY.to_vec());
            let trial = IssuerSettings { algorithms: Vec::new(), keys, ..issuer };
            (trial, sign(&key, &claims.to_string()).map_err(Failure::Text)?)
        } else {
            (issuer, token.to_owned())
        };
        let verifier = Verifier::new(vec![issuer], rules).map_err(Failure::Text)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Text(error.to_string()))?;
        let verdict = runtime.block_on(async {
            match &claims.subscription {
                None => verifier.connection(&token, now * 1000).await.map(drop),
                Some(scope) => {
                    let user = self.user.as_deref().and_then(|user| UserId::new(user).ok());
                    verifier.subscription(&token, &topic(scope), user.as_ref(), now * 1000).await.map(drop)
                }
            }
        });
        verdict.map_err(|error| refused(&error.text))
    }
}

fn topic(scope: &Scope) -> Topic {
    match scope {
        Scope::Channel(channel) => Topic::Channel(channel.clone()),
        Scope::Pattern(pattern) => Topic::Pattern(pattern.clone()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| at(path, &format!("it cannot be read: {error}")))
}

fn at(path: &Path, error: &str) -> Failure {
    Failure::Text(format!("{}: {error}", path.display()))
}
