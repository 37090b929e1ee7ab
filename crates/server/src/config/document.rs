//! The file: TOML into assignments, each with its place.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::kinds::Given;
use super::load::{Assignment, Key};
use super::problem::{Problem, did_you_mean};
use super::source::{Place, Source, Text};
use super::{issuers, namespaces, settings};

/// Syntax errors reported at most: one often causes the next.
const SYNTAX_ERRORS_MAX: usize = 3;

/// The assignments that a file consists of.
pub(super) fn read(path: &str, content: &str, problems: &mut Vec<Problem>) -> Vec<Assignment> {
    let text = Text::new(path, &mask(content));
    let (table, errors) = DeTable::parse_recoverable(content);
    for error in errors.iter().take(SYNTAX_ERRORS_MAX) {
        let span = error.span().unwrap_or(0..0);
        problems.push(Problem::new(format!("{path} is not valid TOML")).at(&text, span, error.message()));
    }
    if !errors.is_empty() {
        return Vec::new();
    }
    let mut walk = Walk { text, assignments: Vec::new(), problems };
    walk.top(table.get_ref());
    walk.assignments
}

struct Walk<'p> {
    text: Text,
    assignments: Vec<Assignment>,
    problems: &'p mut Vec<Problem>,
}

impl Walk<'_> {
    fn top(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let span = name.span();
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("namespace", DeValue::Table(table)) => self.namespace(None, table),
                ("namespaces", DeValue::Table(table)) => self.namespaces(table),
                ("issuers", DeValue::Table(table)) => self.issuers(table),
                (group @ ("namespace" | "namespaces" | "issuers"), _) => {
                    self.not_a_table(group, value.span())
                }
                (group, DeValue::Table(table)) if is_group(group) => self.group(group, table),
                (group, _) if is_group(group) => self.not_a_table(group, value.span()),
                (key, given) => match settings::find(key) {
                    Some(setting) => self.assign(Key::Plain(setting), span, value.span(), given),
                    None => self.unknown(key, span, &top_names()),
                },
            }
        }
    }

    fn group(&mut self, group: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = format!("{group}.{}", name.get_ref());
            match settings::find(&key) {
                Some(setting) => self.assign(Key::Plain(setting), name.span(), value.span(), value.get_ref()),
                None => {
                    let siblings = settings::groups().filter_map(|setting| setting.key.split_once('.'));
                    let siblings = siblings.filter(|(its, _)| *its == group).map(|(_, name)| name);
                    self.unknown(name.get_ref(), name.span(), &siblings.collect::<Vec<_>>());
                }
            }
        }
    }

    fn namespaces(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            if let Some(error) = namespaces::name_error(name.get_ref()) {
                let problem = Problem::new("a namespace's name is not valid");
                self.problems.push(problem.at(&self.text, name.span(), error));
                continue;
            }
            match value.get_ref() {
                DeValue::Table(table) => {
                    let key = Key::Declared(name.get_ref().to_string());
                    let place = self.place(name.span(), name.span());
                    self.assignments.push(Assignment::declared(key, place));
                    self.namespace(Some(name.get_ref()), table);
                }
                _ => self.not_a_table(&format!("namespaces.{}", name.get_ref()), value.span()),
            }
        }
    }

    fn issuers(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            if let Some(error) = issuers::name_error(name.get_ref()) {
                let problem = Problem::new("an issuer's name is not valid");
                self.problems.push(problem.at(&self.text, name.span(), error));
                continue;
            }
            let DeValue::Table(table) = value.get_ref() else {
                self.not_a_table(&format!("issuers.{}", name.get_ref()), value.span());
                continue;
            };
            let place = self.place(name.span(), name.span());
            let key = Key::DeclaredIssuer(name.get_ref().to_string());
            self.assignments.push(Assignment::declared(key, place));
            for (setting, value) in table {
                match issuers::find(setting.get_ref()) {
                    Some(known) => {
                        let key = Key::Issuer(name.get_ref().to_string(), known);
                        self.assign(key, setting.span(), value.span(), value.get_ref());
                    }
                    None => {
                        let names: Vec<_> = issuers::SETTINGS.iter().map(|setting| setting.name).collect();
                        self.unknown(setting.get_ref(), setting.span(), &names);
                    }
                }
            }
        }
    }

    fn namespace(&mut self, namespace: Option<&str>, table: &DeTable<'_>) {
        for (name, value) in table {
            match namespaces::find(name.get_ref()) {
                Some(setting) => {
                    let key = Key::Namespace(namespace.map(Into::into), setting);
                    self.assign(key, name.span(), value.span(), value.get_ref());
                }
                None => {
                    let names: Vec<_> = namespaces::SETTINGS.iter().map(|setting| setting.name).collect();
                    self.unknown(name.get_ref(), name.span(), &names);
                }
            }
        }
    }

    fn assign(&mut self, key: Key, name: Range<usize>, value: Range<usize>, given: &DeValue<'_>) {
        let source = Source::File { path: Arc::clone(&self.text.name), line: self.text.line(name.start) };
        let place = self.place(name, value);
        self.assignments.push(Assignment { key, given: convert(given), source, place: Some(place) });
    }

    fn place(&self, key: Range<usize>, value: Range<usize>) -> Place {
        Place { text: self.text.clone(), key, value }
    }

    fn unknown(&mut self, name: &str, span: Range<usize>, known: &[&'static str]) {
        let problem = Problem::new("unknown setting").at(&self.text, span, "no setting has this name here");
        let help = match (home_of(name), did_you_mean(name, known.iter().copied())) {
            (Some(home), _) => format!("\"{name}\" belongs {home}"),
            (None, Some(meant)) => format!("did you mean \"{meant}\"?"),
            (None, None) => format!("known here: {}", known.join(", ")),
        };
        self.problems.push(problem.help(help));
    }

    fn not_a_table(&mut self, name: &str, span: Range<usize>) {
        let problem = Problem::new(format!("wrong type for {name}")).at(&self.text, span, "expected a table");
        self.problems.push(problem.help(format!("write [{name}] on a line of its own, its settings below")));
    }
}

