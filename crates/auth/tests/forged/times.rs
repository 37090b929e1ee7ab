//! Times that are over, not yet, too far away, or no times. All with a good signature.

use fanfare_protocol::ErrorCode;

use super::{Forged, World, forged};

pub(super) fn all(world: &World) -> Vec<Forged> {
    let (now, year) = (world.now, 365 * 86_400);
    let mut list = Vec::new();
    for name in ["exp", "nbf", "iat"] {
        for value in no_times(now) {
            let token = world.with_claim(name, Some(&value));
            list.push(forged(format!("{name} is {value}"), token));
        }
    }
    list.push(forged("no exp", world.with_claim("exp", None)));
    let beyond = [now + 31 * 86_400, now + year, now * 1000, 253_402_300_799, 253_402_300_800];
    for value in beyond {
        list.push(forged(
            format!("exp is far away, {value}"),
            world.with_claim("exp", Some(&value.to_string())),
        ));
    }
    // One that is refused for being too long must not become good with time: its revocation is forgotten by then.
    for age in [30 * 86_400 - 599, year] {
        let mut claims = world.claims("keys");
        claims["iat"] = (now - age).into();
        list.push(forged(
            format!("it is for longer than allowed, {age} s old"),
            world.with_claims(&claims.to_string()),
        ));
    }
    for ahead in [6, 60, year] {
        for name in ["nbf", "iat"] {
            let token = world.with_claim(name, Some(&(now + ahead).to_string()));
            list.push(forged(format!("{name} is {ahead} s ahead"), token));
        }
    }
    for ago in [6, 60, 3600, year] {
        let token = world.with_claim("exp", Some(&(now - ago).to_string()));
        list.push(Forged { name: format!("it ended {ago} s ago"), token, code: ErrorCode::TokenExpired });
    }
    for end in ["0", "1", "0.5", "1e-5", "1.7e9"] {
        let token = world.with_claim("exp", Some(end));
        list.push(Forged { name: format!("it ended at {end}"), token, code: ErrorCode::TokenExpired });
    }
    list
}

/// What a reader that is kind could take for a time.
fn no_times(now: u64) -> Vec<String> {
    let then = now + 60;
    let mut values: Vec<String> = [
        "null",
        "true",
        "false",
        "\"\"",
        "\"never\"",
        "[]",
        "{}",
        "-1",
        "-0",
        "-0.0",
        "1e30",
        "1e308",
        "-0.5",
        "-1e-5",
        "253402300799.5",
        "2.534023008e11",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775808",
        "-9223372036854775808",
        "99999999999999999999999999999999999999",
        "\"1e30\"",
        "\"Infinity\"",
        "\"NaN\"",
    ]
    .map(str::to_owned)
    .to_vec();
    values.extend([
        format!("\"{then}\""),
        format!("-{then}"),
        format!("[{then}]"),
        format!("{{\"seconds\":{then}}}"),
        format!("\"0x{then:x}\""),
        "\"2030-01-01T00:00:00Z\"".to_owned(),
    ]);
    values
}
