//! The keys of one issuer. No key is ever looked up without its issuer: each issuer has a set of its own, and so two
//! issuers may use one key id.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rustls_pki_types::pem::{self, SectionKind};
use serde_json::Value;

use crate::der;
use crate::json;
use crate::jwk;
use crate::key::Key;
use crate::public_key::{PublicKey, Unusable};
use crate::settings::Algorithm;

/// The most keys of one issuer.
pub(crate) const KEYS_MAX: usize = 64;
/// The most keys that are tried for one token: those of its key id, or any where it names none. Who sends a forged token
/// pays for one message and has so many signatures checked. An issuer that changes its keys has two at a time.
const TRIES_MAX: usize = 3;

/// An issuer's keys.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    /// Where the keys with an id stand. Several may share one: they differ in kind then (RFC 7517, section 4.5).
    by_id: HashMap<Box<str>, Vec<usize>, RandomState>,
    nameless: Vec<usize>,
}

/// A key set that was read: the keys that are of use, and why others are not.
pub(crate) struct Read {
    pub(crate) keys: KeySet,
    pub(crate) unusable: Vec<Unusable>,
}

impl KeySet {
    fn new(keys: Vec<Key>) -> Self {
        let mut set = Self { keys, ..Self::default() };
        for (index, key) in set.keys.iter().enumerate() {
            match &key.id {
                Some(id) => set.by_id.entry(id.clone()).or_default().push(index),
                None => set.nameless.push(index),
            }
        }
        set
    }

    /// A secret that both sides know.
    pub(crate) fn secret(secret: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        if secret.windows(11).any(|window| window == b"-----BEGIN ") {
            return Err("the secret is a key in PEM: give a public key as `public_key_file`".to_owned());
        }
        let wanted = if algorithms.is_empty() { &[Algorithm::HS256][..] } else { algorithms };
        for algorithm in wanted {
            let Some(least) = algorithm.secret_bytes_min() else {
                return Err(format!("{} is not for a secret, but for a public key", algorithm.as_str()));
            };
            if secret.len() < least {
                let (name, length) = (algorithm.as_str(), secret.len());
                return Err(format!(
                    "the secret has {length} bytes; {name} needs at least {least} random ones"
                ));
            }
        }
        let wanted = |algorithm| algorithms.is_empty() || algorithms.contains(&algorithm);
        Ok(Self::new(vec![Key::secret(secret, wanted)]))
    }

    /// Public keys and certificates.
    pub(crate) fn pem(text: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        check_sections(text)?;
        let mut reader = text;
        let mut keys = Vec::new();
        while let Some((kind, der)) = pem::from_buf(&mut reader).map_err(|_| "the PEM text is broken")? {
            let key = match kind {
                SectionKind::PublicKey => PublicKey::from_spki(&der),
                SectionKind::Certificate => der::key_of_certificate(&der)
                    .ok_or(Unusable::Broken("it is not a certificate"))
                    .and_then(PublicKey::from_spki),
                _ => continue,
            };
            let key = key.and_then(|key| Key::public(None, &key, wanted(algorithms)));
            keys.push(key.map_err(|why| format!("key {} of the file: {}", keys.len() + 1, why.text()))?);
        }
        if keys.is_empty() {
            return Err("there is no public key and no certificate in the file".to_owned());
        }
        Self::of_use(keys, algorithms)
    }

    /// A key set that is configured: what is wrong in it is told at once.
    pub(crate) fn jwks(text: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        let read = Self::read(text, algorithms)?;
        let grave = read.unusable.iter().find(|why| !matches!(why, Unusable::Foreign(_)));
        match grave.or(read.unusable.first().filter(|_| read.keys.keys.is_empty())) {
            Some(why) => Err(format!("a key of the key set cannot be used: {}", why.text())),
            None => Self::of_use(read.keys.keys, algorithms),
        }
    }

    /// A key set, of which keys that cannot be used are left out (RFC 7517, section 5).
    pub(crate) fn read(text: &[u8], algorithms: &[Algorithm]) -> Result<Read, String> {
        let set = json::object(text).map_err(|problem| format!("the key set {}", problem.text()))?;
        let Some(Value::Array(list)) = set.get("keys") else {
            return Err("the key set has no list \"keys\"".to_owned());
        };
        if list.len() > KEYS_MAX {
            return Err(format!("the key set has more than {KEYS_MAX} keys"));
        }
        let (mut keys, mut unusable) = (Vec::new(), Vec::new());
        for jwk in list {
            match jwk::key(jwk, &wanted(algorithms)) {
                Ok(key) if key.is_of_use() => keys.push(key),
                Ok(_) => unusable.push(Unusable::Foreign("it is for none of the issuer's algorithms")),
                Err(why) => unusable.push(why),
            }
        }
        Ok(Read { keys: Self::new(keys), unusable })
    }

    fn of_use(keys: Vec<Key>, algorithms: &[Algorithm]) -> Result<Self, String> {
        if let Some(algorithm) = algorithms.iter().find(|algorithm| algorithm.secret_bytes_min().is_some()) {
            return Err(format!("{} is for a secret, and not for a public key", algorithm.as_str()));
        }
        if keys.len() > KEYS_MAX {
            return Err(format!("there are more than {KEYS_MAX} keys"));
        }
        let keys: Vec<Key> = keys.into_iter().filter(Key::is_of_use).collect();
        if keys.is_empty() {
            return Err("none of the keys is for one of the issuer's algorithms".to_owned());
        }
        let nameless = |algorithm| keys.iter().filter(move |key| key.id.is_none() && key.fits(algorithm));
        if keys.iter().flat_map(Key::algorithms).any(|algorithm| nameless(algorithm).count() > TRIES_MAX) {
            return Err(format!(
                "more than {TRIES_MAX} keys without an id are for the same algorithm: give them ids, in a key set"
            ));
        }
        Ok(Self::new(keys))
    }

    /// The marks of all keys.
    pub(crate) fn marks(&self) -> impl Iterator<Item = u64> {
        self.keys.iter().map(|key| key.mark)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether a key of this id, or if the token names none any key, may be among them. Otherwise it may be worth while
    /// to fetch the set again.
    pub(crate) fn knows(&self, id: Option<&str>) -> bool {
        id.map_or(!self.keys.is_empty(), |id| self.by_id.contains_key(id))
    }

    /// The keys that a token may be signed with: those of its key id, or else those that have none.
    pub(crate) fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let named = id.and_then(|id| self.by_id.get(id));
        let some = named
            .or(id.map(|_| &self.nameless))
            .map(|indices| indices.iter().map(|index| &self.keys[*index]));
        let all = if some.is_none() { &self.keys[..] } else { &[] };
        some.into_iter().flatten().chain(all).filter(move |key| key.fits(algorithm)).take(TRIES_MAX)
    }
}

fn wanted(algorithms: &[Algorithm]) -> impl Fn(Algorithm) -> bool {
    |algorithm| algorithms.is_empty() || algorithms.contains(&algorithm)
}

/// What the reader of PEM would leave out in silence, or what should not be there.
fn check_sections(text: &[u8]) -> Result<(), String> {
    let labels = text.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"-----BEGIN "));
    for label in labels {
        if label.starts_with(b"PUBLIC KEY-----") || label.starts_with(b"CERTIFICATE-----") {
            continue;
        }
        return Err(if label.windows(11).any(|window| window == b"PRIVATE KEY") {
            "the file holds a private key: give the public one, as `openssl pkey -pubout` writes it"
                .to_owned()
        } else {
            "the file holds something else than \"PUBLIC KEY\" and \"CERTIFICATE\"".to_owned()
        });
    }
    Ok(())
}
