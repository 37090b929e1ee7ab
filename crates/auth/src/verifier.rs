//! From a token to a verdict.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fanfare_core::auth::{Grant, Standing};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ErrorCode, UserId};
use tokio::time::Instant;

use crate::claims::{Claims, Expected};
use crate::key::mark;
use crate::key_set::KeySet;
use crate::settings::{IssuerSettings, KeySettings, TokenRules};
use crate::source::Source;
use crate::token::Token;

/// How often fetched key sets are fetched again. A new key is known after that and one fetch, half a minute and 5 s.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// How far clocks may be said to be apart.
const LEEWAY_MAX: Duration = Duration::from_secs(30);

/// Verifies tokens. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    issuers: Vec<Issuer>,
    /// The marks of all keys that are trusted, each with its issuer.
    marks: HashSet<u64>,
    rules: TokenRules,
}

struct Issuer {
    /// What `iss` is; none where it is absent.
    issuer: Option<String>,
    keys: Keys,
    /// Where keys are fetched from; empty where they are not.
    address: String,
    expected: Expected,
}

enum Keys {
    Fixed(Arc<KeySet>),
    Fetched(Arc<Source>),
}

/// Who the bearer of a token is.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The user; none where the token names none.
    pub user: Option<UserId>,
    /// What else the token says.
    pub standing: Standing,
}

/// Why a token was not accepted. The text names the rule that it breaks, and nothing that the token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    /// `authentication_failed` or `token_expired`.
    pub code: ErrorCode,
    /// For the developer who meets it.
    pub text: String,
}

impl TokenError {
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self { code: ErrorCode::AuthenticationFailed, text: text.into() }
    }

    pub(crate) fn expired() -> Self {
        let code = ErrorCode::TokenExpired;
        Self { code, text: code.text().to_owned() }
    }
}

impl Verifier {
    /// A verifier of these issuers' tokens. Nothing is fetched yet: see [`Self::keep_fresh`].
    ///
    /// # Errors
    /// In a sentence, when the keys of an issuer cannot be used, or a rule is out of bounds.
    pub fn new(issuers: Vec<IssuerSettings>, rules: TokenRules) -> Result<Self, String> {
        if rules.leeway > LEEWAY_MAX {
            return Err(format!("the leeway is at most {} s", LEEWAY_MAX.as_secs()));
        }
        let issuers = issuers.into_iter().map(Issuer::new).collect::<Result<Vec<_>, _>>()?;
        let marks = issuers.iter().flat_map(Issuer::marks).collect();
        Ok(Self { inner: Arc::new(Inner { issuers, marks, rules }) })
    }

    /// The same, which goes on with the key sets that `former` has fetched, from where they are the same issuer's.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn in_place_of(
        former: &Self,
        issuers: Vec<IssuerSettings>,
        rules: TokenRules,
    ) -> Result<Self, String> {
        let mut new = Self::new(issuers, rules)?;
        if let Some(inner) = Arc::get_mut(&mut new.inner) {
            for issuer in inner.issuers.iter_mut().filter(|issuer| !issuer.address.is_empty()) {
                let same = |old: &&Issuer| {
                    old.address == issuer.address && old.expected.name == issuer.expected.name
                };
                if let Some(Keys::Fetched(source)) =
                    former.inner.issuers.iter().find(same).map(|old| &old.keys)
                {
                    issuer.keys = Keys::Fetched(source.clone());
                }
            }
        }
        Ok(new)
    }

    /// Whether two verifiers trust the same keys of the same issuers.
    pub fn trusts_the_same_as(&self, other: &Self) -> bool {
        self.inner.marks == other.inner.marks
    }

    /// Whether the issuer and the key that a token was signed with are still among those of this verifier: `key` is
    /// [`Standing::key`]. Keys that are fetched come and go by themselves; of those only the issuer is looked at.
    pub fn trusts(&self, key: u64) -> bool {
        self.inner.marks.contains(&key)
    }

    /// What holds for every token.
    pub fn rules(&self) -> &TokenRules {
        &self.inner.rules
    }

    /// Fetches the key sets of all issuers that have an address, now and every 30 s, for as long as it is polled. It
    /// ends at once if there is none. Where a fetch fails, that is logged, and the keys fetched last are good for an hour.
    pub async fn keep_fresh(&self) {
        if self.sources().next().is_none() {
            return;
        }
        loop {
            let next = Instant::now() + REFRESH_INTERVAL;
            self.refresh().await;
            tokio::time::sleep_until(next).await;
        }
    }

    /// Fetches all key sets that have an address once, and returns when each has been fetched or has failed: within 5 s.
    pub async fn refresh(&self) {
        let fetches: Vec<_> = self
            .sources()
            .map(|source| {
                let source = source.clone();
                tokio::spawn(async move { source.refresh().await })
            })
            .collect();
        for fetch in fetches {
            let _ = fetch.await;
        }
    }

    fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.inner.issuers.iter().filter_map(|issuer| match &issuer.keys {
            Keys::Fetched(source) => Some(source),
            Keys::Fixed(_) => None,
        })
    }

    /// Verifies a connection's token. It waits only where a key set has to be fetched, and not longer than 5 s for each
    /// issuer of this name. The end that it reports is `exp`, or `exp` and the leeway where `exp` is over.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn connection(&self, token: &str, now_unix_ms: u64) -> Result<Verified, TokenError> {
        let rules = &self.inner.rules;
        let judge =
            |claims: &Claims<'_>, expected: &Expected| claims.connection(expected, rules, now_unix_ms);
        let (mut verified, key) = self.verify(token, judge).await?;
        verified.standing.key = Some(key);
        Ok(verified)
    }

    /// Verifies a token that allows a subscription: it names the topic, and the user if the connection has one.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn subscription(
        &self,
        token: &str,
        topic: &Topic,
        user: Option<&UserId>,
        now_unix_ms: u64,
    ) -> Result<Grant, TokenError> {
        let rules = &self.inner.rules;
        let judge = |claims: &Claims<'_>, expected: &Expected| {
            claims.subscription(expected, rules, (topic, user), now_unix_ms)
        };
        Ok(self.verify(token, judge).await?.0)
    }

    /// Looks for an issuer of the token's `iss` whose signature it has, and of whom the claims are accepted. The refusal
    /// is that of the issuer who came furthest; with the verdict comes the mark of the key.
    async fn verify<T>(
        &self,
        token: &str,
        judge: impl Fn(&Claims<'_>, &Expected) -> Result<T, TokenError>,
    ) -> Result<(T, u64), TokenError> {
        let token = Token::parse(token, self.inner.rules.bytes_max)?;
        let claims = Claims::parse(&token.claims)?;
        let named = claims.issuer()?;
        let (mut unsigned, mut refused) = (None, None);
        for issuer in self.inner.issuers.iter().filter(|issuer| issuer.issuer.as_deref() == named) {
            match issuer.check_signature(&token).await {
                Err(error) => unsigned = unsigned.or(Some(error)),
                Ok(key) => match judge(&claims, &issuer.expected) {
                    Ok(verdict) => return Ok((verdict, key)),
                    Err(error) => refused = refused.or(Some(error)),
                },
            }
        }
        Err(refused.or(unsigned).unwrap_or_else(|| no_issuer(named)))
    }
}

