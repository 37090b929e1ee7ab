//! Who may use the API: whoever has a key.

use fanfare_protocol::ErrorCode;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};

use super::error::ApiError;
use crate::secrets::KeyRing;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The schemes of `Authorization` that carry an API key.
const SCHEMES: [&[u8]; 2] = [b"bearer", b"apikey"];

/// Lets a request pass that carries one of the keys.
pub(super) fn check(keys: &KeyRing, headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(API_KEY).map(|value| value.as_bytes()).or_else(|| authorization(headers));
    match given {
        Some(key) if keys.admits(key) => Ok(()),
        Some(_) => Err(ApiError::new(ErrorCode::Unauthorized, "the API key is wrong")),
        None => {
            let message =
                "the API key is missing: send it as \"X-API-Key: KEY\" or \"Authorization: Bearer KEY\"";
            Err(ApiError::new(ErrorCode::Unauthorized, message))
        }
    }
}

fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, key) = value.split_at(space);
    SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)).then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::secrets::Secret;

    #[test]
    fn a_key_comes_in_any_of_three_forms() {
        let keys = KeyRing::new(vec![Secret::new("the-key")]);
        let passes = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            check(&keys, &headers).is_ok()
        };
        for value in ["Bearer the-key", "bearer the-key", "apikey the-key", "ApiKey   the-key"] {
            assert!(passes("authorization", value), "{value}");
        }
        assert!(passes("x-api-key", "the-key"));
        for value in ["the-key", "Basic the-key", "Bearer", "Bearer ", "Bearer the-key2", "Bearer the key"] {
            assert!(!passes("authorization", value), "{value}");
        }
        assert!(!passes("x-api-key", "Bearer the-key") && !passes("x-api-key", ""));
        assert!(check(&keys, &HeaderMap::new()).is_err());
        assert!(check(&KeyRing::new(Vec::new()), &HeaderMap::new()).is_err());
    }
}