/// Where a setting of this name would stand.
fn home_of(name: &str) -> Option<String> {
    if settings::find(name).is_some() {
        return Some("above the first table".to_owned());
    }
    if namespaces::find(name).is_some() {
        return Some("in [namespace], or in that of one namespace".to_owned());
    }
    let mut keys = settings::groups().filter_map(|setting| setting.key.split_once('.'));
    let home = keys.find(|(_, its)| *its == name).map(|(group, _)| format!("in [{group}]"));
    home.or_else(|| {
        issuers::find(name).map(|_| "in the table of one issuer, such as [issuers.main]".to_owned())
    })
}

fn is_group(name: &str) -> bool {
    settings::groups().any(|setting| setting.key.split_once('.').is_some_and(|(group, _)| group == name))
}

fn top_names() -> Vec<&'static str> {
    let mut names = Vec::new();
    for setting in settings::groups() {
        let name = setting.key.split_once('.').map_or(setting.key, |(group, _)| group);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.extend(["issuers", "namespace", "namespaces"]);
    names
}

fn convert(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text(text.to_string()),
        DeValue::Integer(number) => {
            // A number that does not fit is out of every setting's bounds; so is the largest.
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Given::Integer(parsed.unwrap_or(if number.as_str().starts_with('-') {
                i64::MIN
            } else {
                i64::MAX
            }))
        }
        DeValue::Float(number) => Given::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Given::Boolean(*value),
        DeValue::Datetime(_) => Given::Moment,
        DeValue::Array(items) => {
            Given::List(items.iter().map(|item| (convert(item.get_ref()), item.span())).collect())
        }
        DeValue::Table(_) => Given::Table,
    }
}

/// The text with the values of secrets blotted out, every byte in its place, so that excerpts can be shown.
/// Works by lines and not by syntax: a file with a syntax error is shown too.
fn mask(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    let mut blotting = false;
    for line in content.split_inclusive('\n') {
        let head = line.trim_start_matches(|c: char| c.is_whitespace() || c == '#');
        let starts_entry = head.starts_with('[') && head.contains(']') && !head.contains(['"', '\'', ','])
            || head.split_once('=').is_some_and(|(name, _)| is_name(name));
        if starts_entry {
            blotting = false;
        }
        let from = if blotting { Some(0) } else { secret_value(line) };
        match from {
            Some(from) => {
                blotting = true;
                out.push_str(&line[..from]);
                out.extend(line[from..].chars().flat_map(blot));
            }
            None => out.push_str(line),
        }
    }
    out
}

fn is_name(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.\"' ".contains(c))
}

/// Where a secret's value begins in a line, if one does.
fn secret_value(line: &str) -> Option<usize> {
    for (at, _) in line.match_indices('=') {
        let before = line[..at].trim_end_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        let start =
            before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').map_or(0, |i| i + 1);
        if sounds_secret(&before[start..]) {
            return Some(at + 1);
        }
    }
    None
}

/// Whether a name is a secret's, or was perhaps meant to be.
fn sounds_secret(name: &str) -> bool {
    let ends_in = |key: &&str| key.rsplit('.').next() == Some(name);
    let known = settings::groups().map(|setting| setting.key).find(ends_in);
    if let Some(known) = known {
        return settings::SECRET.contains(&known);
    }
    if let Some(known) = issuers::find(name) {
        return known.is_secret();
    }
    let secrets = settings::SECRET.iter().map(|key| key.rsplit('.').next().unwrap_or(key));
    did_you_mean(name, secrets.chain(["key", "secret", "token", "password"])).is_some()
}

fn blot(character: char) -> impl Iterator<Item = char> {
    let kept = character.is_whitespace() || "[]\"',#".contains(character);
    let (character, count) = if kept { (character, 1) } else { ('*', character.len_utf8()) };
    std::iter::repeat_n(character, count)
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn secrets_are_blotted_and_nothing_moves() {
        let cases = [
            ("a = 1\nkeys = [\"topé\", 'x']\nb = 2\n", "a = 1\nkeys = [\"*****\", '*']\nb = 2\n"),
            (
                "[api]\nkeys = [\n  \"one\", # two\n]\n[log]\n",
                "[api]\nkeys = [\n  \"***\", # ***\n]\n[log]\n",
            ),
            ("api = { keys = \"abc\" }\n", "api = { keys = \"***\" *\n"),
            ("api.\"keys\" = \"abc\"\n", "api.\"keys\" = \"***\"\n"),
            (
                "keyss = \"abc\"\n# key = \"abc\"\nkey_file = \"abc\"",
                "keyss = \"***\"\n# key = \"***\"\nkey_file = \"abc\"",
            ),
            ("keys = \"abc\nlisten = \"x\"\n", "keys = \"***\nlisten = \"x\"\n"),
        ];
        for (given, wanted) in cases {
            assert_eq!(mask(given), wanted);
            assert_eq!(mask(given).len(), given.len());
        }
    }
}
