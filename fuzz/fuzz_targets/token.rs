//! Tokens: no text and no claims make the verifier panic, and it accepts nothing that was not signed.
//!
//! The first byte of the input chooses what the others are: a text, changes of a real token, a header or claims with a
//! foreign signature, or ones that are really signed.

#![no_main]

#[allow(dead_code, reason = "the tests of the crate use the other parts")]
#[path = "../../crates/auth/tests/forged/keys.rs"]
mod keys;

use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_auth::sign::{SigningKey, sign};
use fanfare_auth::{Algorithm, KeySettings, TokenRules, Verified, Verifier};
use fanfare_protocol::ChannelName;
use fanfare_protocol::command::Topic;
use keys::{Keys, SECRET, issuer};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const NOW_UNIX_MS: u64 = 1_800_000_000_000;
const LEEWAY_S: u64 = 5;
const LIFETIME_MAX_S: u64 = 30 * 86_400;

/// What each input is tried on; the keys are made anew for each run.
struct Bench {
    verifier: Verifier,
    topic: Topic,
    secret: SigningKey,
    /// Tokens that are accepted, one of each kind of key, and one for a subscription.
    real: Vec<String>,
    /// What those know who do not know a secret: public keys in each form, as secrets for an HMAC.
    forgers: Vec<SigningKey>,
}

impl Bench {
    fn get() -> &'static Self {
        static BENCH: OnceLock<Bench> = OnceLock::new();
        BENCH.get_or_init(Self::new)
    }

    fn new() -> Self {
        let keys = Keys::get();
        let secret = SigningKey::secret(Algorithm::HS256, &SECRET).expect("long enough");
        let mut unnamed = issuer("secret", KeySettings::Secret(SECRET.to_vec()));
        unnamed.issuer = None;
        let verifier = Verifier::new(
            vec![
                unnamed,
                issuer("set", KeySettings::Jwks(keys.jwks().into_bytes())),
                issuer("file", KeySettings::Pem(keys.rsa.public_pem.clone().into_bytes())),
                issuer("file", KeySettings::Pem(keys.p256.public_pem.clone().into_bytes())),
            ],
            TokenRules::default(),
        );
        let claims = |issuer: &str| json!({"iss": issuer, "sub": "ann", "exp": 1_800_000_060}).to_string();
        let mut real = vec![
            sign(
                &secret,
                r#"{"sub":"ann","exp":1800000060,"roles":["a"],"channels":["x",{"pattern":"a.*","allow":["publish"]}]}"#,
            ),
            sign(&secret, r#"{"exp":1800000060,"channel":"room"}"#),
            sign(&keys.rsa.signing_with(Algorithm::RS256), &claims("file")),
            sign(&keys.p256.signing_with(Algorithm::ES256), &claims("file")),
        ];
        real.extend(keys.all().map(|pair| sign(&pair.signing(), &claims("set"))));
        let forgers = keys.all().into_iter().flat_map(|pair| {
            let known = [pair.public_pem.as_bytes(), pair.public_pem.trim().as_bytes(), &pair.public_der];
            known.map(|bytes| SigningKey::secret(Algorithm::HS256, bytes))
        });
        let bench = Self {
            verifier: verifier.expect("the keys are good"),
            topic: Topic::Channel(ChannelName::new("room").expect("a name")),
            secret,
            real: real.into_iter().map(|token| token.expect("the keys sign")).collect(),
            // Some are shorter than a secret may be.
            forgers: forgers.filter_map(Result::ok).collect(),
        };
        assert!(bench.real.iter().all(|token| bench.is_accepted(token)), "what is signed is accepted");
        assert!(bench.forgers.len() >= 10);
        bench
    }

    fn connection(&self, token: &str) -> Option<Verified> {
        at_once(self.verifier.connection(token, NOW_UNIX_MS)).ok()
    }

    fn is_accepted(&self, token: &str) -> bool {
        let subscription = at_once(self.verifier.subscription(token, &self.topic, None, NOW_UNIX_MS));
        self.connection(token).is_some() || subscription.is_ok()
    }

    fn refuse(&self, token: &str) {
        assert!(!self.is_accepted(token), "accepted though nobody signed it: {token}");
    }
}

/// No keys are fetched, so nothing is waited for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the verifier waits"),
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fuzz_target!(|data: &[u8]| {
    let bench = Bench::get();
    let Some((kind, data)) = data.split_first() else { return };
    match kind % 5 {
        0 => bench.refuse(&String::from_utf8_lossy(data)),
        1 => changed(bench, data),
        2 => transplanted(bench, data),
        3 => signed_claims(bench, data),
        _ => signed_header(bench, data),
    }
});

