//! Tokens: from a JSON Web Token (RFC 7519) to who its bearer is and what they may do.
//!
//! - [`settings`]: which issuers are trusted, with which keys and for what
//! - [`verifier`]: from a token to a verdict; nothing in a token is acted upon before its signature holds

pub mod settings;
pub mod verifier;

pub use settings::{Algorithm, IssuerSettings, KeySettings, TokenRules};
pub use verifier::{TokenError, Verified, Verifier};
