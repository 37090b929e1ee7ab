//! Who may come in: modes, public listeners, issuers, and that no secret is shown.

use super::*;

const SECRET: &str = "canary-canary-canary-canary-canary";

fn mode(file: &str, flags: &[&str]) -> AuthMode {
    loaded(file, &[], flags).config.auth_mode()
}

/// The file's issuer `main`, below these lines.
fn main_issuer(lines: &str) -> String {
    format!("[issuers.main]\n{lines}\n")
}

#[test]
fn a_server_is_open_only_where_nobody_else_gets_to_it() {
    assert_eq!(mode("", &[]), AuthMode::Open);
    assert_eq!(mode("listen = \"0.0.0.0:1\"", &[]), AuthMode::Required);
    assert_eq!(mode("listen = [\"127.0.0.1:1\", \"[::]:1\"]", &[]), AuthMode::Required);
    assert_eq!(mode(&main_issuer("secret_file = \"s\""), &[]), AuthMode::Required);
    assert_eq!(mode("network.trusted_proxies = \"127.0.0.1\"", &[]), AuthMode::Required);
    assert_eq!(mode("[auth]\nmode = \"required\"", &["insecure=true"]), AuthMode::Required);
    assert_eq!(mode(&main_issuer("secret_file = \"s\""), &["insecure=true"]), AuthMode::Open);
    assert_eq!(mode("listen = \"0.0.0.0:1\"\n[auth]\nmode = \"optional\"", &[]), AuthMode::Optional);
}

#[test]
fn insecure_takes_the_rates_away() {
    assert_eq!(loaded("", &[], &[]).config.rate_limits(), RateLimits::default());
    let config = loaded("rate_limits.window_messages = 5", &[], &["insecure=true"]).config;
    assert_eq!((config.rate_limits(), config.rate_limits.window_messages), (RateLimits::off(), 5));
}

#[test]
fn a_public_listener_without_authentication_has_to_be_asked_for_twice() {
    let file = "listen = [\"127.0.0.1:8000\", \"0.0.0.0:8001\"]\n";
    insta::assert_snapshot!(refused(file, &[], &["insecure=true"]));
    let open = format!("{file}[auth]\nmode = \"open\"\n");
    insta::assert_snapshot!(refused(&open, &[], &[]));
    refused(&open, &["FANFARE_INSECURE=true"], &[]);
    refused(&open, &["FANFARE_INSECURE_PUBLIC=true"], &[]);
    let required = format!("{file}[auth]\nmode = \"required\"\n");
    let text = refused(&required, &[], &["insecure=true"]);
    assert!(text.contains("nothing bounds how much they ask for"), "{text}");
    for twice in [file, &open] {
        let config = loaded(twice, &["FANFARE_INSECURE_PUBLIC=true"], &["insecure=true"]).config;
        assert!(config.open_user_ids() && !config.loopback_only());
    }
    assert!(!loaded(file, &["FANFARE_INSECURE_PUBLIC=true"], &[]).config.open_user_ids());
}

#[test]
fn issuers_come_from_every_layer() {
    let file = "[issuers.Main-Login]\nissuer = \"https://login.example\"\naudience = \"chat\"\n\
        algorithms = [\"ES256\", \"EdDSA\"]\njwks_url = \"https://login.example/jwks\"\n";
    let environment = [
        "FANFARE_ISSUERS_MAIN_LOGIN_AUDIENCE=a,b",
        "FANFARE_ISSUERS_SHOP_SECRET=0123456789abcdef0123456789abcdef",
    ];
    let config = loaded(file, &environment, &["issuers.shop.user_claim=user.id"]).config;
    let main = &config.auth.issuers["Main-Login"];
    assert_eq!(main.audience, ["a", "b"]);
    assert_eq!(main.jwks_url.as_deref(), Some("https://login.example/jwks"));
    let shop = &config.auth.issuers["shop"];
    assert!(shop.secret.as_ref().is_some_and(|secret| secret.matches(b"0123456789abcdef0123456789abcdef")));
    let rows: Vec<String> =
        config.render().lines().filter(|line| line.starts_with("issuers.")).map(str::to_owned).collect();
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(
        rows.iter().map(words).collect::<Vec<_>>(),
        [
            "issuers.Main-Login.issuer = \"https://login.example\" # fanfare.toml:2; reloadable",
            "issuers.Main-Login.audience = [\"a\", \"b\"] # env FANFARE_ISSUERS_MAIN_LOGIN_AUDIENCE; reloadable",
            "issuers.Main-Login.algorithms = [\"ES256\", \"EdDSA\"] # fanfare.toml:4; reloadable",
            "issuers.Main-Login.jwks_url = \"https://login.example/jwks\" # fanfare.toml:5; reloadable",
            "issuers.shop.secret = \"<withheld>\" # env FANFARE_ISSUERS_SHOP_SECRET; reloadable",
            "issuers.shop.user_claim = \"user.id\" # flag --issuers.shop.user_claim; reloadable",
        ]
    );
}

/// An issuer that publishes its keys signs for many services, and a token for any of them opened this one, silently.
#[test]
fn an_issuer_of_public_keys_without_an_audience_is_warned_of() {
    let warned = |lines: &str| loaded(&main_issuer(lines), &[], &[]).warnings;
    for keys in ["public_key_file = \"k.pem\"", "jwks_file = \"k.json\"", "jwks_url = \"https://a.example\""]
    {
        let warnings = warned(keys);
        assert!(
            warnings.len() == 1 && warnings[0].starts_with("issuers.main.audience is not set"),
            "{warnings:?}"
        );
        assert!(warned(&format!("{keys}\naudience = \"chat\"")).is_empty());
    }
    assert!(warned("secret_file = \"s\"").is_empty());
}

