mod auth;
mod network;
mod tls;

use std::path::PathBuf;

use super::*;

const DIALECTS: &[&str] = &["native", "rooms"];

/// Loads the file's content, with the environment and flags given as `NAME=value`.
fn try_load(file: &str, environment: &[&str], flags: &[&str]) -> Result<Loaded, String> {
    let pair = |text: &&str| text.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let flag = |text: &&str| {
        let (key, value) = pair(text);
        Flag { name: format!("--{key}"), key, value }
    };
    let inputs = Inputs {
        file: None,
        environment: environment.iter().map(pair).collect(),
        flags: flags.iter().map(flag).collect(),
        dialects: DIALECTS,
    };
    load::assemble(&inputs, Some(("fanfare.toml", file))).map_err(|problems| problems.render(false))
}

fn loaded(file: &str, environment: &[&str], flags: &[&str]) -> Loaded {
    try_load(file, environment, flags).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(file: &str, environment: &[&str], flags: &[&str]) -> String {
    match try_load(file, environment, flags) {
        Ok(_) => panic!("the configuration was accepted"),
        Err(rendered) => rendered,
    }
}

fn source_of(config: &Config, key: &str) -> String {
    config.source(key).to_string()
}

/// A server on its own took its clients for those of many, since nothing said that it was alone.
#[test]
fn a_server_stands_alone_unless_it_is_told_over_which_time_to_drain() {
    let drain = |file: &str, environment: &[&str]| {
        let config = loaded(file, environment, &[]).config;
        let shown = config.shown().into_iter().find(|row| row.key == "deadlines.drain").unwrap();
        (config.deadlines.drain_ms, shown.value)
    };
    assert_eq!(drain("", &[]), (None, "\"\"".to_owned()));
    assert_eq!(drain("deadlines.drain = \"\"", &[]), (None, "\"\"".to_owned()));
    assert_eq!(drain("deadlines.drain = \"25s\"", &[]), (Some(25_000), "\"25s\"".to_owned()));
    assert_eq!(drain("deadlines.drain = \"25s\"", &["FANFARE_DEADLINES_DRAIN=0"]).0, Some(0));
    assert!(refused("deadlines.drain = true", &[], &[]).contains("expected a duration"));
}

#[test]
fn without_anything_the_defaults_hold() {
    let loaded = load(&Inputs::new(DIALECTS)).unwrap_or_else(|error| panic!("{error}"));
    let config = loaded.config;
    assert_eq!(config.listen, ["127.0.0.1:8000".parse().unwrap()]);
    assert_eq!((config.limits.clone(), config.deadlines.clone()), (Limits::default(), Deadlines::default()));
    assert_eq!(config.namespace, Namespace::default());
    let demo = &config.namespaces["demo"];
    assert_eq!(
        (demo.presence, demo.join_leave, demo.presence_grace_ms, demo.history_size),
        (true, true, 3_000, 100)
    );
    assert!(config.open_user_ids() && config.loopback_only() && !config.insecure);
    assert_eq!(config.key_file(), PathBuf::from("fanfare-data/api.key"));
    assert!(loaded.warnings.is_empty());
    assert!(config.shown().iter().all(|row| matches!(row.source, Source::Default | Source::Demo)));
}

#[test]
fn later_layers_win_and_every_value_knows_its_source() {
    let file = "shards = 2\nlisten = \"127.0.0.1:1\"\n\n[limits]\nmessage_bytes_max = \"8KiB\"\n\n\
        [deadlines]\npong = 3\n";
    let environment =
        ["FANFARE_LISTEN=127.0.0.1:2,[::1]:2", "FANFARE_DEADLINES_WRITE=1.5", "FANFARE_METRICS=off"];
    let loaded = loaded(file, &environment, &["listen=127.0.0.1:3", "limits.fragments_max=9"]);
    let config = loaded.config;
    assert_eq!(config.listen, ["127.0.0.1:3".parse().unwrap()]);
    assert_eq!((config.shards, config.limits.message_bytes_max, config.limits.fragments_max), (2, 8192, 9));
    assert_eq!((config.deadlines.pong_ms, config.deadlines.write_ms, config.metrics), (3_000, 1_500, false));
    assert_eq!(source_of(&config, "shards"), "fanfare.toml:1");
    assert_eq!(source_of(&config, "listen"), "flag --listen");
    assert_eq!(source_of(&config, "limits.message_bytes_max"), "fanfare.toml:5");
    assert_eq!(source_of(&config, "deadlines.pong"), "fanfare.toml:8");
    assert_eq!(source_of(&config, "deadlines.write"), "env FANFARE_DEADLINES_WRITE");
    assert_eq!(source_of(&config, "limits.fragments_max"), "flag --limits.fragments_max");
    assert_eq!(source_of(&config, "log.filter"), "default");
}

#[test]
fn a_namespace_takes_from_the_common_one_what_it_leaves_out() {
    let file = "[namespace]\nhistory_size = 7\npresence = false\n\n[namespaces.chat]\npresence = true\n\
        history_ttl = \"1h30m\"\noutbox_policy = \"keep_latest\"\n[namespaces.plain]\n[namespaces.demo]\nhistory_size = 5\n";
    let environment =
        ["FANFARE_NAMESPACES_CHAT_JOIN_LEAVE=true", "FANFARE_NAMESPACES_NEW_ONE_PRESENCE_GRACE=2"];
    let config = loaded(file, &environment, &[]).config;
    let chat = &config.namespaces["chat"];
    assert_eq!(
        (chat.history_size, chat.presence, chat.join_leave, chat.history_ttl_ms),
        (7, true, true, 5_400_000)
    );
    assert_eq!(chat.outbox_policy, fanfare_core::namespace::OutboxPolicy::KeepLatest);
    assert_eq!(config.namespaces["plain"], config.namespace);
    assert_eq!(config.namespaces["new_one"].presence_grace_ms, 2_000);
    let demo = &config.namespaces["demo"];
    assert_eq!((demo.history_size, demo.presence, demo.join_leave), (5, true, true));
    assert_eq!(source_of(&config, "namespaces.chat.history_size"), "fanfare.toml:2, by [namespace]");
    assert_eq!(source_of(&config, "namespaces.demo.join_leave"), "default of the demo page");
    let engine = config.engine_namespaces();
    assert_eq!(engine.get("chat").unwrap().history_size, 7);
    assert_eq!(engine.get("elsewhere").unwrap().history_size, 7);
}

#[test]
fn without_the_demo_its_namespace_is_gone() {
    let config = loaded("demo = false\nnamespaces_strict = true", &[], &[]).config;
    assert!(config.namespaces.is_empty());
    assert!(config.engine_namespaces().get("demo").is_none());
}

#[test]
fn a_syntax_error_is_pointed_at() {
    let text = refused("shards = 2\nlisten = 127.0.0.1:8000\n", &[], &[]);
    insta::assert_snapshot!(text);
}

#[test]
fn unknown_settings_are_pointed_at_with_a_guess() {
    let file = "lisen = \"127.0.0.1:1\"\n[limits]\nmessage_size = 5\n[namespaces.chat]\nhistory_sise = 1\n[colours]\n";
    let text = refused(file, &[], &[]);
    insta::assert_snapshot!(text);
}

#[test]
fn a_setting_in_the_wrong_table_is_sent_home() {
    let text = refused("history_size = 5\n[namespaces.chat]\nfilter = \"info\"\nshards = 3\n", &[], &[]);
    insta::assert_snapshot!(text);
}

#[test]
fn wrong_types_and_bounds_are_pointed_at() {
    let file = "insecure = \"yes\"\nlisten = [\"127.0.0.1:1\", \"localhost:2\"]\nlimits = 3\n[deadlines]\npong = \"8 parsecs\"\n\
        write = \"2h\"\n[namespace]\noutbox_policy = \"drop_eldest\"\nhistory_size = -1\n[log]\nformat = 7\nfilter = \"a=b=c\"\n";
    let text = refused(file, &[], &[]);
    insta::assert_snapshot!(text);
}

/// Unanswered requests are counted in 16 bits, and pings were allowed a day apart.
#[test]
fn no_setting_promises_what_the_engine_does_not_do() {
    for (file, wanted) in [
        ("[limits]\nrequests_in_flight_max = 65536\n", "65535"),
        ("[deadlines]\nping_interval = \"2h\"\n", "1h"),
    ] {
        let text = refused(file, &[], &[]);
        assert!(text.contains(wanted), "{text}");
    }
    loaded("[limits]\nrequests_in_flight_max = 65535\n[deadlines]\nping_interval = \"1h\"\n", &[], &[]);
}

#[test]
fn contradictions_name_both_values() {
    let file = "[limits]\nmessage_bytes_max = \"512KiB\"\n\n[deadlines]\nping_interval = \"5s\"\n\n\
        [namespaces.quiet]\npresence = false\njoin_leave = true\nhistory_size = 0\nreplay_on_subscribe = 1\n";
    let text = refused(file, &[], &["limits.outbox_bytes_max=200KiB"]);
    insta::assert_snapshot!(text);
}

#[test]
fn the_environment_and_flags_are_pointed_at_too() {
    let environment = ["FANFARE_SHARDS=many", "FANFARE_NAMESPACES_CHAT_PRESENCE=perhaps"];
    let text = refused("", &environment, &["listen=:8000", "limits.fragment_max=3"]);
    insta::assert_snapshot!(text);
}

#[test]
fn an_unknown_dialect_is_pointed_at() {
    let text = refused("default_dialect = \"room\"\n", &[], &[]);
    insta::assert_snapshot!(text);
}

#[test]
fn unknown_variables_warn_and_those_of_orchestrators_do_not() {
    let environment = [
        "FANFARE_LIMITS_MESAGE_BYTES_MAX=1",
        "FANFARE_COLOUR=red",
        "FANFARE_SERVICE_HOST=10.0.0.1",
        "FANFARE_PORT=tcp://10.0.0.1:80",
        "FANFARE_PORT_80_TCP=tcp://10.0.0.1:80",
        "FANFARE_CONFIG=x.toml",
        "PATH=/bin",
    ];
    let warnings = loaded("", &environment, &[]).warnings;
    assert_eq!(
        warnings,
        [
            "FANFARE_LIMITS_MESAGE_BYTES_MAX in the environment is no setting; did you mean FANFARE_LIMITS_MESSAGE_BYTES_MAX?",
            "FANFARE_COLOUR in the environment is no setting and has no effect",
        ]
    );
}

#[test]
fn no_secret_is_ever_shown() {
    const CANARY: &str = "canary-canary-canary";
    let files = [
        format!("shards = -1\n[api]\nkeys = [\"{CANARY}\"]\nkey_fil = 1\n"),
        format!("[api]\nkeys = [\"{CANARY}\", 7]\n"),
        format!("[api]\nkeyz = [\"{CANARY}\"]\n"),
        format!("[api]\nkeys = \"{CANARY}\n"),
        format!("api = {{ keys = [\"{CANARY}\", ] , x = 1}}\n"),
        format!("[api]\nkeys = [\n  # old\n  \"{CANARY}\"\n  \"{CANARY}\"]\n"),
        format!("api.keys = \"é{CANARY}\"\n"),
    ];
    for file in &files {
        let text = refused(file, &[], &[]);
        assert!(!text.contains("canary-c"), "{text}");
    }
    let short = ["FANFARE_API_KEYS=canary-c"];
    assert!(!refused("", &short, &["api.keys=canary-c,x"]).contains("canary-c"));
    let config = loaded(&format!("[api]\nkeys = \"{CANARY}\"\n"), &[], &[]).config;
    assert!(config.api.keys[0].matches(CANARY.as_bytes()));
    assert!(!config.render().contains("canary-c"));
}

#[test]
fn the_effective_settings_are_shown_with_their_sources() {
    let file = "[namespaces.\"two words\"]\nhistory_size = 3\n";
    let config = loaded(file, &["FANFARE_SHARDS=4"], &["listen=127.0.0.1:9"]).config;
    let text: Vec<String> = config.render().lines().map(str::to_owned).collect();
    for line in [
        "listen = [\"127.0.0.1:9\"]                           # flag --listen",
        "shards = 4                                         # env FANFARE_SHARDS",
        "api.keys = \"<none: one is generated>\"              # default; reloadable",
    ] {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(
            text.iter().any(|shown| words(shown) == words(line)),
            "{line}\nis not in\n{}",
            text.join("\n")
        );
    }
    let parsed: toml::Table = config.render().parse().unwrap();
    assert_eq!(parsed["namespaces"]["two words"]["history_size"].as_integer(), Some(3));
}

#[test]
fn the_reference_is_a_file_that_changes_nothing() {
    let config = loaded(&Config::reference(), &[], &[]).config;
    assert_eq!((config.limits, config.deadlines), (Limits::default(), Deadlines::default()));
    assert_eq!(config.namespace, Namespace::default());
}

#[test]
fn every_bound_of_the_engine_can_be_set() {
    // Those of nested groups count one by one.
    let is_field = |line: &&str| line.contains(": ") && !line.ends_with('{');
    let fields = |debug: String| debug.lines().filter(is_field).count();
    let rows = |group: &str| settings::groups().filter(|setting| setting.key.starts_with(group)).count();
    assert_eq!(rows("limits."), fields(format!("{:#?}", Limits::default())));
    assert_eq!(rows("deadlines."), fields(format!("{:#?}", Deadlines::default())));
    assert_eq!(rows("rate_limits."), fields(format!("{:#?}", RateLimits::default())));
    assert_eq!(namespaces::SETTINGS.len(), fields(format!("{:#?}", Namespace::default())));
}

#[test]
fn the_examples_on_the_page_about_configuration_are_valid() {
    let page = include_str!("../../../../docs/configuration.md");
    let examples: Vec<&str> =
        page.split("```toml").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let config = loaded(&examples.concat(), &[], &[]).config;
    assert_eq!(config.namespaces["prices"].replay_on_subscribe, 1);
    assert_eq!(config.auth.issuers["main"].audience, ["chat"]);
}
