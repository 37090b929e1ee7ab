//! How long a verification takes with each algorithm, on one core:
//! `cargo run --release -p fanfare-auth --example verify_speed`

use std::time::{Duration, Instant};

use fanfare_auth::sign::{SigningKey, sign};
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules, Verifier};

const CLAIMS: &str = r#"{"sub":"ann","exp":1800000600,"iat":1800000000,"jti":"t-1","name":"Ann",
    "roles":["editor"],"channels":["news:today",{"pattern":"team:7.>","allow":["subscribe","publish"]}]}"#;
const DURATION: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    for algorithm in Algorithm::ALL {
        let (key, keys) = pair(algorithm)?;
        let issuer = IssuerSettings {
            name: "main".to_owned(),
            issuer: None,
            audience: Vec::new(),
            algorithms: vec![algorithm],
            keys,
            user_claim: "sub".to_owned(),
            roles_claim: "roles".to_owned(),
        };
        let verifier = Verifier::new(vec![issuer], TokenRules::default())?;
        let token = sign(&key, CLAIMS)?;
        let (begin, mut count) = (Instant::now(), 0u32);
        while begin.elapsed() < DURATION {
            verifier.connection(&token, 1_800_000_000_000).await.map_err(|error| error.text)?;
            count += 1;
        }
        let each = begin.elapsed() / count;
        println!("{:6} {:>9.1} µs", algorithm.as_str(), each.as_secs_f64() * 1e6);
    }
    Ok(())
}

fn pair(algorithm: Algorithm) -> Result<(SigningKey, KeySettings), String> {
    let kind = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            let secret = [7; 64];
            return Ok((SigningKey::secret(algorithm, &secret)?, KeySettings::Secret(secret.to_vec())));
        }
        Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => &rcgen::PKCS_RSA_SHA256,
        Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::ES384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        Algorithm::ES512 => &rcgen::PKCS_ECDSA_P521_SHA512,
        Algorithm::EdDSA => &rcgen::PKCS_ED25519,
    };
    let pair = rcgen::KeyPair::generate_for(kind).map_err(|error| error.to_string())?;
    let key = SigningKey::pem(algorithm, pair.serialize_pem().as_bytes())?;
    Ok((key, KeySettings::Pem(pair.public_key_pem().into_bytes())))
}
