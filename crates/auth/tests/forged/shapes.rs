//! Texts that are not quite a token. All begin as a good one.

use serde_json::json;

use super::keys::Keys;
use super::{Forged, World, decode, encode, forged, signed_part, token};

pub(super) fn all(world: &World) -> Vec<Forged> {
    let mut list = parts(world);
    list.extend(alphabets(world));
    list.extend(payloads(world));
    list
}

fn good(world: &World) -> String {
    world.with_claims(&world.claims("keys").to_string())
}

fn parts(world: &World) -> Vec<Forged> {
    let good = good(world);
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { unreachable!() };
    let flat = json!({"payload": payload, "protected": header, "signature": signature});
    let general = json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]});
    let shapes = [
        ("nothing", String::new()),
        ("a dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("three dots", "...".to_owned()),
        ("one part", header.to_owned()),
        ("two parts", format!("{header}.{payload}")),
        ("two parts and a dot", format!("{header}.{payload}.")),
        ("a detached payload", format!("{header}..{signature}")),
        ("no header", format!(".{payload}.{signature}")),
        ("a dot before it", format!(".{good}")),
        ("a dot behind it", format!("{good}.")),
        ("a fourth part", format!("{good}.{signature}")),
        ("the five parts of a JWE", format!("{header}.{payload}.{signature}.{payload}.{signature}")),
        ("five parts, three of them empty", format!("{header}....{signature}")),
        ("twice", format!("{good}{good}")),
        ("twice, with a comma", format!("{good},{good}")),
        ("its parts in another order", format!("{payload}.{header}.{signature}")),
        (
            "another payload",
            format!("{header}.{}.{signature}", encode(world.claims("pem").to_string().as_bytes())),
        ),
        ("another header", format!("{}.{payload}.{signature}", encode(br#"{"alg":"ES256"}"#))),
        ("flattened JSON", flat.to_string()),
        ("general JSON", general.to_string()),
        ("JSON in base64", encode(flat.to_string().as_bytes())),
        ("with its scheme", format!("Bearer {good}")),
        ("in quotes", format!("\"{good}\"")),
        ("too large", world.with_claim("pad", Some(&format!("\"{}\"", "x".repeat(9000))))),
    ];
    shapes.into_iter().map(|(name, token)| forged(name, token)).collect()
}

fn alphabets(world: &World) -> Vec<Forged> {
    let good = good(world);
    let parts: Vec<&str> = good.split('.').collect();
    let mut list = Vec::new();
    for (index, name) in ["header", "payload", "signature"].into_iter().enumerate() {
        let mut add = |what: &str, part: String| {
            let mut parts = parts.clone();
            parts[index] = &part;
            list.push(forged(format!("{name}: {what}"), parts.join(".")));
        };
        let part = parts[index];
        add("padded", format!("{part}="));
        add("padded twice", format!("{part}=="));
        add("a percent sign", format!("{part}%3D"));
        add("a plus", format!("{part}+"));
        add("a slash", format!("/{part}"));
        add("a line end inside", format!("{}\n{}", &part[..8], &part[8..]));
        add("a CRLF inside", format!("{}\r\n{}", &part[..8], &part[8..]));
        add("a space before it", format!(" {part}"));
        add("a space behind it", format!("{part} "));
        add("a tab behind it", format!("{part}\t"));
        add("a zero behind it", format!("{part}\0"));
        add("a letter beyond ASCII", format!("{part}\u{e9}"));
        add("a letter of full width", format!("\u{ff45}{}", &part[1..]));
        add("an invisible character", format!("{part}\u{200b}"));
        add("one letter more", format!("{part}A"));
        add("cut short", part[..part.len() - 2].to_owned());
    }
    list.push(forged("dots of full width", good.replace('.', "\u{ff0e}")));
    list.push(forged("dots as percent signs", good.replace('.', "%2E")));
    list.extend(trailing_bits(world));
    list
}

/// The same bytes, in a form of base64 that RFC 4648, section 3.5, allows to refuse.
fn trailing_bits(world: &World) -> Vec<Forged> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let good = good(world);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    assert_eq!(decode(signature).len() % 3, 1, "four bits are left over");
    let (rest, last) = signature.split_at(signature.len() - 1);
    let place = LETTERS.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
    let changed = (1..16).map(|bits| char::from(LETTERS[place + bits]));
    changed.map(|last| forged(format!("trailing bits, {last}"), format!("{signed}.{rest}{last}"))).collect()
}

/// All with a good signature.
fn payloads(world: &World) -> Vec<Forged> {
    let good = good(world);
    let claims = world.claims("keys").to_string();
    let inner = &claims[1..claims.len() - 1];
    let deep = format!("{{{inner},\"x\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let payloads = [
        ("a token in a token", good.clone()),
        ("a token in quotes", format!("\"{good}\"")),
        ("a list", format!("[{claims}]")),
        ("a string", format!("{claims:?}")),
        ("null", "null".to_owned()),
        ("a number", "1".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("half an object", claims[..claims.len() - 1].to_owned()),
        ("something behind it", format!("{claims}x")),
        ("two objects", format!("{claims}{claims}")),
        ("a zero behind it", format!("{claims}\0")),
        ("a byte order mark", format!("\u{feff}{claims}")),
        ("a comment", format!("{{/**/{inner}}}")),
        ("a comma too many", format!("{{{inner},}}")),
        ("half of a character", format!("{{{inner},\"x\":\"\\ud800\"}}")),
        ("lists in lists", deep),
        ("sub twice", format!("{{\"sub\":\"bob\",{inner}}}")),
        ("sub twice, one escaped", format!("{{{inner},\"s\\u0075b\":\"bob\"}}")),
        ("exp twice", format!("{{{inner},\"exp\":{}}}", world.now + 60)),
        ("iss twice", format!("{{\"iss\":\"other\",{inner}}}")),
        ("aud twice", format!("{{{inner},\"aud\":\"app\"}}")),
        ("a member twice, deep inside", format!("{{{inner},\"info\":[{{\"a\":1,\"a\":2}}]}}")),
    ];
    let mut list: Vec<Forged> = payloads
        .into_iter()
        .map(|(name, payload)| forged(format!("the payload is {name}"), world.with_claims(&payload)))
        .collect();
    let signed = signed_part(r#"{"alg":"ES256","kid":"p256"}"#, "x").replace(".eA", &format!(".{claims}"));
    let signature = Keys::get().p256.signing().signature(signed.as_bytes()).unwrap();
    list.push(forged("a payload that is not encoded", format!("{signed}.{}", encode(&signature))));
    let latin = token(r#"{"alg":"ES256","kid":"p256"}"#, &claims, &Keys::get().p256.signing());
    let broken =
        [&decode(latin.split('.').nth(1).unwrap())[..claims.len() - 1], b",\"x\":\"\xe9\"}"].concat();
    let signed = format!("{}.{}", encode(br#"{"alg":"ES256","kid":"p256"}"#), encode(&broken));
    let signature = Keys::get().p256.signing().signature(signed.as_bytes()).unwrap();
    list.push(forged("a payload that is not UTF-8", format!("{signed}.{}", encode(&signature))));
    list
}
