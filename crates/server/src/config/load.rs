//! Loading: gather assignments from every layer, apply them in order, check how they fit together.

use std::path::PathBuf;

use fanfare_core::namespace::Namespace;

use super::issuers::IssuerSetting;
use super::kinds::{Given, Refusal};
use super::namespaces::NamespaceSetting;
use super::problem::{Problem, Problems, did_you_mean};
use super::settings::Setting;
use super::source::{Place, Source};
use super::{Config, DEMO_NAMESPACE, document, environment, issuers, namespaces, relations, settings};

/// Where a configuration is to come from.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// All variables of the environment; those that begin with `FANFARE_` count.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Vec<Flag>,
    /// The dialects that this build speaks.
    pub dialects: &'static [&'static str],
}

/// A setting on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// As it was written: `--listen`.
    pub name: String,
    /// Which setting it stands for: `listen`.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A valid configuration.
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// What the operator should hear nevertheless.
    pub warnings: Vec<String>,
}

/// Which setting an assignment is to.
#[derive(Clone)]
pub(super) enum Key {
    /// One of the server.
    Plain(&'static Setting),
    /// One of a namespace; none is `[namespace]`.
    Namespace(Option<String>, &'static NamespaceSetting),
    /// None: the file names the namespace, perhaps without any setting.
    Declared(String),
    /// One of an issuer.
    Issuer(String, &'static IssuerSetting),
    /// None: the file names the issuer, perhaps without any setting.
    DeclaredIssuer(String),
}

/// One value for one setting, from one layer.
pub(super) struct Assignment {
    pub(super) key: Key,
    pub(super) given: Given,
    pub(super) source: Source,
    pub(super) place: Option<Place>,
}

impl Inputs {
    /// No file, no environment, no flags.
    pub fn new(dialects: &'static [&'static str]) -> Self {
        Self { dialects, ..Self::default() }
    }
}

impl Key {
    /// The setting that a text names: `namespaces.chat.presence`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(setting) = settings::find(text) {
            return Some(Key::Plain(setting));
        }
        if let Some(name) = text.strip_prefix("namespace.") {
            return Some(Key::Namespace(None, namespaces::find(name)?));
        }
        if let Some((issuer, name)) = text.strip_prefix("issuers.").and_then(|rest| rest.rsplit_once('.')) {
            if issuers::name_error(issuer).is_some() {
                return None;
            }
            return Some(Key::Issuer(issuer.to_owned(), issuers::find(name)?));
        }
        let (namespace, name) = text.strip_prefix("namespaces.")?.rsplit_once('.')?;
        if namespaces::name_error(namespace).is_some() {
            return None;
        }
        Some(Key::Namespace(Some(namespace.to_owned()), namespaces::find(name)?))
    }

    pub(super) fn text(&self) -> String {
        match self {
            Key::Plain(setting) => setting.key.to_owned(),
            Key::Namespace(None, setting) => format!("namespace.{}", setting.name),
            Key::Namespace(Some(name), setting) => format!("namespaces.{name}.{}", setting.name),
            Key::Declared(name) => format!("namespaces.{name}"),
            Key::Issuer(name, setting) => format!("issuers.{name}.{}", setting.name),
            Key::DeclaredIssuer(name) => format!("issuers.{name}"),
        }
    }

    pub(super) fn is_secret(&self) -> bool {
        match self {
            Key::Plain(setting) => setting.is_secret(),
            Key::Issuer(_, setting) => setting.is_secret(),
            _ => false,
        }
    }
}

impl Assignment {
    /// That there is a table of this name, where its name stands.
    pub(super) fn declared(key: Key, place: Place) -> Self {
        Self { key, given: Given::Table, source: Source::Default, place: Some(place) }
    }
}

/// Loads the configuration.
///
/// # Errors
/// With everything that is wrong with it.
pub fn load(inputs: &Inputs) -> Result<Loaded, Problems> {
    let Some(path) = &inputs.file else { return assemble(inputs, None) };
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(content) => assemble(inputs, Some((&name, &content))),
        Err(error) => {
            let message = format!("the configuration {name} cannot be read: {error}");
            Err(Problems(vec![Problem::new(message)]))
        }
    }
}

/// Loads the configuration from a file that has been read: its name and its content.
pub(super) fn assemble(inputs: &Inputs, file: Option<(&str, &str)>) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let mut assignments =
        file.map_or_else(Vec::new, |(name, content)| document::read(name, content, &mut problems));
    let known = environment::Known::of(&assignments);
    assignments.extend(environment::read(&inputs.environment, &known, &mut warnings));
    assignments.extend(environment::flags(&inputs.flags, &mut problems));

    let mut config = Config::built_in();
    if let Some(path) = data_dir(&inputs.environment) {
        config.data_dir = path;
    }
    apply(&mut config, &assignments, &mut problems);
    if problems.is_empty() {
        check_dialect(&config, inputs.dialects, &assignments, &mut problems);
        relations::check(&config, &assignments, &mut problems);
    }
    warnings.extend(issuers::warnings(&config));
    if problems.is_empty() { Ok(Loaded { config, warnings }) } else { Err(Problems(problems)) }
}

