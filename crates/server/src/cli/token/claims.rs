//! What a token is going to say.

use std::fmt;

use fanfare_auth::IssuerSettings;
use fanfare_core::auth::{Operation, Scope};
use fanfare_protocol::{ChannelName, ChannelPattern};
use serde_json::{Map, Value, json};

use super::{Args, Failure};
use crate::config;

/// The claims, and what they are for.
pub(super) struct Claims {
    members: Map<String, Value>,
    /// What may be subscribed to, if it is a token for a subscription.
    pub(super) subscription: Option<Scope>,
}

/// As the signature covers them.
impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Value::Object(self.members.clone()))
    }
}

/// A channel or a pattern, and what is allowed there.
struct Granted {
    scope: Scope,
    /// The usual ones without.
    operations: Option<Vec<&'static str>>,
}

impl Claims {
    /// What the arguments ask for; `now` is Unix time in seconds.
    pub(super) fn of(args: &Args, issuer: &IssuerSettings, now: u64) -> Result<Self, Failure> {
        let lasts = config::token_lifetime_ms(&args.expires)
            .map_err(|error| Failure::Usage(format!("--expires: {error}")))?;
        let mut members = Map::new();
        let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if let Some(name) = &issuer.issuer {
            set("iss", json!(name));
        }
        match (&args.audience[..], issuer.audience.first()) {
            ([], None) => {}
            ([one], _) | ([], Some(one)) => set("aud", json!(one)),
            (several, _) => set("aud", json!(several)),
        }
        if let Some(user) = &args.user {
            set(&issuer.user_claim, json!(user));
        }
        set("iat", json!(now));
        set("exp", json!(now + lasts.div_ceil(1000)));
        if let Some(id) = &args.id {
            set("jti", json!(id));
        }
        if let Some(name) = &args.name {
            set("name", json!(name));
        }
        if !args.role.is_empty() {
            set(&issuer.roles_claim, json!(args.role));
        }
        if let Some(info) = &args.info {
            let info = serde_json::from_str(info)
                .map_err(|error| Failure::Usage(format!("--info is no JSON: {error}")))?;
            set("info", info);
        }
        let mut grants = Vec::new();
        for text in &args.channel {
            grants.push(Granted::parse(text, channel)?.entry());
        }
        for text in &args.pattern {
            grants.push(Granted::parse(text, pattern)?.entry());
        }
        if !grants.is_empty() {
            set("channels", Value::Array(grants));
        }
        let subscription = match &args.subscribe {
            None => None,
            Some(text) => {
                let granted = Granted::parse(text, channel)?;
                members.extend(granted.members());
                Some(granted.scope)
            }
        };
        Ok(Self { members, subscription })
    }
}

impl Granted {
    fn parse(text: &str, scope: fn(&str) -> Result<Scope, Failure>) -> Result<Self, Failure> {
        // Names may have the character too; what stands behind the last one is meant.
        let Some((name, words)) = text.rsplit_once('=') else {
            return Ok(Self { scope: scope(text)?, operations: None });
        };
        let operation = |word: &str| {
            Operation::from_name(word.trim()).map(Operation::as_str).ok_or_else(|| {
                let known = Operation::ALL.map(Operation::as_str).join(", ");
                let text = format!("{text}: behind \"=\" stand operations: {known}");
                Failure::Usage(text)
            })
        };
        let operations = words.split(',').map(operation).collect::<Result<_, _>>()?;
        Ok(Self { scope: scope(name)?, operations: Some(operations) })
    }

    /// As the claim `channels` lists it.
    fn entry(&self) -> Value {
        match (&self.scope, &self.operations) {
            (Scope::Channel(channel), None) => json!(channel.as_str()),
            _ => Value::Object(self.members()),
        }
    }

    fn members(&self) -> Map<String, Value> {
        let (kind, text) = match &self.scope {
            Scope::Channel(channel) => ("channel", channel.as_str()),
            Scope::Pattern(pattern) => ("pattern", pattern.as_str()),
        };
        let mut members = Map::from_iter([(kind.to_owned(), json!(text))]);
        if let Some(operations) = &self.operations {
            members.insert("allow".to_owned(), json!(operations));
        }
        members
    }
}

fn channel(name: &str) -> Result<Scope, Failure> {
    let valid = ChannelName::new(name).map(Scope::Channel);
    valid.map_err(|error| Failure::Usage(format!("\"{name}\" is not a valid channel: {error}")))
}

fn pattern(text: &str) -> Result<Scope, Failure> {
    let valid = ChannelPattern::new(text).map(Scope::Pattern);
    valid.map_err(|error| Failure::Usage(format!("\"{text}\" is not a valid pattern: {error}")))
}
