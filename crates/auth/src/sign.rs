//! Makes tokens: for the command line, and for tests. The server only verifies.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use aws_lc_rs::{hmac, signature::EcdsaSigningAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

use crate::key::hmac_of;
use crate::settings::Algorithm;

/// What a token is signed with. It has no `Debug`: it is a secret.
pub struct SigningKey {
    algorithm: Algorithm,
    id: Option<String>,
    secret: Secret,
}

enum Secret {
    Hmac(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl SigningKey {
    /// A secret that both sides know.
    ///
    /// # Errors
    /// When the algorithm is not for secrets, or the secret is shorter than it asks for.
    pub fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, String> {
        let name = algorithm.as_str();
        let (Some(hmac), Some(least)) = (hmac_of(algorithm), algorithm.secret_bytes_min()) else {
            return Err(format!("{name} takes a private key, and no secret"));
        };
        if secret.len() < least {
            return Err(format!("the secret has {} bytes; {name} needs at least {least}", secret.len()));
        }
        Ok(Self { algorithm, id: None, secret: Secret::Hmac(Box::new(hmac::Key::new(hmac, secret))) })
    }

    /// A private key as PKCS#8 in PEM (`PRIVATE KEY`).
    ///
    /// # Errors
    /// When it is not that, or not for this algorithm.
    pub fn pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, String> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|_| "there is no \"PRIVATE KEY\" in PEM (PKCS#8, without a password)".to_owned())?;
        let der = key.secret_pkcs8_der();
        let ec = |curve: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(curve, der).map(|pair| Secret::Ec(Box::new(pair)))
        };
        let secret = match algorithm {
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => {
                RsaKeyPair::from_pkcs8(der).map(|pair| Secret::Rsa(Box::new(pair)))
            }
            Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDSA => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(|pair| Secret::Ed25519(Box::new(pair)))
            }
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                return Err(format!("{} takes a secret, and no private key", algorithm.as_str()));
            }
        };
        let secret = secret.map_err(|_| format!("the private key is not one for {}", algorithm.as_str()))?;
        Ok(Self { algorithm, id: None, secret })
    }

    /// The same under a name, by which those who verify choose the key.
    #[must_use]
    pub fn named(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// The signature of any bytes.
    ///
    /// # Errors
    /// When the key cannot sign, which only a broken one cannot.
    pub fn signature(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let cannot = |_| "the key cannot sign".to_owned();
        match &self.secret {
            Secret::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Secret::Rsa(pair) => {
                let encoding = match self.algorithm {
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut bytes).map_err(cannot)?;
                Ok(bytes)
            }
            Secret::Ec(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|bytes| bytes.as_ref().to_vec()).map_err(cannot)
            }
            Secret::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// A token with these claims, which are a JSON object and are signed as they are written.
///
/// # Errors
/// When the key cannot sign.
pub fn sign(key: &SigningKey, claims_json: &str) -> Result<String, String> {
    let mut header = serde_json::json!({"typ": "JWT", "alg": key.algorithm.as_str()});
    if let Some(id) = &key.id {
        header["kid"] = id.as_str().into();
    }
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let mut token = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims_json.as_bytes()));
    let signature = key.signature(token.as_bytes())?;
    token.push('.');
    token.push_str(&encode(&signature));
    Ok(token)
}
