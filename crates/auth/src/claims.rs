//! What a token says. It is read before the signature is known to hold, and nothing but `iss` is looked at until then.

use fanfare_core::auth::{Grant, Operation, Standing};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{Payload, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::grants;
use crate::json;
use crate::settings::TokenRules;
use crate::verifier::{TokenError, Verified};

/// The end of the year 9999. No honest time is beyond it, and it stays exact in milliseconds.
const SECONDS_MAX: u64 = 253_402_300_799;
const ROLES_MAX: usize = 64;
const ROLE_BYTES_MAX: usize = 255;
const NAME_BYTES_MAX: usize = 255;
const TOKEN_ID_BYTES_MAX: usize = 255;
const INFO_BYTES_MAX: usize = 4 * 1024;
const AUDIENCES_MAX: usize = 64;

/// The claims of a token.
pub(crate) struct Claims<'t> {
    text: &'t [u8],
    members: Map<String, Value>,
}

/// What an issuer's tokens have to say, and where they say it.
pub(crate) struct Expected {
    /// The issuer's name, for error texts.
    pub(crate) name: String,
    /// One of which `aud` has to name.
    pub(crate) audience: Vec<String>,
    pub(crate) user_claim: String,
    pub(crate) roles_claim: String,
}

/// When a token was issued and when it ends, in milliseconds of Unix time.
struct Times {
    issued: Option<u64>,
    end: u64,
}

#[derive(Deserialize)]
struct Raw<'t> {
    #[serde(borrow)]
    info: Option<&'t RawValue>,
}

impl<'t> Claims<'t> {
    pub(crate) fn parse(text: &'t [u8]) -> Result<Self, TokenError> {
        let members = json::object(text)
            .map_err(|problem| TokenError::failed(format!("the token's payload {}", problem.text())))?;
        Ok(Self { text, members })
    }

    /// The claim `iss`.
    pub(crate) fn issuer(&self) -> Result<Option<&str>, TokenError> {
        self.text_of("iss")
    }

    /// Who the bearer of a connection's token is.
    pub(crate) fn connection(
        &self,
        expected: &Expected,
        rules: &TokenRules,
        now_unix_ms: u64,
    ) -> Result<Verified, TokenError> {
        if ["channel", "pattern", "allow"].iter().any(|name| self.members.contains_key(*name)) {
            return Err(TokenError::failed(
                "this token is for a subscription (it has \"channel\", \"pattern\" or \"allow\"), not for a connection",
            ));
        }
        let times = self.times(rules, now_unix_ms)?;
        self.check_audience(expected)?;
        let grants = match self.members.get("channels") {
            None => Vec::new(),
            Some(claim) => grants::list(claim, rules.grants_max)
                .map_err(|problem| TokenError::failed(format!("the token's \"channels\" {problem}")))?,
        };
        let standing = Standing {
            name: self.bounded("name", NAME_BYTES_MAX)?.map(Into::into),
            roles: self.roles(&expected.roles_claim)?,
            info: self.info()?,
            grants,
            token_id: self.token_id()?,
            issued_unix_ms: times.issued,
            expires_unix_ms: Some(times.end),
            key: None,
        };
        Ok(Verified { user: self.user(&expected.user_claim)?, standing })
    }

    /// What a subscription's token grants, if it is for this topic and this user.
    pub(crate) fn subscription(
        &self,
        expected: &Expected,
        rules: &TokenRules,
        (topic, user): (&Topic, Option<&UserId>),
        now_unix_ms: u64,
    ) -> Result<Grant, TokenError> {
        if ["channel", "pattern"].iter().all(|name| !self.members.contains_key(*name)) {
            return Err(TokenError::failed(
                "this token is for a connection, not for a subscription: that takes \"channel\" or \"pattern\"",
            ));
        }
        if self.members.contains_key("channels") {
            return Err(TokenError::failed("a token for a subscription has no \"channels\""));
        }
        let times = self.times(rules, now_unix_ms)?;
        self.check_audience(expected)?;
        if self.user(&expected.user_claim)?.as_ref() != user {
            return Err(TokenError::failed("the token is not for the user of this connection"));
        }
        let mut grant = grants::one(&self.members)
            .map_err(|problem| TokenError::failed(format!("the token for a subscription {problem}")))?;
        if !grant.allows(Operation::Subscribe, topic) {
            return Err(TokenError::failed("the token does not allow to subscribe to this channel"));
        }
        grant.expires_unix_ms = Some(times.end);
        grant.token_id = self.token_id()?;
        grant.issued_unix_ms = times.issued;
        Ok(grant)
    }

    /// `exp`, `nbf` and `iat` (RFC 7519, sections 4.1.4 to 4.1.6).
    fn times(&self, rules: &TokenRules, now: u64) -> Result<Times, TokenError> {
        let leeway = millis(rules.leeway);
        let Some(end) = self.time("exp")? else {
            return Err(TokenError::failed("the token has no \"exp\", and each token has to end"));
        };
        let issued = self.time("iat")?;
        if self.time("nbf")?.is_some_and(|begin| begin > now.saturating_add(leeway)) {
            return Err(TokenError::failed("the token is not valid yet: its \"nbf\" is in the future"));
        }
        if issued.is_some_and(|issued| issued > now.saturating_add(leeway)) {
            return Err(TokenError::failed("the token's \"iat\" is in the future; are the clocks right?"));
        }
        let seconds = rules.lifetime_max.as_secs();
        if end.saturating_sub(now) > millis(rules.lifetime_max) {
            return Err(TokenError::failed(format!(
                "the token has longer to live than the {seconds} s that are allowed"
            )));
        }
        // It would have been refused at first; its revocation may have been forgotten before it was accepted.
        if issued.is_some_and(|issued| end.saturating_sub(issued) > millis(rules.lifetime_max)) {
            let text = format!("the token ends more than {seconds} s after its \"iat\"");
            return Err(TokenError::failed(text));
        }
        if now < end {
            return Ok(Times { issued, end });
        }
        // Whose clock is ahead is not known: a token that has just ended here may still run where it was made.
        let end = end + leeway;
        if now < end { Ok(Times { issued, end }) } else { Err(TokenError::expired()) }
    }

