//! Key sets that are fetched: from a real endpoint, on a clock that the test moves.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "key_sets/endpoint.rs"]
mod endpoint;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "forged/keys.rs"]
mod keys;

use std::sync::mpsc;
use std::time::Duration;

use endpoint::{Answer, Endpoint};
use fanfare_auth::sign::sign;
use fanfare_auth::{Algorithm, KeySettings, TokenRules, Verifier};
use keys::{Pair, SECRET, issuer};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::advance;

const NOW_MS: u64 = 1_800_000_000_000;
/// After which key sets are fetched again; the timer rounds up to the next millisecond.
const REFRESH: Duration = Duration::from_millis(30_001);

/// A clock that stands still until the test moves it, also while all wait for a socket: a blocking task keeps the
/// runtime from moving it by itself.
struct StillClock(#[allow(dead_code, reason = "its end ends the blocking task")] mpsc::Sender<()>);

impl StillClock {
    fn new() -> Self {
        tokio::time::pause();
        let (sender, receiver) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || receiver.recv());
        Self(sender)
    }
}

fn pair(id: &'static str) -> Pair {
    Pair::new(Algorithm::EdDSA, id, &rcgen::PKCS_ED25519)
}

fn set(pairs: &[&Pair]) -> Answer {
    let keys: Vec<&Value> = pairs.iter().map(|pair| &pair.jwk).collect();
    Answer::ok(json!({"keys": keys}).to_string())
}

fn verifier(url: String) -> Verifier {
    Verifier::new(vec![issuer("main", KeySettings::JwksUrl(url))], TokenRules::default()).unwrap()
}

