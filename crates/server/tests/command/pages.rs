//! What the documentation's pages show, tried.

use super::support::{Home, text};

const AUTHENTICATION: &str = include_str!("../../../../docs/authentication.md");
const BEHIND_NGINX: &str = include_str!("../../../../docs/behind-nginx.md");
const PRIVATE_CHANNELS: &str = include_str!("../../../../docs/private-channels.md");

/// The configuration files that a page shows.
fn files(page: &str) -> impl Iterator<Item = &str> {
    page.split("```toml").skip(1).filter_map(|rest| rest.split("```").next())
}

#[test]
fn the_configurations_on_the_pages_are_valid() {
    let home = Home::new("pages");
    std::fs::write(
        home.0.join("backend.secret"),
        "sixty-four characters, as openssl makes them, or about as many",
    )
    .unwrap();
    for (name, page) in
        [("authentication", AUTHENTICATION), ("nginx", BEHIND_NGINX), ("private channels", PRIVATE_CHANNELS)]
    {
        assert!(files(page).count() > 0, "{name}");
        for file in files(page) {
            std::fs::write(home.0.join("f.toml"), file).unwrap();
            let output = home.run(&["check", "--config", "f.toml"]);
            assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
        }
    }
}

#[test]
fn the_page_about_private_channels_shows_the_refusals_that_a_client_gets() {
    let home = Home::new("private");
    std::fs::write(home.0.join("private.toml"), files(PRIVATE_CHANNELS).next().unwrap()).unwrap();
    let server = home.serve_with(&["--config", "private.toml"]);
    let token =
        |arguments: &[&str]| text(&home.run(&[&["token"], arguments].concat()).stdout).trim().to_owned();
    let (ann, bob) = (token(&["--user", "ann", "--role", "staff"]), token(&["--user", "bob"]));
    let order = token(&["--user", "ann", "--subscribe", "order:4711"]);
    let tail = |arguments: &[&str]| {
        let output = home.run(&[&["tail", "--url", server.url(), "--count", "1"], arguments].concat());
        (output.status.code(), text(&output.stdout).to_owned(), text(&output.stderr).trim().to_owned())
    };
    for (channel, arguments) in [
        ("staff:news", &["--token", &bob][..]),
        ("staff:news", &["--token", &ann, "--history", "5"]),
        ("order:4711", &["--token", &ann]),
        ("order:4711", &["--token", &bob, "--subscription-token", &order]),
        ("order:4712", &["--token", &ann, "--subscription-token", &order]),
        ("order:4711", &["--token", &ann, "--subscription-token", &ann]),
        ("chat:talk#bob,eve", &["--token", &ann]),
        ("chat:$board", &["--token", &ann]),
    ] {
        let (code, _, said) = tail(&[&[channel], arguments].concat());
        assert_eq!(code, Some(1), "{channel}");
        // What is said behind the code, as it stands in a sentence, in JSON, or with "…" for what differs.
        let why = said.splitn(4, ": ").nth(3).unwrap_or_default();
        let rule = why.split("asks for").nth(1).unwrap_or(why);
        let shown = [
            why.to_owned(),
            why.replace('"', "\\\""),
            rule.to_owned(),
            rule.split(':').next().unwrap().to_owned(),
        ];
        assert!(shown.iter().any(|text| !text.is_empty() && PRIVATE_CHANNELS.contains(&**text)), "{said}");
    }
    assert!(home.run(&["publish", "--url", server.url(), "order:4711", "1"]).status.success());
    let arguments = ["order:4711", "--history", "1", "--token", &ann, "--subscription-token", &order];
    assert_eq!(tail(&arguments), (Some(0), "order:4711 1 - 1\n".to_owned(), String::new()));
    let (_, _, said) = tail(&["staff:news"]);
    assert!(said.contains("authentication_required") && said.contains("fanfare token"), "{said}");
}

#[test]
fn check_reads_the_certificate() {
    let home = Home::new("certificate");
    let tls = "[tls]\nlisten = \"127.0.0.1:8443\"\ncert_file = \"no.crt\"\nkey_file = \"no.key\"\n";
    std::fs::write(home.0.join("f.toml"), tls).unwrap();
    let output = home.run(&["check", "--config", "f.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no.crt"), "{}", text(&output.stderr));
}