    /// A NumericDate (RFC 7519, section 2) as milliseconds. It may have a fraction, as `Date.now() / 1000` has; what is
    /// finer than a millisecond is cut off.
    fn time(&self, name: &str) -> Result<Option<u64>, TokenError> {
        let Some(claim) = self.members.get(name) else { return Ok(None) };
        let ms = match (claim.as_u64(), claim.as_f64()) {
            (Some(seconds), _) => seconds.checked_mul(1000),
            // A sum in binary falls short of its decimals by less than a microsecond, which is not to cost a millisecond.
            (None, Some(seconds)) if seconds.is_sign_positive() && seconds <= SECONDS_MAX as f64 => {
                Some((seconds * 1000.0 + 1e-3) as u64)
            }
            _ => None,
        };
        ms.filter(|ms| *ms <= SECONDS_MAX * 1000).map(Some).ok_or_else(|| {
            TokenError::failed(format!(
                "the token's \"{name}\" is not a number of seconds of Unix time, up to the year 9999"
            ))
        })
    }

    /// `aud` (RFC 7519, section 4.1.3).
    fn check_audience(&self, expected: &Expected) -> Result<(), TokenError> {
        let name = &expected.name;
        let named: Vec<&str> = match self.members.get("aud") {
            None if expected.audience.is_empty() => return Ok(()),
            None => {
                let text =
                    format!("the token has no \"aud\", and issuer \"{name}\" is configured with audiences");
                return Err(TokenError::failed(text));
            }
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) if list.len() <= AUDIENCES_MAX && list.iter().all(Value::is_string) => {
                list.iter().filter_map(Value::as_str).collect()
            }
            Some(_) => {
                let text =
                    format!("the token's \"aud\" is neither a string nor a list of up to {AUDIENCES_MAX}");
                return Err(TokenError::failed(text));
            }
        };
        let matches = named.iter().any(|named| expected.audience.iter().any(|audience| audience == named));
        if matches || expected.audience.is_empty() {
            return Ok(());
        }
        let text = format!("the token's audience is not one of those configured for issuer \"{name}\"");
        Err(TokenError::failed(text))
    }

    fn user(&self, path: &str) -> Result<Option<UserId>, TokenError> {
        match self.at(path) {
            None => Ok(None),
            Some(Value::String(id)) => UserId::new(id).map(Some).map_err(|_| {
                TokenError::failed(
                    "the token's user id is empty, longer than 255 bytes, or has control characters",
                )
            }),
            Some(_) => Err(TokenError::failed("the token's user id is not a string")),
        }
    }

    fn roles(&self, path: &str) -> Result<Box<[Box<str>]>, TokenError> {
        let Some(claim) = self.at(path) else { return Ok(Box::default()) };
        let role = |role: &Value| {
            role.as_str().filter(|role| (1..=ROLE_BYTES_MAX).contains(&role.len())).map(Into::into)
        };
        let list = claim.as_array().filter(|list| list.len() <= ROLES_MAX);
        list.and_then(|list| list.iter().map(role).collect()).ok_or_else(|| {
            TokenError::failed(format!(
                "the token's roles are not a list of up to {ROLES_MAX} strings of 1 to {ROLE_BYTES_MAX} bytes"
            ))
        })
    }

    /// Passed on as it is written, so that nothing is lost of its numbers.
    fn info(&self) -> Result<Option<Payload>, TokenError> {
        if !self.members.contains_key("info") {
            return Ok(None);
        }
        let raw: Raw<'_> = serde_json::from_slice(self.text)
            .map_err(|_| TokenError::failed("the token's \"info\" cannot be read"))?;
        let info = raw.info.map_or("null", RawValue::get);
        if info.len() > INFO_BYTES_MAX {
            return Err(TokenError::failed(format!(
                "the token's \"info\" is larger than {INFO_BYTES_MAX} bytes"
            )));
        }
        Ok(Some(Payload::Json(info.to_owned().into())))
    }

    fn token_id(&self) -> Result<Option<Box<str>>, TokenError> {
        let id = self.bounded("jti", TOKEN_ID_BYTES_MAX)?;
        if id == Some("") {
            return Err(TokenError::failed("the token's \"jti\" is empty"));
        }
        Ok(id.map(Into::into))
    }

    fn bounded(&self, name: &str, bytes_max: usize) -> Result<Option<&str>, TokenError> {
        match self.text_of(name)? {
            Some(text) if text.len() > bytes_max => {
                Err(TokenError::failed(format!("the token's \"{name}\" is longer than {bytes_max} bytes")))
            }
            text => Ok(text),
        }
    }

    fn text_of(&self, name: &str) -> Result<Option<&str>, TokenError> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::failed(format!("the token's \"{name}\" is not a string"))),
        }
    }

    /// The claim of this name or, if there is none, at this path through objects.
    fn at(&self, path: &str) -> Option<&Value> {
        self.members.get(path).or_else(|| {
            let (first, rest) = path.split_once('.')?;
            rest.split('.').try_fold(self.members.get(first)?, |value, name| value.as_object()?.get(name))
        })
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