#[test]
fn what_an_issuer_lacks_or_has_too_much_of_is_pointed_at() {
    let file = format!(
        "[issuers.empty]\n[issuers.both]\nsecret = \"{SECRET}\"\njwks_url = \"https://a.example\"\n\
         [issuers.confused]\npublic_key_file = \"k.pem\"\nalgorithms = [\"ES256\", \"HS256\"]\n\
         [issuers.asymmetric]\nsecret_file = \"s\"\nalgorithms = \"RS256\"\n[auth]\ncookie = \"fanfare_csrf\"\n"
    );
    let text = refused(&file, &["FANFARE_ISSUERS_LOOSE_AUDIENCE=a"], &[]);
    assert!(!text.contains("canary-c"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn odd_values_of_authentication_are_pointed_at() {
    let file = "[auth]\nmode = \"on\"\ncookie = \"a b\"\nleeway = \"31s\"\n[issuers.local]\n[issuers.\"a b\"]\n\
        [issuers.main]\nalgorithms = [\"ES256\", \"HS265\"]\nsecret = \"canary-canary\"\njwks_uri = \"x\"\n\
        jwks_url = \"http://a.example/jwks\"\naudience = []\n";
    let text = refused(file, &[], &["issuers.main.audiense=x"]);
    assert!(!text.contains("canary-c"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn no_secret_of_an_issuer_is_ever_shown() {
    let files = [
        format!("shards = -1\n[issuers.a]\nsecret = \"{SECRET}\"\nsecret_fil = 1\n"),
        format!("[issuers.a]\nsecret = \"{SECRET}\"\nsecret_file = \"f\"\n"),
        format!("[issuers.a]\nsecret = [\"{SECRET}\"]\n"),
        format!("[issuers.a]\nsekret = \"{SECRET}\"\n"),
        format!("issuers.a = {{ secret = \"{SECRET}\", algorithms = \"ES256\" }}\n"),
        format!("issuers.a.secret = \"{SECRET}\nlisten = 3"),
        format!("[issuer.a]\nsecret = \"\"\"\n{SECRET}\n{SECRET}\"\"\"\n"),
    ];
    for file in &files {
        let text = refused(file, &[], &[]);
        assert!(!text.contains("canary-c"), "{text}");
    }
    let environment = ["FANFARE_ISSUERS_A_SECRET=canary-canary"];
    assert!(!refused("", &environment, &["issuers.b.secret=canary-canary"]).contains("canary-c"));
    let environment = [format!("FANFARE_ISSUERS_A_SECRETS={SECRET}")];
    let warnings = loaded("", &[&environment[0]], &[]).warnings;
    assert!(warnings.len() == 1 && !warnings[0].contains("canary-c"), "{warnings:?}");
    let config = loaded(&main_issuer(&format!("secret = \"{SECRET}\"")), &[], &[]).config;
    assert!(config.shown().iter().all(|row| !row.value.contains("canary-c")));
}

#[test]
fn the_files_of_issuers_are_read_and_what_is_wrong_with_them_is_said() {
    let directory = std::env::temp_dir().join(format!("fanfare-issuers-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str| directory.join(name).display().to_string();
    std::fs::write(path("good"), format!("{SECRET}\r\n")).unwrap();
    std::fs::write(path("short"), "canary-canary\n").unwrap();
    std::fs::write(path("huge"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
    let settings = |setting: &str, name: &str| {
        let config = loaded(&main_issuer(&format!("{setting} = \"{}\"", path(name))), &[], &[]).config;
        config.verifier_settings(&Secret::new("generated"))
    };
    let (issuers, rules) = settings("secret_file", "good").ok().unwrap();
    let names: Vec<_> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    assert_eq!(names, ["main", "local"]);
    assert!(
        matches!(&issuers[0].keys, fanfare_auth::KeySettings::Secret(secret) if secret == SECRET.as_bytes())
    );
    assert_eq!((issuers[0].user_claim.as_str(), issuers[0].roles_claim.as_str()), ("sub", "roles"));
    assert_eq!(rules, fanfare_auth::TokenRules::default());
    for (setting, name, wanted) in [
        ("secret_file", "short", "fewer than 32 bytes"),
        ("secret_file", "missing", "issuers.main.secret_file"),
        ("jwks_file", "huge", "larger than 1 MiB"),
        ("public_key_file", "missing", "cannot be read"),
    ] {
        let text = settings(setting, name).err().unwrap();
        assert!(text.contains(wanted) && !text.contains("canary"), "{text}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn the_listener_for_administration_is_another_one() {
    let config = loaded("admin.listen = []", &[], &[]).config;
    assert!(config.admin.listen.is_empty() && config.chose_admin_listener());
    assert!(loaded("", &["FANFARE_ADMIN_LISTEN="], &[]).config.admin.listen.is_empty());
    assert!(loaded("", &[], &["admin.listen=[]"]).config.admin.listen.is_empty());
    assert!(!loaded("listen = \"127.0.0.1:8001\"", &[], &[]).config.chose_admin_listener());
    let text = refused("listen = \"127.0.0.1:9\"\nadmin.listen = \"127.0.0.1:9\"", &[], &[]);
    assert!(text.contains("cannot serve both"), "{text}");
}
