//! Tokens: from a JSON Web Token (RFC 7519) to who its bearer is and what they may do.
//!
//! - [`settings`]: which issuers are trusted, with which keys and for what
//! - `token`: the three parts of a signed token, read strictly
//! - `key`, `public_key`, `jwk`, `der`: what a signature is verified with, and which algorithms each key is good for
//! - `key_set`, `source`: an issuer's keys, as configured or as fetched
//! - `claims`, `grants`: what a token says, looked at once its signature holds
//! - [`verifier`]: from a token to a verdict; nothing in a token is acted upon before its signature holds
//! - [`sign`]: makes tokens, for the command line and for tests
//! - [`csrf`]: signed CSRF tokens
//!
//! ```
//! use fanfare_auth::sign::{SigningKey, sign};
//! use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), String> {
//! let secret = [7; 32];
//! let issuer = IssuerSettings {
//!     name: "main".to_owned(),
//!     issuer: None,
//!     audience: Vec::new(),
//!     algorithms: vec![Algorithm::HS256],
//!     keys: KeySettings::Secret(secret.to_vec()),
//!     user_claim: "sub".to_owned(),
//!     roles_claim: "roles".to_owned(),
//! };
//! let verifier = Verifier::new(vec![issuer], TokenRules::default())?;
//! let key = SigningKey::secret(Algorithm::HS256, &secret)?;
//! let token = sign(&key, r#"{"sub":"ann","exp":1800000600}"#)?;
//! let verified = verifier.connection(&token, 1_800_000_000_000).await.map_err(|error| error.text)?;
//! assert_eq!(verified.user.unwrap().as_str(), "ann");
//! # Ok(())
//! # }
//! ```

mod claims;
pub mod csrf;
mod der;
mod grants;
mod json;
mod jwk;
mod key;
mod key_set;
mod public_key;
pub mod settings;
pub mod sign;
mod source;
mod token;
pub mod verifier;

pub use settings::{Algorithm, IssuerSettings, KeySettings, TokenRules};
pub use verifier::{TokenError, Verified, Verifier};
