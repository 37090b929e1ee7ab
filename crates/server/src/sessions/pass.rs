//! What a client shows to be let back into its session: the connection's id, which is public, and a signature that only
//! this process can make. So no session has to remember a secret.

use std::io;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_protocol::ConnectionId;

/// Bytes of the signature that are used: guessing one takes 2^127 requests.
const SIGNATURE_BYTES: usize = 16;

/// Signs the ids of one process's connections.
pub(crate) struct Passes(hmac::Key);

impl Passes {
    /// With a key of its own, which ends with the process as its sessions do.
    pub(crate) fn new() -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// `ID.SIGNATURE`.
    pub(crate) fn pass(&self, id: ConnectionId) -> String {
        let id = id.to_string();
        let signature = hmac::sign(&self.0, id.as_bytes());
        format!("{id}.{}", URL_SAFE_NO_PAD.encode(&signature.as_ref()[..SIGNATURE_BYTES]))
    }

    /// The connection of a pass, if the pass is one of this process; in constant time.
    pub(crate) fn check(&self, pass: &str) -> Option<ConnectionId> {
        let (id, signature) = pass.split_once('.')?;
        let presented = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let expected = hmac::sign(&self.0, id.as_bytes());
        let equal =
            subtle::ConstantTimeEq::ct_eq(&expected.as_ref()[..SIGNATURE_BYTES], presented.as_slice());
        if bool::from(equal) { id.parse().ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_opens_its_own_session_and_no_other() {
        let (passes, others) = (Passes::new().unwrap(), Passes::new().unwrap());
        let (id, other) = (ConnectionId { node: 1, serial: 2 }, ConnectionId { node: 1, serial: 3 });
        let pass = passes.pass(id);
        assert_eq!(passes.check(&pass), Some(id));
        assert_eq!(others.check(&pass), None);
        let (_, signature) = pass.split_once('.').unwrap();
        for odd in [
            String::new(),
            id.to_string(),
            format!("{id}."),
            format!("{other}.{signature}"),
            format!("{id}.{}", &signature[1..]),
            format!("{pass}A"),
            format!("{pass}="),
            pass.to_uppercase(),
        ] {
            assert_eq!(passes.check(&odd), None, "{odd}");
        }
    }
}
