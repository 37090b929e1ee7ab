//! SIGHUP ended the server where it spoke no TLS. It reloads what can be reloaded, and nothing where anything is wrong.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::support::{Home, text};

const WITH_KEY: [&str; 2] = ["the-first-key-of-all", "the-second-key-of-all"];

fn file(key: &str, more: &str) -> String {
    format!("api.keys = [\"{key}\"]\n{more}")
}

#[test]
fn sighup_reloads_all_or_nothing_and_never_kills() {
    let home = Home::new("reload");
    let write = |content: String| std::fs::write(home.0.join("f.toml"), content).unwrap();
    write(file(WITH_KEY[0], ""));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let arguments = ["serve", "--config", "f.toml", "--listen", &listen, "--set", "admin.listen=[]"];
    let mut process = home.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |wanted: &str| -> Vec<String> {
        let mut lines = Vec::new();
        for line in log.by_ref() {
            let found = line.contains(wanted);
            lines.push(line);
            if found {
                return lines;
            }
        }
        panic!("the log ended before {wanted:?}: {lines:#?}")
    };
    let id = process.id().to_string();
    let hang_up = || assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    let url = format!("http://{listen}");
    let publish = |key: &str| home.run(&["publish", "room", "1", "--url", &url, "--key", key]);
    until("listening");
    assert!(publish(WITH_KEY[0]).status.success());

    // A key, a namespace and a limit count at once; what needs a restart is named.
    write(file(
        WITH_KEY[1],
        "shards = 3\nnamespaces_strict = true\n[limits]\nconnections_max = 77\n[namespaces.chat]\nhistory_size = 5\n",
    ));
    hang_up();
    let said = until("the configuration was reloaded").join("\n");
    assert!(said.contains("limits.connections_max: 1") && said.contains("-> 77"), "{said}");
    assert!(said.contains("namespaces.chat.history_size: (not set) -> 5"), "{said}");
    assert!(said.contains("needs a restart: shards: 0 -> 3"), "{said}");
    assert!(!said.contains(WITH_KEY[0]) && !said.contains(WITH_KEY[1]), "{said}");
    assert!(!publish(WITH_KEY[0]).status.success(), "the old key");
    assert!(publish(WITH_KEY[1]).status.success());
    let refused = home.run(&["publish", "other:room", "1", "--url", &url, "--key", WITH_KEY[1]]);
    assert!(text(&refused.stderr).contains("unknown_namespace"), "{}", text(&refused.stderr));

    // All or nothing: the key is right, and the limit is not.
    write(file(WITH_KEY[0], "[limits]\nconnections_max = \"many\"\n"));
    hang_up();
    let said = until("nothing was reloaded").join("\n");
    assert!(said.contains("configuration is wrong"), "{said}");
    assert!(publish(WITH_KEY[1]).status.success() && !publish(WITH_KEY[0]).status.success());

    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_value_on_the_command_line_is_shown_with_its_setting() {
    let home = Home::new("set");
    let output = home.run(&["check", "--set", "shards=many"]);
    let shown = text(&output.stderr);
    assert!(shown.contains("--set shards=many"), "{shown}");
}

#[test]
fn check_says_what_can_be_reloaded() {
    let home = Home::new("reloadable");
    let output = home.run(&["check"]);
    let shown = text(&output.stdout);
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    assert!(line("limits.connections_max =").ends_with("; reloadable"), "{shown}");
    assert!(line("namespace.history_size =").ends_with("; reloadable"), "{shown}");
    assert!(!line("shards =").contains("reloadable"), "{shown}");
}
