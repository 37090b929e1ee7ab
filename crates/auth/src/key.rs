//! A key and the algorithms that it is good for (RFC 8725, section 3.1): the token only picks among them.

use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters};
use aws_lc_rs::{digest, hmac, signature::RsaPublicKeyComponents};

use crate::public_key::{Curve, PublicKey, Unusable};
use crate::settings::Algorithm;

/// A key. It has no `Debug`: it may be a secret.
pub(crate) struct Key {
    /// Its name in its issuer's key set.
    pub(crate) id: Option<Box<str>>,
    checks: Vec<(Algorithm, Check)>,
    /// Tells this key from others, also after a restart of the process; says nothing about it.
    pub(crate) mark: u64,
}

enum Check {
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    /// A secret, for those algorithms that it is long enough for and that are wanted.
    pub(crate) fn secret(secret: &[u8], wanted: impl Fn(Algorithm) -> bool) -> Self {
        let long_enough =
            |algorithm: &Algorithm| algorithm.secret_bytes_min().is_some_and(|n| secret.len() >= n);
        let checks = Algorithm::ALL.into_iter().filter(long_enough).filter(|algorithm| wanted(*algorithm));
        let checks = checks.filter_map(|algorithm| {
            Some((algorithm, Check::Secret(Box::new(hmac::Key::new(hmac_of(algorithm)?, secret)))))
        });
        Self { id: None, checks: checks.collect(), mark: mark(&[b"secret", secret]) }
    }

    /// A public key, for those algorithms of its kind that are wanted.
    pub(crate) fn public(
        id: Option<&str>,
        key: &PublicKey,
        wanted: impl Fn(Algorithm) -> bool,
    ) -> Result<Self, Unusable> {
        let checks = algorithms(key).iter().filter(|algorithm| wanted(**algorithm));
        let checks = checks.map(|&algorithm| Ok((algorithm, Check::Public(parsed(key, algorithm)?))));
        Ok(Self { id: id.map(Into::into), checks: checks.collect::<Result<_, _>>()?, mark: mark_of(key) })
    }

    /// Whether it is good for anything.
    pub(crate) fn is_of_use(&self) -> bool {
        !self.checks.is_empty()
    }

    /// What it is good for.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.checks.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Whether it is good for the algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.check(algorithm).is_some()
    }

    /// Whether the signature is this key's.
    pub(crate) fn holds(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match self.check(algorithm) {
            // In constant time, and of its whole length.
            Some(Check::Secret(key)) => hmac::verify(key, signed, signature).is_ok(),
            Some(Check::Public(key)) => key.verify_sig(signed, signature).is_ok(),
            None => false,
        }
    }

    fn check(&self, algorithm: Algorithm) -> Option<&Check> {
        self.checks.iter().find(|(fit, _)| *fit == algorithm).map(|(_, check)| check)
    }
}

fn mark_of(key: &PublicKey) -> u64 {
    match key {
        PublicKey::Rsa { n, e } => mark(&[b"rsa", n, e]),
        PublicKey::Ec(_, point) => mark(&[b"ec", point]),
        PublicKey::Ed25519(bytes) => mark(&[b"ed25519", bytes]),
    }
}

/// A number for what these parts say: the same for the same, and hardly ever for something else.
pub(crate) fn mark(parts: &[&[u8]]) -> u64 {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let digest = context.finish();
    digest.as_ref().iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte))
}

/// What a public key is good for.
fn algorithms(key: &PublicKey) -> &'static [Algorithm] {
    match key {
        PublicKey::Rsa { .. } => &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512],
        PublicKey::Ec(Curve::P256, _) => &[Algorithm::ES256],
        PublicKey::Ec(Curve::P384, _) => &[Algorithm::ES384],
        PublicKey::Ec(Curve::P521, _) => &[Algorithm::ES512],
        PublicKey::Ed25519(_) => &[Algorithm::EdDSA],
    }
}

fn parsed(key: &PublicKey, algorithm: Algorithm) -> Result<ParsedPublicKey, Unusable> {
    let parsed = match key {
        PublicKey::Rsa { n, e } => RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa_of(algorithm)),
        PublicKey::Ec(curve, point) => ParsedPublicKey::new(ec_of(*curve), point),
        PublicKey::Ed25519(bytes) => ParsedPublicKey::new(&signature::ED25519, bytes),
    };
    parsed.map_err(|_| Unusable::Broken("its numbers are no key"))
}

pub(crate) fn hmac_of(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::HS256 => Some(hmac::HMAC_SHA256),
        Algorithm::HS384 => Some(hmac::HMAC_SHA384),
        Algorithm::HS512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn rsa_of(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => &signature::RSA_PKCS1_2048_8192_SHA256,
    }
}

/// `FIXED` is the form of RFC 7518, section 3.4: both numbers in full length, no DER.
fn ec_of(curve: Curve) -> &'static EcdsaVerificationAlgorithm {
    match curve {
        Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
        Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
        Curve::P521 => &signature::ECDSA_P521_SHA512_FIXED,
    }
}
