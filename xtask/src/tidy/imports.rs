//! The import table: which of our crates may use which, and what the pure ones may use at all.

use std::path::Path;

use toml::Table;

/// A crate's row. A name ending in `*` stands for every crate that starts so.
struct Row {
    name: &'static str,
    /// Our crates that it may use.
    ours: &'static [&'static str],
    /// Other people's crates that it may use; `None` leaves them to `cargo deny`.
    others: Option<&'static [&'static str]>,
}

const fn row(
    name: &'static str,
    ours: &'static [&'static str],
    others: Option<&'static [&'static str]>,
) -> Row {
    Row { name, ours, others }
}

/// A crate that has no row may not exist; development dependencies are free.
const TABLE: &[Row] = &[
    row("fanfare-wire", &[], Some(&["bytes", "flate2", "memchr", "simdutf8", "httparse", "sha1", "base64"])),
    row("fanfare-protocol", &[], Some(&["bytes"])),
    row("fanfare-json", &["fanfare-protocol"], Some(&["bytes", "serde", "serde_json", "base64", "itoa"])),
    row(
        "fanfare-dialect-*",
        &["fanfare-protocol", "fanfare-json"],
        Some(&["bytes", "serde", "serde_json", "prost", "base64", "itoa", "memchr", "jiff"]),
    ),
    row("fanfare-core", &["fanfare-protocol"], Some(&["bytes", "foldhash", "memchr", "slab", "smallvec"])),
    row("fanfare-auth", &["fanfare-protocol", "fanfare-core"], None),
    row("fanfare-store-*", &["fanfare-protocol", "fanfare-core"], None),
    row("fanfare-broker-*", &["fanfare-protocol", "fanfare-core"], None),
    row(
        "fanfare-client",
        &["fanfare-wire", "fanfare-protocol"],
        Some(&[
            "base64",
            "bytes",
            "futures-core",
            "getrandom",
            "rustls",
            "rustls-native-certs",
            "serde",
            "serde_json",
            "tokio",
        ]),
    ),
    row("fanfare-testkit", &["fanfare-wire", "fanfare-protocol", "fanfare-core", "fanfare-client"], None),
    row("fanfare-sim", &["fanfare-protocol", "fanfare-core", "fanfare-testkit"], None),
    row("fanfare-bench", &["fanfare-wire", "fanfare-protocol", "fanfare-client"], None),
    row("fanfare-attack", &["fanfare-wire"], None),
    row(
        "fanfare-server",
        &[
            "fanfare-wire",
            "fanfare-protocol",
            "fanfare-dialect-*",
            "fanfare-core",
            "fanfare-auth",
            "fanfare-store-*",
            "fanfare-broker-*",
            "fanfare-client",
            "fanfare-bench",
        ],
        None,
    ),
    row("xtask", &[], Some(&["proc-macro2", "serde_json", "toml"])),
];

pub(crate) fn check(root: &Path, files: &[String]) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for path in files.iter().filter(|path| is_member(path)) {
        let text = super::walk::read(root, path)?;
        let manifest: Table = text.parse().map_err(|error| format!("{path}: {error}"))?;
        let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
        let name = name.unwrap_or_default();
        match TABLE.iter().find(|row| matches(row.name, name)) {
            None => problems.push(format!("{path}: `{name}` has no row in the import table")),
            Some(row) => problems.extend(
                dependencies(&manifest)
                    .filter_map(|(used, value)| Some(format!("{path}: {}", judge(row, name, used, value)?))),
            ),
        }
    }
    Ok(problems)
}

fn is_member(path: &str) -> bool {
    path == "xtask/Cargo.toml"
        || matches!(path.split('/').collect::<Vec<_>>()[..], ["crates", _, "Cargo.toml"])
}

/// Normal and build dependencies, for every target.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, &toml::Value)> {
    let targets = manifest.get("target").and_then(|targets| targets.as_table());
    let targets =
        targets.into_iter().flat_map(|targets| targets.values().filter_map(|value| value.as_table()));
    let sections = targets.chain([manifest]);
    sections
        .flat_map(|section| ["dependencies", "build-dependencies"].map(|kind| section.get(kind)))
        .flatten()
        .filter_map(|list| list.as_table())
        .flat_map(|list| list.iter().map(|(name, value)| (name.as_str(), value)))
}

/// What is wrong with `name` using `used`.
fn judge(row: &Row, name: &str, used: &str, value: &toml::Value) -> Option<String> {
    // A renamed dependency is judged by its real name.
    let used = value.get("package").and_then(|package| package.as_str()).unwrap_or(used);
    if used.starts_with("fanfare-") || used == "xtask" {
        let allowed = used != name && row.ours.iter().any(|pattern| matches(pattern, used));
        return (!allowed).then(|| format!("{name} may not use {used}"));
    }
    let allowed = row.others.is_none_or(|others| others.contains(&used));
    (!allowed).then(|| format!("{name} may not use {used}: it is not in the crate's row of the import table"))
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use crate::tidy::tree::Tree;

    fn problems_of(name: &str, package: &str, dependencies: &str) -> Vec<String> {
        let tree = Tree::new(name);
        tree.file(
            &format!("crates/{name}/Cargo.toml"),
            &format!("[package]\nname = \"{package}\"\n{dependencies}"),
        );
        super::check(tree.root(), &tree.files()).unwrap()
    }

    #[test]
    fn the_core_names_no_dialect_no_runtime_and_no_log() {
        for used in
            ["tokio", "mio", "hyper", "axum", "serde_json", "tracing", "fanfare-dialect-native", "xtask"]
        {
            let list = format!("[dependencies]\n{used} = \"1\"");
            assert_eq!(problems_of(&format!("core-{used}"), "fanfare-core", &list).len(), 1, "{used}");
        }
        let list = "[dependencies]\nfanfare-protocol.workspace = true\n[dev-dependencies]\ntokio = \"1\"";
        assert!(problems_of("core-good", "fanfare-core", list).is_empty());
    }

    #[test]
    fn dialects_and_brokers_do_not_know_their_siblings() {
        let list = "[dependencies]\nfanfare-dialect-native.workspace = true";
        assert_eq!(problems_of("sibling-1", "fanfare-dialect-plain", list).len(), 1);
        let list = "[dependencies]\nfanfare-broker-nats.workspace = true";
        assert_eq!(problems_of("sibling-2", "fanfare-broker-redis", list).len(), 1);
    }

    #[test]
    fn no_way_round_by_target_build_script_or_rename() {
        for list in [
            "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"",
            "[build-dependencies]\ntokio = \"1\"",
            "[dependencies]\nbytes = { package = \"tokio\", version = \"1\" }",
        ] {
            assert_eq!(problems_of("way-round", "fanfare-wire", list).len(), 1, "{list}");
        }
    }

    #[test]
    fn a_crate_without_a_row_is_a_problem() {
        assert_eq!(problems_of("stranger", "fanfare-utils", "").len(), 1);
    }
}
