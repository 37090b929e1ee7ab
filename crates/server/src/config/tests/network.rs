//! Who may connect from where: what is read, and what contradicts itself.

use super::*;

#[test]
fn origins_and_proxies_come_from_every_layer() {
    let file = "[network]\norigins = [\"https://app.example\", \"https://*.example.com\"]\n\
        trusted_proxies = \"10.0.0.0/8\"\nclient_address = \"x-forwarded-for\"\nhandshakes_per_second = 0\n";
    let config = loaded(file, &["FANFARE_NETWORK_PROXY_PROTOCOL=true"], &[]).config;
    let origins: Vec<String> = config.network.origins.iter().map(ToString::to_string).collect();
    assert_eq!(origins, ["https://app.example", "https://*.example.com"]);
    assert!(config.network.proxy_protocol);
    assert_eq!((config.network.handshakes.per_second, config.network.accepts.per_second), (0, 100));
    let config = loaded(file, &[], &["network.origins=http://localhost:3000,http://localhost:4000"]).config;
    assert_eq!(config.network.origins.len(), 2);
    assert_eq!(source_of(&config, "network.origins"), "flag --network.origins");
}

#[test]
fn insecure_takes_the_rates_per_address_away() {
    let config = loaded("[network]\norigins = [\"*\"]\n", &[], &["insecure=true"]).config;
    let network = config.network();
    assert_eq!((network.accepts.per_second, network.handshakes.per_second), (0, 0));
    assert_eq!(network.origins, config.network.origins, "and nothing else");
    assert_eq!(loaded("", &[], &[]).config.network(), NetworkConfig::default());
}

#[test]
fn what_would_be_believed_of_anybody_is_refused() {
    let cookie = "[auth]\ncookie = \"session\"\n[network]\norigins = ";
    for (file, wanted) in [
        (format!("{cookie}[\"https://app.example\", \"*\"]\n"), "have to be named"),
        ("[network]\nclient_address = \"forwarded\"\n".to_owned(), "only from a trusted proxy"),
        ("[network]\nproxy_protocol = true\n".to_owned(), "only from a trusted proxy"),
        ("[network]\norigins = [\"https://app.example/\"]\n".to_owned(), "https://*.example.com"),
        ("[network]\norigins = [\"null\"]\n".to_owned(), "expected a scheme"),
        ("[network]\ntrusted_proxies = [\"proxy.example\"]\n".to_owned(), "10.0.0.0/8"),
    ] {
        let text = refused(&file, &[], &[]);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(wanted), "{text}");
    }
    loaded(&format!("{cookie}[\"https://*.example.com\"]\n"), &[], &[]);
}
