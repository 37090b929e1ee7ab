//! The environment and the command line: assignments without a table's shape.

use super::kinds::Given;
use super::load::{Assignment, Flag, Key};
use super::problem::{Problem, did_you_mean};
use super::source::{Place, Source, Text};
use super::{issuers, namespaces, settings};

const PREFIX: &str = "FANFARE_";

/// Variables that are not settings: read by the command line itself.
const OTHERS: &[&str] = &["FANFARE_CONFIG", "FANFARE_URL", "FANFARE_KEY", "FANFARE_TOKEN"];

/// The variable of a setting: `limits.message_bytes_max` is `FANFARE_LIMITS_MESSAGE_BYTES_MAX`.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace(['.', '-'], "_").to_ascii_uppercase())
}

/// What the file calls its tables: a variable's name cannot spell every such name, so it is taken for the known one
/// that would be written so.
#[derive(Default)]
pub(super) struct Known {
    namespaces: Vec<String>,
    issuers: Vec<String>,
}

impl Known {
    /// The names in the file's assignments.
    pub(super) fn of(assignments: &[Assignment]) -> Self {
        let mut known = Self::default();
        for assignment in assignments {
            match &assignment.key {
                Key::Declared(name) => known.namespaces.push(name.clone()),
                Key::DeclaredIssuer(name) => known.issuers.push(name.clone()),
                _ => {}
            }
        }
        known
    }
}

/// The assignments of the environment.
pub(super) fn read(
    variables: &[(String, String)],
    known: &Known,
    warnings: &mut Vec<String>,
) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for (name, value) in variables {
        if !name.starts_with(PREFIX) || OTHERS.contains(&name.as_str()) || is_service_link(name) {
            continue;
        }
        match key_of(name, known) {
            Some(key) => {
                let source = Source::Environment(name.clone());
                let place = place("environment", name, value, &key);
                let given = Given::Loose(value.clone());
                assignments.push(Assignment { key, given, source, place: Some(place) });
            }
            None => warnings.push(unknown(name)),
        }
    }
    assignments
}

/// The assignments of the command line.
pub(super) fn flags(flags: &[Flag], problems: &mut Vec<Problem>) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for flag in flags {
        let Some(key) = Key::parse(&flag.key) else {
            let problem = Problem::new(format!("unknown setting in {}", flag.name));
            let candidates = settings::groups().map(|setting| setting.key);
            let text = Text::new("command line", &format!("{} {}=…", flag.name, flag.key));
            let span = flag.name.len() + 1..flag.name.len() + 1 + flag.key.len();
            let problem = problem.at(&text, span, "no setting has this name");
            problems.push(match did_you_mean(&flag.key, candidates) {
                Some(meant) => problem.help(format!("did you mean \"{meant}\"?")),
                None => problem,
            });
            continue;
        };
        // `--set` names the setting beside it; the other flags stand for one.
        let written = if flag.name == "--set" { format!("--set {}", flag.key) } else { flag.name.clone() };
        let place = place("command line", &written, &flag.value, &key);
        let given = Given::Loose(flag.value.clone());
        assignments.push(Assignment {
            key,
            given,
            source: Source::Flag(flag.name.clone()),
            place: Some(place),
        });
    }
    assignments
}

fn place(text: &str, name: &str, value: &str, key: &Key) -> Place {
    let shown = if key.is_secret() { "…" } else { value };
    Place {
        text: Text::new(text, &format!("{name}={shown}")),
        key: 0..name.len(),
        value: name.len() + 1..name.len() + 1 + shown.len(),
    }
}

fn key_of(variable_name: &str, known: &Known) -> Option<Key> {
    if let Some(setting) = settings::groups().find(|setting| variable(setting.key) == variable_name) {
        return Some(Key::Plain(setting));
    }
    let rest = variable_name.strip_prefix(PREFIX)?;
    if let Some(rest) = rest.strip_prefix("NAMESPACE_") {
        let ends_in = |name: &str, text: &str| text == name.to_ascii_uppercase();
        let setting = namespaces::SETTINGS.iter().find(|setting| ends_in(setting.name, rest))?;
        return Some(Key::Namespace(None, setting));
    }
    if let Some(rest) = rest.strip_prefix("ISSUERS_") {
        let settings = issuers::SETTINGS.iter().map(|setting| setting.name);
        let (name, setting) = member(rest, settings, &known.issuers)?;
        return issuers::name_error(&name).is_none().then_some(Key::Issuer(name, issuers::find(setting)?));
    }
    let settings = namespaces::SETTINGS.iter().map(|setting| setting.name);
    let (name, setting) = member(rest.strip_prefix("NAMESPACES_")?, settings, &known.namespaces)?;
    Some(Key::Namespace(Some(name), namespaces::find(setting)?))
}

/// The table and the setting that the rest of a variable's name stands for.
fn member(
    rest: &str,
    settings: impl Iterator<Item = &'static str>,
    known: &[String],
) -> Option<(String, &'static str)> {
    // The longest name that fits: "presence_grace" before a namespace "x_presence" with "grace".
    let (setting, name) = settings
        .filter_map(|setting| {
            let suffix = format!("_{}", setting.to_ascii_uppercase());
            rest.strip_suffix(suffix.as_str()).map(|name| (setting, name))
        })
        .filter(|(_, name)| !name.is_empty())
        .max_by_key(|(setting, _)| setting.len())?;
    let spelled = |candidate: &&String| variable(candidate) == format!("{PREFIX}{name}");
    let name = known.iter().find(spelled).cloned().unwrap_or_else(|| name.to_ascii_lowercase());
    Some((name, setting))
}

/// Whether an orchestrator set the variable because some service is called "fanfare".
fn is_service_link(name: &str) -> bool {
    name.starts_with("FANFARE_SERVICE_") || name == "FANFARE_PORT" || name.starts_with("FANFARE_PORT_")
}

fn unknown(name: &str) -> String {
    // The common prefix would make everything look alike.
    let variables: Vec<String> = settings::groups().map(|setting| variable(setting.key)).collect();
    let endings = variables.iter().filter_map(|variable| variable.strip_prefix(PREFIX));
    match did_you_mean(name.strip_prefix(PREFIX).unwrap_or(name), endings) {
        Some(meant) => format!("{name} in the environment is no setting; did you mean {PREFIX}{meant}?"),
        None => format!("{name} in the environment is no setting and has no effect"),
    }
}