/// Applies in three steps: a named namespace begins as `[namespace]` is in the end, and whether the demo's
/// namespace exists depends on `demo`.
fn apply(config: &mut Config, assignments: &[Assignment], problems: &mut Vec<Problem>) {
    for assignment in assignments {
        let result = match &assignment.key {
            Key::Plain(setting) => (setting.set)(config, &assignment.given),
            Key::Namespace(None, setting) => (setting.set)(&mut config.namespace, &assignment.given),
            Key::Issuer(name, setting) => {
                (setting.set)(config.auth.issuers.entry(name.clone()).or_default(), &assignment.given)
            }
            Key::DeclaredIssuer(name) => {
                config.auth.issuers.entry(name.clone()).or_default();
                continue;
            }
            Key::Namespace(Some(_), _) | Key::Declared(_) => continue,
        };
        finish(config, assignment, result, problems);
    }
    if config.demo {
        let mut namespace = config.namespace.clone();
        for name in namespaces::demo(&mut namespace) {
            config.sources.insert(format!("namespaces.{DEMO_NAMESPACE}.{name}"), Source::Demo);
        }
        config.namespaces.insert(DEMO_NAMESPACE.to_owned(), namespace);
    }
    for assignment in assignments {
        let (Key::Namespace(Some(name), _) | Key::Declared(name)) = &assignment.key else { continue };
        if !config.namespaces.contains_key(name) {
            config.namespaces.insert(name.clone(), config.namespace.clone());
        }
        let Key::Namespace(_, setting) = &assignment.key else { continue };
        let Some(namespace) = config.namespaces.get_mut(name) else { continue };
        let result = (setting.set)(namespace, &assignment.given);
        finish(config, assignment, result, problems);
    }
    inherit_sources(config);
}

fn finish(
    config: &mut Config,
    assignment: &Assignment,
    result: Result<(), Refusal>,
    problems: &mut Vec<Problem>,
) {
    match result {
        Ok(()) => {
            config.sources.insert(assignment.key.text(), assignment.source.clone());
        }
        Err(refusal) => problems.push(refused(assignment, refusal)),
    }
}

fn refused(assignment: &Assignment, refusal: Refusal) -> Problem {
    let mut problem = Problem::new(format!("invalid value for {}", assignment.key.text()));
    if let Some(place) = &assignment.place {
        let span = refusal.part.unwrap_or_else(|| place.value.clone());
        problem = problem.at(&place.text, span, refusal.text);
    }
    match refusal.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn inherit_sources(config: &mut Config) {
    let names: Vec<String> = config.namespaces.keys().cloned().collect();
    for name in names {
        for setting in namespaces::SETTINGS {
            let key = format!("namespaces.{name}.{}", setting.name);
            let parent = config.source(&format!("namespace.{}", setting.name));
            if parent != Source::Default && !config.sources.contains_key(&key) {
                config.sources.insert(key, Source::Inherited(Box::new(parent)));
            }
        }
    }
}

fn check_dialect(
    config: &Config,
    dialects: &'static [&'static str],
    assignments: &[Assignment],
    problems: &mut Vec<Problem>,
) {
    let dialect = config.default_dialect.as_str();
    if dialects.contains(&dialect) {
        return;
    }
    let mut problem = Problem::new("invalid value for default_dialect");
    let place = place_of("default_dialect", assignments);
    if let Some(place) = place {
        problem = problem.at(&place.text, place.value.clone(), "this server speaks no such dialect");
    }
    problems.push(match did_you_mean(dialect, dialects.iter().copied()) {
        Some(meant) => problem.help(format!("did you mean \"{meant}\"?")),
        None => problem.help(format!("it speaks: {}", dialects.join(", "))),
    });
}

/// The place of the assignment in force: the last one.
pub(super) fn place_of<'a>(key: &str, assignments: &'a [Assignment]) -> Option<&'a Place> {
    assignments.iter().rev().find(|assignment| assignment.key.text() == key)?.place.as_ref()
}

/// The data directory when none is configured: the service manager's, else the user's.
fn data_dir(environment: &[(String, String)]) -> Option<PathBuf> {
    // The XDG Base Directory Specification: a relative path is to be ignored. So is a home that depends on where the
    // server was started.
    let variable = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    // systemd separates several by colons; the first is the one that the unit names first.
    let of_manager = environment.iter().find(|(name, _)| name == "STATE_DIRECTORY");
    let of_manager = of_manager.and_then(|(_, value)| value.split(':').next()).map(PathBuf::from);
    of_manager
        .filter(|path| path.is_absolute())
        .or_else(|| variable("XDG_DATA_HOME").map(|home| home.join("fanfare")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/share/fanfare")))
}

/// The built-in settings of `[namespace]`, for reference.
pub(super) fn built_in_namespace() -> Namespace {
    Namespace::default()
}
