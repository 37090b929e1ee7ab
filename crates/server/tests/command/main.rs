//! The `fanfare` command as a shell sees it: what it prints and how it ends.

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod bench;
mod pages;
mod reload;
mod support;
mod token;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Home, text};

#[test]
fn check_prints_what_is_in_force() {
    let home = Home::new("check");
    std::fs::write(home.0.join("f.toml"), "[limits]\nmessage_bytes_max = \"8KiB\"\n").unwrap();
    let output = home.run(&["check", "--config", "f.toml", "--listen", "127.0.0.1:9", "--set", "shards=3"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    assert!(
        line("limits.message_bytes_max").contains("\"8KiB\"")
            && line("limits.message").ends_with("# f.toml:2")
    );
    assert!(line("listen =").ends_with("# flag --listen") && line("shards =").ends_with("# flag --set"));
    assert!(line("data_dir =").contains(".local/share/fanfare"));
    assert!(!home.key_file().exists(), "looking changes nothing");
}

/// Service managers and containers leave these variables out, or name a path that depends on where one stands.
#[test]
fn the_data_lie_at_home_whatever_the_environment_says_of_it() {
    let home = Home::new("nowhere");
    let data_dir = |variables: &[(&str, &str)]| {
        let mut command = home.command(&["check"]);
        command.env_remove("HOME").envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let shown = text(&output.stdout);
        let line = shown.lines().find(|line| line.starts_with("data_dir =")).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    let usual = data_dir(&[]);
    assert!(Path::new(&usual).is_absolute() && usual.ends_with("/.local/share/fanfare"), "{usual}");
    assert_eq!(data_dir(&[("HOME", "")]), usual);
    assert_eq!(data_dir(&[("XDG_DATA_HOME", "data")]), usual);
    assert_eq!(data_dir(&[("XDG_DATA_HOME", "/data")]), "/data/fanfare");
    // Keys do not lie wherever the command happens to be started.
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["token", "--user", "ann"], &["channels"]] {
        let output = home.command(command).env("HOME", "here").output().unwrap();
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains("no home directory"), "{command:?}: {said}");
    }
    assert_eq!(std::fs::read_dir(&home.0).unwrap().count(), 0, "nothing was made");
}

/// What is wrong with a flag is shown as it was written: `--set a=b` came out as `--set=b`.
#[test]
fn a_flag_is_shown_as_it_was_written() {
    let home = Home::new("flags");
    for (setting, shown) in [
        ("shards=many", "--set shards=many"),
        ("network.origins=http://a=b", "--set network.origins=http://a=b"),
        ("namespaces.chat.presence=maybe", "--set namespaces.chat.presence=maybe"),
        ("a=b", "--set a=…"),
    ] {
        let output = home.run(&["check", "--set", setting]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(shown), "{shown}: {}", text(&output.stderr));
    }
    let output = home.run(&["check", "--set", "shards=3", "--listen", "127.0.0.1:9"]);
    let line = |key: &str| text(&output.stdout).lines().find(|line| line.starts_with(key)).unwrap();
    assert!(line("shards =").ends_with("# flag --set") && line("listen =").ends_with("# flag --listen"));
}

#[test]
fn check_points_at_what_is_wrong() {
    let home = Home::new("wrong");
    std::fs::write(home.0.join("f.toml"), "shrads = 3\n").unwrap();
    let output = home.run(&["check", "--config", "f.toml"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    let shown = text(&output.stderr);
    assert!(shown.contains("f.toml:1:1") && shown.contains("did you mean \"shards\"?"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "colours are for terminals");
    let output = home.run(&["serve", "--listen", "0.0.0.0:0", "--insecure"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("insecure = true"), "{}", text(&output.stderr));
    let output = home.run(&["check", "--config", "missing.toml"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_reference_is_a_valid_file() {
    let home = Home::new("reference");
    let output = home.run(&["check", "--reference"]);
    std::fs::write(home.0.join("all.toml"), &output.stdout).unwrap();
    assert_eq!(home.run(&["check", "--config", "all.toml"]).status.code(), Some(0));
}

#[test]
fn what_is_not_understood_is_no_failure_but_misuse() {
    let home = Home::new("usage");
    for arguments in [
        &[][..],
        &["dance"],
        &["serve", "--shards"],
        &["publish", "room"],
        &["publish", "room", "1", "--key", "k", "--tag", "novalue"],
        &["check", "--set", "shards"],
        &["publish", "room", "{text: hello}", "--key", "k"],
        &["tail", "--pattern", "a.>", "--history", "3"],
        &["disconnect"],
    ] {
        let output = home.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        assert_eq!(home.run(arguments).status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn the_first_start_makes_a_key_that_publish_finds() {
    let home = Home::new("start");
    let server = home.serve();
    let key = std::fs::read_to_string(home.key_file()).unwrap();
    // journald and Docker keep what a server prints: the key is for a terminal alone.
    assert!(!server.said.contains(key.trim()) && server.said.contains("api.key"), "{}", server.said);
    let secret = std::fs::read_to_string(home.0.join(".local/share/fanfare/token.secret")).unwrap();
    assert!(!server.said.contains(secret.trim()) && secret.starts_with("ffs_"), "{}", server.said);
    let publish = |arguments: &[&str]| {
        let mut all = vec!["publish", "--url", server.url()];
        all.extend(arguments);
        home.run(&all)
    };
    let output = publish(&["room", "{\"text\": \"hello\"}", "--from", "ann", "--tag", "lang=en"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("{\"offset\":1,"), "{}", text(&output.stdout));
    let output = publish(&["", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("invalid_channel"), "{}", text(&output.stderr));
    let output = publish(&["room", "1", "--key", "a-wrong-key"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("unauthorized"), "{}", text(&output.stderr));
    assert_eq!(server.end(), Some(0));
    let again = home.serve();
    assert!(!again.said.contains(key.trim()), "{}", again.said);
    assert_eq!(again.end(), Some(0));
}

/// A full disk under the log, or a reader that has gone (`fanfare serve | head -1`), ended the server: printing panics.
#[test]
fn a_server_whose_output_goes_nowhere_serves() {
    let home = Home::new("output");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let outputs: [(&str, Stdio, Stdio); 2] =
        [("full", full().into(), full().into()), ("closed", closed().into(), closed().into())];
    for (name, stdout, stderr) in outputs {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("127.0.0.1:{port}");
        let arguments =
            ["serve", "--listen", &listen, "--set", "admin.listen=[]", "--set", "log.filter=trace"];
        let mut process = home.command(&arguments).stdout(stdout).stderr(stderr).spawn().unwrap();
        let url = format!("http://{listen}");
        let publishes = || home.run(&["publish", "room", "1", "--url", &url]).status.success();
        while !publishes() {
            assert_eq!(process.try_wait().unwrap(), None, "{name}: the server has ended");
        }
        assert!(publishes(), "{name}: and goes on");
        assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
        assert_eq!(process.wait().unwrap().code(), Some(0), "{name}");
    }
}

/// A second server on a host starts all the same, without metrics; one that was told an address insists on it.
#[test]
fn an_address_for_administration_that_is_taken_stops_only_who_asked_for_it() {
    let home = Home::new("admin");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let admin = format!("admin.listen={address}");
    let output = home.run(&["serve", "--listen", "127.0.0.1:0", "--set", &admin]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&address) && said.contains("set admin.listen"), "{said}");
    // Whether it is free or not.
    let _usual = std::net::TcpListener::bind("127.0.0.1:8001");
    let server = home.serve();
    assert!(!server.said.contains("/metrics"), "{}", server.said);
    assert_eq!(server.end(), Some(0));
}

#[test]
fn tail_prints_past_and_live_messages() {
    let home = Home::new("tail");
    let server = home.serve();
    let publish = |data: &str| home.run(&["publish", "room", data, "--url", server.url(), "--from", "ann"]);
    assert_eq!(publish("{\"n\": 1}").status.code(), Some(0));
    let arguments = ["tail", "room", "--url", server.url(), "--history", "9", "--count", "2"];
    let mut tail = home.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "room 1 ann {\"n\": 1}");
    assert_eq!(publish("hello").status.code(), Some(0));
    assert_eq!(lines.next().unwrap().unwrap(), "room 2 ann \"hello\"");
    assert_eq!(tail.wait().unwrap().code(), Some(0));
    let arguments = ["tail", "room", "--url", server.url(), "--history", "1", "--count", "1", "--json"];
    let output = home.run(&arguments);
    let line = text(&output.stdout);
    assert!(line.starts_with('{') && line.ends_with("\"data\":\"hello\"}\n"), "{line}");
    let arguments = ["tail", "room", "--url", server.url(), "--history", "9"];
    let mut tail = home.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    drop(tail.stdout.take());
    assert_eq!(publish("more").status.code(), Some(0));
    assert_eq!(tail.wait().unwrap().code(), Some(0), "it ends when its reader has gone");
    let output = home.run(&["tail", "room", "", "--url", server.url()]);
    assert_eq!(output.status.code(), Some(1));
    let output = home.run(&["tail", "room", "--url", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(home.run(&["tail"]).status.code(), Some(2));
}

#[test]
fn publish_says_when_nobody_listens() {
    let home = Home::new("alone");
    let output =
        home.run(&["publish", "room", "1", "--url", "http://127.0.0.1:1", "--key", "a-key-of-some-length"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is the server running?"), "{}", text(&output.stderr));
    let output = home.run(&["publish", "room", "1", "--url", "http://127.0.0.1:1"]);
    assert!(text(&output.stderr).contains("FANFARE_KEY"), "{}", text(&output.stderr));
    assert!(!Path::new(&home.key_file()).exists());
}
