//! An authority that finds out what the test says, when it says so.

use std::collections::VecDeque;
use std::sync::Mutex;

use fanfare_core::auth::{Grant, Identity, Operation, Operations, Scope, Standing};
use fanfare_core::ports::authority::{Asked, Authority, Finding, Matter, Verdict};
use fanfare_protocol::UserId;
use fanfare_protocol::command::Topic;

use crate::application::lock;
use crate::script::{self, Words};

/// Keeps every question until it is answered.
#[derive(Debug, Default)]
pub struct ScriptedAuthority {
    /// Whether there are tokens at all.
    pub tokens: bool,
    /// Whether the application decides about subscriptions.
    pub decides: bool,
    pub(crate) asked: Mutex<VecDeque<Asked>>,
    pub(crate) revoked: Mutex<Vec<Box<str>>>,
    pub(crate) revoked_users: Mutex<Vec<(UserId, u64)>>,
}

impl ScriptedAuthority {
    /// The oldest question that is unanswered.
    pub fn pop(&self) -> Option<Asked> {
        lock(&self.asked).pop_front()
    }

    /// How many questions are unanswered.
    pub fn waiting(&self) -> usize {
        lock(&self.asked).len()
    }

    /// Notes that a token is good no longer.
    pub fn revoke(&self, token_id: &str) {
        lock(&self.revoked).push(token_id.into());
    }

    /// Notes that a user's credentials are good no longer that were issued before this point of Unix time, in
    /// milliseconds.
    pub fn revoke_user(&self, user: UserId, before_unix_ms: u64) {
        lock(&self.revoked_users).push((user, before_unix_ms));
    }
}

impl Authority for ScriptedAuthority {
    fn takes_tokens(&self) -> bool {
        self.tokens
    }

    fn decides_subscriptions(&self) -> bool {
        self.decides
    }

    fn ask(&self, question: Asked) {
        lock(&self.asked).push_back(question);
    }

    fn is_revoked(&self, user: Option<&UserId>, standing: &Standing) -> bool {
        let by_user = lock(&self.revoked_users).iter().any(|(revoked, before_unix_ms)| {
            let is_older = standing.issued_unix_ms.is_none_or(|issued| issued < *before_unix_ms);
            is_older && user == Some(revoked)
        });
        by_user || standing.token_id.as_ref().is_some_and(|id| lock(&self.revoked).contains(id))
    }
}

/// The verdict that a line says: `authority says USER …`, `authority grants …`, `authority refuses CODE`.
///
/// # Panics
/// When it says none.
pub(crate) fn verdict(words: &Words<'_>, matter: &Matter, unix_ms: u64) -> Verdict {
    match words.word(1) {
        "says" => {
            let user = Some(words.word(2)).filter(|name| *name != "-").map(script::user);
            let standing = Some(Box::new(standing(words, unix_ms)));
            Ok(Finding::Identity(Box::new(Identity { user, standing, place: None })))
        }
        "grants" => {
            let (Matter::SubscriptionToken(topic, _) | Matter::Subscription(topic)) = matter else {
                panic!("nobody asked for a grant");
            };
            let operations = words.option("allow").map_or(Operations::READ, operations);
            // A token may be for a wider pattern than was asked for.
            let granted = words.option("for").map(script::topic);
            let mut grant = Grant::new(scope(granted.as_ref().unwrap_or(topic)), operations);
            grant.expires_unix_ms = words.option("expires").map(|_| unix_ms + words.number::<u64>("expires"));
            grant.token_id = words.option("token").map(Into::into);
            grant.issued_unix_ms = words.option("issued").map(|_| words.number("issued"));
            Ok(Finding::Grant(grant))
        }
        "refuses" => {
            let code = script::error_code(words.word(2));
            Err((code, code.text().to_owned()))
        }
        other => panic!("an authority cannot do this: {other}"),
    }
}

/// What a credential says: `[name=N] [roles=a,b] [grants=NAME/subscribe+publish,…] [expires=MS] [issued=MS] [token=ID]`.
pub(crate) fn standing(words: &Words<'_>, unix_ms: u64) -> Standing {
    let list = |name| words.option(name).into_iter().flat_map(|text| text.split(','));
    Standing {
        roles: list("roles").map(Into::into).collect(),
        grants: list("grants").map(grant).collect(),
        token_id: words.option("token").map(Into::into),
        issued_unix_ms: words.option("issued").map(|_| words.number("issued")),
        expires_unix_ms: words.option("expires").map(|_| unix_ms + words.number::<u64>("expires")),
        info: words.option("info").map(script::payload),
        name: words.option("name").map(Into::into),
        key: None,
    }
}

fn grant(text: &str) -> Grant {
    let (name, allowed) = text.split_once('/').unwrap_or((text, ""));
    let allowed = if allowed.is_empty() { Operations::READ } else { operations(allowed) };
    Grant::new(scope(&script::topic(name)), allowed)
}

fn operations(text: &str) -> Operations {
    text.split('+')
        .map(|name| match Operation::from_name(name) {
            Some(operation) => operation,
            None => panic!("no such operation: {name}"),
        })
        .collect()
}

fn scope(topic: &Topic) -> Scope {
    match topic {
        Topic::Channel(channel) => Scope::Channel(channel.clone()),
        Topic::Pattern(pattern) => Scope::Pattern(pattern.clone()),
    }
}
