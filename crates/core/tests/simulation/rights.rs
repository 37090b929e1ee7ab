//! What every actor may hear in the guarded channels, told from what it was given and what was taken from it; the
//! engine is not asked.

use std::collections::BTreeMap;

use fanfare_testkit::history::{History, Operation};

/// Channels that are not open to all: by a token, by a role, by their name.
pub(crate) const GUARDED: [&str; 3] = ["vault:h", "staff:i", "long:$j"];

/// What a credential says.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) id: u64,
    /// Whether it gives the role that `staff` asks for.
    pub(crate) is_crew: bool,
    /// The guarded channels that it names.
    pub(crate) channels: Vec<&'static str>,
    /// Whether what it names may be published to as well.
    pub(crate) publishes: bool,
    pub(crate) issued_unix_ms: u64,
    pub(crate) expires_unix_ms: Option<u64>,
}

impl Token {
    fn allows(&self, channel: &str) -> bool {
        self.is_crew && channel.starts_with("staff") || self.channels.contains(&channel)
    }

    pub(crate) fn has_expired(&self, unix_ms: u64) -> bool {
        self.expires_unix_ms.is_some_and(|end_ms| end_ms <= unix_ms)
    }
}

/// Credentials in force.
#[derive(Debug, Default)]
struct Held {
    now: Vec<Token>,
    /// What comes back if the verdict on this request, which is under way, turns out to be refused.
    before: Option<(u64, Vec<Token>)>,
}

impl Held {
    /// A verdict on the request is under way that puts the token in the place of what was.
    fn replace(&mut self, request: u64, token: Token) {
        let mut before = std::mem::replace(&mut self.now, vec![token]);
        before.extend(self.before.take().into_iter().flat_map(|(_, older)| older));
        self.before = Some((request, before));
    }

    fn answered(&mut self, request: u64, accepted: bool) {
        let Some((_, before)) = self.before.take_if(|(awaited, _)| *awaited == request) else { return };
        match accepted {
            true => self.now.retain(|token| before.iter().all(|older| older.id != token.id)),
            false => self.now = before,
        }
    }

    /// If these are no longer accepted, it depends on whether the verdict is there already.
    fn doubt(&mut self, doubted: impl Fn(&Token) -> bool) {
        if self.now.iter().any(doubted) {
            self.now.extend(self.before.iter().flat_map(|(_, before)| before).cloned());
        }
    }

    /// Takes away; true if there was something in force for certain, and now there is nothing.
    fn lose(&mut self, lost: impl Fn(&Token) -> bool) -> bool {
        let had = !self.now.is_empty() && self.before.is_none();
        self.doubt(&lost);
        self.now.retain(|token| !lost(token));
        if let Some((_, before)) = &mut self.before {
            before.retain(|token| !lost(token));
        }
        had && self.now.is_empty()
    }
}

#[derive(Debug, Default)]
struct Rights {
    own: Held,
    given: BTreeMap<&'static str, Held>,
    /// As the history has it.
    noted: [bool; GUARDED.len()],
}

/// What all actors may hear.
#[derive(Debug)]
pub(crate) struct Permits(Vec<Rights>);

impl Permits {
    /// Nobody may anything, and each of those who only watch never will.
    pub(crate) fn new(actors: usize, watchers: &[u32], history: &mut History) -> Self {
        for channel in GUARDED {
            for actor in (0..actors as u32).chain(watchers.iter().copied()) {
                history.add(actor, Operation::Permit { allowed: false }, channel);
            }
        }
        Self((0..actors).map(|_| Rights::default()).collect())
    }

    /// Writes down what has changed.
    pub(crate) fn note(&mut self, history: &mut History) {
        for (actor, rights) in self.0.iter_mut().enumerate() {
            for (index, channel) in GUARDED.into_iter().enumerate() {
                let given = rights.given.get(channel).into_iter().flat_map(|held| &held.now);
                let allowed = rights.own.now.iter().chain(given).any(|token| token.allows(channel));
                if std::mem::replace(&mut rights.noted[index], allowed) != allowed {
                    history.add(actor as u32, Operation::Permit { allowed }, channel);
                }
            }
        }
    }

    pub(crate) fn opened(&mut self, actor: usize, token: Option<Token>) {
        self.0[actor].own.now.extend(token);
    }

    pub(crate) fn gone(&mut self, actor: usize) {
        let rights = &mut self.0[actor];
        (rights.own, rights.given) = (Held::default(), BTreeMap::new());
    }

    /// A verdict is under way: of the connection, or of its subscription to a channel.
    pub(crate) fn found(&mut self, actor: usize, channel: Option<&'static str>, request: u64, token: Token) {
        let rights = &mut self.0[actor];
        let held = match channel {
            Some(channel) => rights.given.entry(channel).or_default(),
            None => &mut rights.own,
        };
        held.replace(request, token);
    }

    /// The verdict on a request is there.
    pub(crate) fn answered(&mut self, actor: usize, request: u64, accepted: bool) {
        let rights = &mut self.0[actor];
        rights.own.answered(request, accepted);
        rights.given.values_mut().for_each(|held| held.answered(request, accepted));
    }

    /// A grant goes with its subscription.
    pub(crate) fn left(&mut self, actor: usize, channel: &str) {
        self.0[actor].given.remove(channel);
    }

    /// The tokens of an actor, its connection's first.
    pub(crate) fn tokens(&self, actor: usize) -> impl Iterator<Item = &Token> {
        let rights = &self.0[actor];
        rights.own.now.iter().chain(rights.given.values().flat_map(|held| &held.now))
    }

    /// A revocation was noted, and nobody who has the token already was told.
    pub(crate) fn doubt(&mut self, revocation: &Revocation) {
        for (actor, rights) in self.0.iter_mut().enumerate() {
            rights.own.doubt(|token| revocation.meets(actor, token));
            rights.given.values_mut().for_each(|held| held.doubt(|token| revocation.meets(actor, token)));
        }
    }

    /// A revocation was sent to everyone.
    pub(crate) fn revoke(&mut self, revocation: &Revocation) {
        for (actor, rights) in self.0.iter_mut().enumerate() {
            let ended = rights.own.lose(|token| revocation.meets(actor, token));
            rights.given.values_mut().for_each(|held| _ = held.lose(|token| revocation.meets(actor, token)));
            if ended {
                rights.given.clear();
            }
        }
    }

    /// The actor's shard looks at what has expired.
    pub(crate) fn expire(&mut self, actor: usize, unix_ms: u64) {
        let rights = &mut self.0[actor];
        let ended = rights.own.lose(|token| token.has_expired(unix_ms));
        rights.given.values_mut().for_each(|held| _ = held.lose(|token| token.has_expired(unix_ms)));
        if ended {
            rights.given.clear();
        }
    }

    /// When something expires next.
    pub(crate) fn next_unix_ms(&self) -> Option<u64> {
        let tokens = (0..self.0.len()).flat_map(|actor| self.tokens(actor));
        tokens.filter_map(|token| token.expires_unix_ms).min()
    }
}

/// Credentials that are taken back.
#[derive(Debug, Clone)]
pub(crate) enum Revocation {
    /// The one with this id.
    Token(u64),
    /// All of an actor that were issued before this point of Unix time.
    User(usize, u64),
}

impl Revocation {
    /// Whether it is meant for a token of the actor's, be it for the connection or for a subscription.
    pub(crate) fn meets(&self, actor: usize, token: &Token) -> bool {
        match self {
            Revocation::Token(id) => token.id == *id,
            Revocation::User(user, before_unix_ms) => {
                *user == actor && token.issued_unix_ms < *before_unix_ms
            }
        }
    }
}
