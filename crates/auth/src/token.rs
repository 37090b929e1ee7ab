//! The three parts of a signed token: JWS compact serialization (RFC 7515, section 7.1), read strictly (RFC 8725).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json;
use crate::settings::Algorithm;
use crate::verifier::TokenError;

/// The longest key id, in bytes.
pub(crate) const KEY_ID_BYTES_MAX: usize = 255;

/// Members of a header that bring a key along or change what is signed, or what the parts mean. A token that has one is
/// refused even where ignoring it would be harmless: nobody honest sends them here, and each was an attack somewhere.
const REFUSED: &[&str] = &["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc", "cty"];

/// A token whose signature has not been looked at.
pub(crate) struct Token<'t> {
    /// What the header says the signature is made with.
    pub(crate) algorithm: Algorithm,
    /// Which key the header says it is made with.
    pub(crate) key_id: Option<String>,
    /// What is signed.
    pub(crate) signed: &'t [u8],
    /// The signature.
    pub(crate) signature: Vec<u8>,
    /// The claims.
    pub(crate) claims: Vec<u8>,
}

impl<'t> Token<'t> {
    pub(crate) fn parse(text: &'t str, bytes_max: usize) -> Result<Self, TokenError> {
        if text.len() > bytes_max {
            return Err(TokenError::failed(format!("the token is larger than {bytes_max} bytes")));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(not_three)?;
        let (header, claims) = signed.split_once('.').ok_or_else(not_three)?;
        if claims.contains('.') {
            return Err(not_three());
        }
        let (algorithm, key_id) = read_header(&decode(header, "header")?)?;
        Ok(Self {
            algorithm,
            key_id,
            signed: signed.as_bytes(),
            signature: decode(signature, "signature")?,
            claims: decode(claims, "payload")?,
        })
    }
}

fn not_three() -> TokenError {
    TokenError::failed("the token does not have the three parts of a signed JWT, with dots between them")
}

/// Base64url without padding; of the texts that stand for the same bytes, only the one that RFC 4648 makes.
fn decode(part: &str, name: &str) -> Result<Vec<u8>, TokenError> {
    if part.is_empty() {
        return Err(TokenError::failed(format!("the token's {name} is empty")));
    }
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::failed(format!("the token's {name} is not base64url without padding")))
}

fn read_header(text: &[u8]) -> Result<(Algorithm, Option<String>), TokenError> {
    let header = json::object(text)
        .map_err(|problem| TokenError::failed(format!("the token's header {}", problem.text())))?;
    if let Some(name) = REFUSED.iter().find(|name| header.contains_key(**name)) {
        return Err(TokenError::failed(format!("tokens with \"{name}\" in their header are not accepted")));
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(kind)) if is_token_type(kind) => {}
        Some(_) => return Err(TokenError::failed("the token's \"typ\" is neither \"JWT\" nor \"at+jwt\"")),
    }
    Ok((algorithm(&header)?, key_id(&header)?))
}

/// Media types are compared without case (RFC 7515, section 4.1.9).
fn is_token_type(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("at+jwt")
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, TokenError> {
    let Some(Value::String(name)) = header.get("alg") else {
        return Err(TokenError::failed("the token's header has no \"alg\" that is a string"));
    };
    if name.eq_ignore_ascii_case("none") {
        return Err(TokenError::failed("tokens without a signature are not accepted"));
    }
    Algorithm::from_name(name)
        .ok_or_else(|| TokenError::failed("the token's algorithm is not one that this server knows"))
}

fn key_id(header: &Map<String, Value>) -> Result<Option<String>, TokenError> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(id)) if (1..=KEY_ID_BYTES_MAX).contains(&id.len()) => Ok(Some(id.clone())),
        Some(_) => {
            Err(TokenError::failed("the token's \"kid\" is not a string of at least 1 and at most 255 bytes"))
        }
    }
}