fn no_issuer(named: Option<&str>) -> TokenError {
    TokenError::failed(match named {
        Some(_) => "the token's \"iss\" is not that of a configured issuer",
        None => "the token has no \"iss\", and no issuer is configured for such tokens",
    })
}

impl Issuer {
    fn new(settings: IssuerSettings) -> Result<Self, String> {
        let IssuerSettings { name, issuer, audience, algorithms, keys, user_claim, roles_claim } = settings;
        let told = |error| format!("issuer \"{name}\": {error}");
        if user_claim.is_empty() || roles_claim.is_empty() {
            return Err(told("the names of the claims for user and roles are not empty".to_owned()));
        }
        let address = if let KeySettings::JwksUrl(url) = &keys {
            format!("{url} {algorithms:?}")
        } else {
            String::new()
        };
        let keys = match keys {
            KeySettings::Secret(secret) => KeySet::secret(&secret, &algorithms).map(Keys::fixed),
            KeySettings::Pem(text) => KeySet::pem(&text, &algorithms).map(Keys::fixed),
            KeySettings::Jwks(text) => KeySet::jwks(&text, &algorithms).map(Keys::fixed),
            KeySettings::JwksUrl(url) => Source::new(&name, &url, algorithms).map(Keys::Fetched),
        };
        let keys = keys.map_err(told)?;
        Ok(Self { issuer, keys, address, expected: Expected { name, audience, user_claim, roles_claim } })
    }

    fn marks(&self) -> Vec<u64> {
        match &self.keys {
            Keys::Fixed(keys) => keys.marks().map(|key| self.mark(key)).collect(),
            Keys::Fetched(_) => vec![self.mark(0)],
        }
    }

    /// The mark of a key of this issuer.
    fn mark(&self, key: u64) -> u64 {
        let key = match &self.keys {
            Keys::Fixed(_) => key.to_be_bytes().to_vec(),
            Keys::Fetched(_) => self.address.as_bytes().to_vec(),
        };
        mark(&[self.issuer.as_deref().unwrap_or_default().as_bytes(), &key])
    }

    async fn check_signature(&self, token: &Token<'_>) -> Result<u64, TokenError> {
        let keys = self.keys.for_token(token).await;
        let name = &self.expected.name;
        let mut tried = false;
        for key in keys.candidates(token.key_id.as_deref(), token.algorithm) {
            if key.holds(token.algorithm, token.signed, &token.signature) {
                return Ok(self.mark(key.mark));
            }
            tried = true;
        }
        let own = if self.issuer.is_none() { ", whose tokens have no \"iss\"" } else { "" };
        Err(TokenError::failed(if tried {
            format!("the token's signature does not hold for the keys of issuer \"{name}\"{own}")
        } else if keys.len() == 0 {
            format!("the keys of issuer \"{name}\" are not there: its key set could not be fetched")
        } else {
            let algorithm = token.algorithm.as_str();
            let named = if token.key_id.is_some() { " of the token's key id" } else { "" };
            format!("issuer \"{name}\" has no key{named} for {algorithm}")
        }))
    }
}

impl Keys {
    fn fixed(keys: KeySet) -> Self {
        Keys::Fixed(Arc::new(keys))
    }

    /// The keys among which the token's is, if there is one.
    async fn for_token(&self, token: &Token<'_>) -> Arc<KeySet> {
        match self {
            Keys::Fixed(keys) => keys.clone(),
            Keys::Fetched(source) => {
                let keys = source.keys();
                if keys.knows(token.key_id.as_deref()) { keys } else { source.keys_fetched_again().await }
            }
        }
    }
}