/// A real token with bytes replaced, put in, taken out, or cut off.
fn changed(bench: &Bench, data: &[u8]) {
    let Some((which, edits)) = data.split_first() else { return };
    let real = &bench.real[usize::from(*which) % bench.real.len()];
    let mut token = real.clone().into_bytes();
    for edit in edits.chunks_exact(4).take(8) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % (token.len() + 1);
        match (edit[2] % 5, place < token.len()) {
            (0, true) => token[place] = edit[3],
            (1, true) => drop(token.remove(place)),
            (2, _) => token.truncate(place),
            (3, true) => spelt_otherwise(&mut token, place, edit[3]),
            _ => token.insert(place, edit[3]),
        }
    }
    let token = String::from_utf8_lossy(&token);
    assert_eq!(bench.is_accepted(&token), token == *real, "{token}");
}

/// Changes the last letter of a part in its lowest bits, of which some stand for nothing where the part ends.
fn spelt_otherwise(token: &mut [u8], part: usize, bits: u8) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let ends = (1..=token.len()).filter(|end| token.get(*end).is_none_or(|next| *next == b'.'));
    let Some(end) = ends.clone().nth(part % ends.count().max(1)) else { return };
    if let Some(value) = LETTERS.iter().position(|letter| *letter == token[end - 1]) {
        token[end - 1] = LETTERS[value ^ usize::from(bits % 16)];
    }
}

/// A header and claims of the input's own, with the signature of a real token, none, or an HMAC with what is public.
fn transplanted(bench: &Bench, data: &[u8]) {
    let [which, data @ ..] = data else { return };
    let split = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (header, claims) = (&data[..split], data.get(split + 1..).unwrap_or_default());
    let which = usize::from(*which);
    let real = &bench.real[which % bench.real.len()];
    let mut parts = real.split('.');
    let mut part = || parts.next().unwrap_or_default();
    let (real_header, real_claims, signature) = (part(), part(), part());
    let own_or = |own: &[u8], real: &str| if own.is_empty() { real.to_owned() } else { encode(own) };
    let signed = format!("{}.{}", own_or(header, real_header), own_or(claims, real_claims));
    if !real.starts_with(&format!("{signed}.")) {
        bench.refuse(&format!("{signed}.{signature}"));
    }
    bench.refuse(&format!("{signed}."));
    let forger = &bench.forgers[which % bench.forgers.len()];
    let forged = forger.signature(signed.as_bytes()).expect("HMACs sign");
    bench.refuse(&format!("{signed}.{}", encode(&forged)));
}

/// Any claims, really signed: whoever they are accepted as is who they say.
fn signed_claims(bench: &Bench, data: &[u8]) {
    let claims = String::from_utf8_lossy(data);
    let token = sign(&bench.secret, &claims).expect("HMACs sign");
    bench.is_accepted(&token);
    let Some(verified) = bench.connection(&token) else { return };
    let said: Map<String, Value> = serde_json::from_str(&claims).expect("accepted claims are an object");
    let ends = said["exp"].as_u64().expect("accepted claims have an end");
    let now = NOW_UNIX_MS / 1_000;
    assert!(ends + LEEWAY_S > now && ends <= now + LIFETIME_MAX_S, "{claims}");
    assert!(!said.contains_key("iss"), "another issuer's: {claims}");
    assert_eq!(verified.user.as_ref().map(|user| user.as_str()), said.get("sub").and_then(Value::as_str));
    assert_eq!(verified.standing.token_id.as_deref(), said.get("jti").and_then(Value::as_str));
}

/// Any header, really signed: an accepted one names the key's own algorithm and brings nothing along.
fn signed_header(bench: &Bench, data: &[u8]) {
    let signed = format!("{}.{}", encode(data), encode(br#"{"sub":"ann","exp":1800000060}"#));
    let signature = bench.secret.signature(signed.as_bytes()).expect("HMACs sign");
    if bench.connection(&format!("{signed}.{}", encode(&signature))).is_none() {
        return;
    }
    let header: Map<String, Value> = serde_json::from_slice(data).expect("an accepted header is an object");
    assert_eq!(header["alg"], "HS256");
    for name in ["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc", "cty"] {
        assert!(!header.contains_key(name), "{name} is accepted");
    }
}