fn token(pair: &Pair) -> String {
    sign(&pair.signing(), r#"{"iss":"main","sub":"ann","exp":1800000060}"#).unwrap()
}

async fn accepts(verifier: &Verifier, pair: &Pair) -> bool {
    verifier.connection(&token(pair), NOW_MS).await.is_ok()
}

#[tokio::test]
async fn a_new_key_and_a_removed_one_are_noticed_within_a_minute() {
    let _clock = StillClock::new();
    let (old, new) = (pair("old"), pair("new"));
    let mut endpoint = Endpoint::start(set(&[&old])).await;
    let verifier = verifier(endpoint.url());
    let fresh = tokio::spawn({
        let verifier = verifier.clone();
        async move { verifier.keep_fresh().await }
    });
    endpoint.requests(1).await;
    assert!(accepts(&verifier, &old).await);
    endpoint.set(set(&[&old, &new]));
    advance(REFRESH).await;
    endpoint.requests(2).await;
    // Known by now, or as soon as the fetch that runs has ended.
    assert!(accepts(&verifier, &new).await && accepts(&verifier, &old).await);
    endpoint.set(set(&[&new]));
    advance(REFRESH).await;
    endpoint.requests(3).await;
    verifier.refresh().await;
    assert!(!accepts(&verifier, &old).await, "it was removed");
    assert!(accepts(&verifier, &new).await);
    fresh.abort();
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_causes_one_fetch_in_ten_seconds() {
    let _clock = StillClock::new();
    let (known, unknown) = (pair("known"), pair("unknown"));
    let endpoint = Endpoint::start(set(&[&known])).await;
    let verifier = verifier(endpoint.url());
    verifier.refresh().await;
    assert_eq!(endpoint.count(), 1);
    let flood = async || {
        let mut flood = JoinSet::new();
        for index in 0..1000 {
            let key = unknown.signing().named(&format!("unknown {index}"));
            let token = sign(&key, r#"{"iss":"main","sub":"ann","exp":1800000060}"#).unwrap();
            let verifier = verifier.clone();
            flood.spawn(async move { verifier.connection(&token, NOW_MS).await.is_ok() });
        }
        assert!(flood.join_all().await.iter().all(|accepted| !accepted));
    };
    flood().await;
    assert_eq!(endpoint.count(), 2);
    advance(Duration::from_millis(9_990)).await;
    flood().await;
    assert_eq!(endpoint.count(), 2, "not yet");
    advance(Duration::from_millis(10)).await;
    flood().await;
    assert_eq!(endpoint.count(), 3);
    assert!(accepts(&verifier, &known).await);
    // An unsigned claim to be somebody else makes nobody call either.
    let foreign = sign(&unknown.signing(), &json!({"iss": endpoint.url(), "exp": 1_800_000_060}).to_string());
    advance(Duration::from_secs(10)).await;
    assert!(verifier.connection(&foreign.unwrap(), NOW_MS).await.is_err());
    assert_eq!(endpoint.count(), 3);
}

#[tokio::test]
async fn all_who_need_a_key_wait_for_one_fetch_and_they_are_not_too_many() {
    let _clock = StillClock::new();
    let key = pair("key");
    let mut endpoint = Endpoint::start(set(&[&key])).await;
    endpoint.hold();
    let verifier = verifier(endpoint.url());
    // Whoever comes first starts the fetch, and then hangs up.
    let first = tokio::spawn({
        let (verifier, token) = (verifier.clone(), token(&key));
        async move { verifier.connection(&token, NOW_MS).await }
    });
    endpoint.requests(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let mut waiting = JoinSet::new();
    for _ in 0..1100 {
        let (verifier, token) = (verifier.clone(), token(&key));
        waiting.spawn(async move { verifier.connection(&token, NOW_MS).await });
    }
    // Those for whom there is no place are told at once; the others wait for the endpoint.
    for _ in 0..1100 - 1024 {
        let error = waiting.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(error.text, "the keys of issuer \"main\" are not there: its key set could not be fetched");
    }
    endpoint.release();
    let results = waiting.join_all().await;
    assert_eq!(results.len(), 1024);
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn the_last_good_keys_are_kept_for_an_hour() {
    let _clock = StillClock::new();
    let key = pair("key");
    let trap = Endpoint::start(set(&[&key])).await;
    let endpoint = Endpoint::start(set(&[&key])).await;
    let verifier = verifier(endpoint.url());
    verifier.refresh().await;
    let many: Vec<&Value> = vec![&key.jwk; 65];
    let failures = [
        Answer { status: "500 Internal Server Error", ..set(&[]) },
        Answer { status: "404 Not Found", ..set(&[]) },
        Answer { status: "203 Non-Authoritative Information", ..set(&[]) },
        Answer { status: "302 Found", location: trap.url(), ..set(&[]) },
        Answer { status: "307 Temporary Redirect", location: trap.url(), ..set(&[]) },
        Answer::ok("<html>".to_owned()),
        Answer::ok("{}".to_owned()),
        Answer::ok(r#"{"keys":{}}"#.to_owned()),
        Answer::ok(r#"{"keys":[],"keys":[]}"#.to_owned()),
        Answer::ok(json!({"keys": many}).to_string()),
        Answer::ok(format!("{{\"keys\":[]{}}}", " ".repeat(256 * 1024))),
    ];
    for (index, answer) in failures.into_iter().enumerate() {
        endpoint.set(answer);
        verifier.refresh().await;
        assert_eq!(endpoint.count(), index + 2);
        assert!(accepts(&verifier, &key).await, "{index}");
    }
    assert_eq!(trap.count(), 0, "no redirect is followed");
    advance(Duration::from_secs(3599)).await;
    verifier.refresh().await;
    assert!(accepts(&verifier, &key).await);
    advance(Duration::from_secs(1)).await;
    let error = verifier.connection(&token(&key), NOW_MS).await.unwrap_err();
    assert_eq!(error.text, "the keys of issuer \"main\" are not there: its key set could not be fetched");
    endpoint.set(set(&[&key]));
    advance(Duration::from_secs(10)).await;
    assert!(accepts(&verifier, &key).await, "the endpoint is back");
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_given_up_after_five_seconds() {
    let _clock = StillClock::new();
    let key = pair("key");
    let mut endpoint = Endpoint::start(set(&[&key])).await;
    endpoint.hold();
    let verifier = verifier(endpoint.url());
    let waiting = tokio::spawn({
        let (verifier, token) = (verifier.clone(), token(&key));
        async move { verifier.connection(&token, NOW_MS).await }
    });
    endpoint.requests(1).await;
    advance(Duration::from_millis(5_001)).await;
    assert!(waiting.await.unwrap().is_err());
    endpoint.release();
    verifier.refresh().await;
    assert!(accepts(&verifier, &key).await);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_does_not_keep_a_verifier_from_starting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
    drop(listener);
    let verifier = verifier(url);
    verifier.refresh().await;
    assert!(!accepts(&verifier, &pair("key")).await);
}

#[tokio::test]
async fn fetched_keys_that_are_secret_or_for_another_purpose_are_left_out() {
    let good = pair("good");
    let secret = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": base64_of(&SECRET)});
    let with = |pair: &Pair, name: &str, value: Value| {
        let mut jwk = pair.jwk.clone();
        jwk[name] = value;
        jwk
    };
    let odd: Vec<Pair> = ["private", "enc", "ops", "alg", "unknown", "kind", "curve", "short", "number"]
        .into_iter()
        .map(pair)
        .collect();
    let mut keys = vec![
        secret,
        with(&odd[0], "d", json!("AAAA")),
        with(&odd[1], "use", json!("enc")),
        with(&odd[2], "key_ops", json!(["sign"])),
        with(&odd[3], "alg", json!("ES256")),
        with(&odd[4], "alg", json!("ECDH-ES")),
        with(&odd[5], "kty", json!("EC")),
        with(&odd[6], "crv", json!("Ed448")),
        with(&odd[7], "x", json!("AAAA")),
        json!(7),
    ];
    keys.push(with(&good, "key_ops", json!(["verify"])));
    let endpoint = Endpoint::start(Answer::ok(json!({"keys": keys}).to_string())).await;
    let verifier = verifier(endpoint.url());
    verifier.refresh().await;
    assert!(accepts(&verifier, &good).await);
    for pair in &odd {
        assert!(!accepts(&verifier, pair).await, "{}", pair.id);
    }
    let key = fanfare_auth::sign::SigningKey::secret(Algorithm::HS256, &SECRET).unwrap().named("oct");
    let token = sign(&key, r#"{"iss":"main","sub":"ann","exp":1800000060}"#).unwrap();
    assert!(verifier.connection(&token, NOW_MS).await.is_err());
}

fn base64_of(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes)
}
