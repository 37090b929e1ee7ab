//! Signed CSRF tokens: what a backend hands to its own pages beside the cookie that authenticates, and what no other
//! site can make.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What is signed begins with it. No JWT does, so neither signature can be used for the other under one secret.
const DOMAIN: &[u8] = b"fanfare csrf 1\0";

/// The CSRF token that goes with the token in the cookie: HMAC-SHA256 under the secret of `fanfare csrf 1`, a zero byte
/// and the token; base64url without padding.
pub fn csrf_signature(secret: &[u8], token: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &message(token)))
}

/// Whether the CSRF token is the one that goes with the token in the cookie; in constant time.
pub fn is_csrf_signature(secret: &[u8], token: &str, presented: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    URL_SAFE_NO_PAD
        .decode(presented)
        .is_ok_and(|presented| hmac::verify(&key, &message(token), &presented).is_ok())
}

fn message(token: &str) -> Vec<u8> {
    [DOMAIN, token.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csrf_token_goes_with_one_token_and_one_secret() {
        let made = csrf_signature(&[1; 32], "a.b.c");
        assert!(is_csrf_signature(&[1; 32], "a.b.c", &made));
        assert!(!is_csrf_signature(&[1; 32], "a.b.d", &made));
        assert!(!is_csrf_signature(&[2; 32], "a.b.c", &made));
        for odd in ["", "=", &made[1..], &format!("{made}="), &format!("{made}A"), &made.to_lowercase()] {
            assert!(!is_csrf_signature(&[1; 32], "a.b.c", odd), "{odd}");
        }
        let plain = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]), b"a.b.c");
        assert!(!is_csrf_signature(&[1; 32], "a.b.c", &URL_SAFE_NO_PAD.encode(plain)), "a JWT's signature");
    }
}
