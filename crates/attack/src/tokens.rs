//! Tokens that the server takes, and some that it does not.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

/// The file in which the server expects the secret that signs its own tokens.
const FILE: &str = "token.secret";

/// What tokens are signed with; nobody else knows this server for longer than it lives.
const SECRET: &[u8] = b"a-secret-of-attacks-for-a-server-that-lives-for-minutes";

/// How long they are valid, in seconds: longer than any run.
const LIFETIME: u64 = 3600;

/// Lets the server that keeps its files in `folder` take [`path`]s.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn install(folder: &Path) -> io::Result<()> {
    fs::write(folder.join(FILE), SECRET)
}

/// Where `user` connects.
///
/// # Errors
/// When the token cannot be signed.
pub(crate) fn path(user: &str) -> io::Result<String> {
    token(user, SECRET)
}

/// Where somebody connects whose token was signed by nobody whom the server trusts; another one each time.
///
/// # Errors
/// When the token cannot be signed.
pub(crate) fn forged_path() -> io::Result<String> {
    token(&stranger(), b"a secret that the server has never heard of")
}

/// A user that nobody else is.
pub(crate) fn stranger() -> String {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    format!("attacker-{}", SERIAL.fetch_add(1, Ordering::Relaxed))
}

fn token(user: &str, secret: &[u8]) -> io::Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?.as_secs();
    let claims = json!({"sub": user, "exp": now + LIFETIME});
    let key = EncodingKey::from_secret(secret);
    let token = encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(io::Error::other)?;
    Ok(format!("/ws?token={token}"))
}
