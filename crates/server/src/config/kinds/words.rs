//! Text: addresses, choices, paths, secrets.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::super::problem::did_you_mean;
use super::{Given, Kind, Refusal, quoted};
use crate::secrets::Secret;

/// `true` or `false`.
pub(in crate::config) struct Flag;

/// One of a few words.
pub(in crate::config) struct Choice<T: 'static>(pub(in crate::config) &'static [(&'static str, T)]);

/// A word of letters, digits, `-` and `_`.
pub(in crate::config) struct Word;

/// A filter of log events.
pub(in crate::config) struct Filter;

/// A path that may be left out.
pub(in crate::config) struct FilePath;

/// Addresses to listen on: one, or a list.
pub(in crate::config) struct Addresses {
    /// Whether there may be none.
    pub(in crate::config) optional: bool,
}

/// Secrets: one, or a list.
pub(in crate::config) struct Secrets;

/// The fewest bytes of a secret: 16 random letters and digits are more than anyone can try.
const SECRET_BYTES_MIN: usize = 16;

impl Kind for Flag {
    type Value = bool;

    fn read(&self, given: &Given) -> Result<bool, Refusal> {
        match given {
            Given::Boolean(value) => Ok(*value),
            Given::Loose(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(true),
                "false" | "0" | "no" | "off" => Ok(false),
                _ => Err(Refusal::wrong_type("true or false", given)),
            },
            other => Err(Refusal::wrong_type("true or false", other)),
        }
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }

    fn describe(&self) -> String {
        "true or false".to_owned()
    }
}

impl<T: Clone + PartialEq> Kind for Choice<T> {
    type Value = T;

    fn read(&self, given: &Given) -> Result<T, Refusal> {
        let text = text_of(given, &self.describe())?;
        if let Some((_, value)) = self.0.iter().find(|(word, _)| *word == text) {
            return Ok(value.clone());
        }
        let refusal = Refusal::new(format!("expected {}", self.describe()));
        Err(match did_you_mean(text, self.0.iter().map(|(word, _)| *word)) {
            Some(word) => refusal.help(format!("did you mean \"{word}\"?")),
            None => refusal,
        })
    }

    fn show(&self, value: &T) -> String {
        let word = self.0.iter().find(|(_, candidate)| candidate == value).map_or("", |(word, _)| word);
        quoted(word)
    }

    fn describe(&self) -> String {
        let mut out = String::new();
        for (index, (word, _)) in self.0.iter().enumerate() {
            let separator = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            out.push_str(&format!("{separator}\"{word}\""));
        }
        out
    }
}

impl Kind for Word {
    type Value = String;

    fn read(&self, given: &Given) -> Result<String, Refusal> {
        let text = text_of(given, &self.describe())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
            return Err(Refusal::new(format!("expected {}", self.describe())));
        }
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }

    fn describe(&self) -> String {
        "a word of letters, digits, \"-\" and \"_\"".to_owned()
    }
}

impl Kind for Filter {
    type Value = String;

    fn read(&self, given: &Given) -> Result<String, Refusal> {
        let text = text_of(given, &self.describe())?;
        match text.parse::<tracing_subscriber::EnvFilter>() {
            Ok(_) if !text.trim().is_empty() => Ok(text.to_owned()),
            _ => Err(Refusal::new(format!("expected {}", self.describe()))),
        }
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }

    fn describe(&self) -> String {
        "a filter of log events, such as \"info\" or \"warn,fanfare_server=debug\"".to_owned()
    }
}

impl Kind for FilePath {
    type Value = Option<PathBuf>;

    fn read(&self, given: &Given) -> Result<Option<PathBuf>, Refusal> {
        let text = text_of(given, "a path")?;
        if text.is_empty() || text.contains('\0') {
            return Err(Refusal::new("expected a path"));
        }
        Ok(Some(PathBuf::from(text)))
    }

    fn show(&self, value: &Option<PathBuf>) -> String {
        value.as_ref().map_or_else(|| quoted(""), |path| quoted(&path.display().to_string()))
    }

    fn describe(&self) -> String {
        "a path".to_owned()
    }
}

impl Kind for Addresses {
    type Value = Vec<SocketAddr>;

    fn read(&self, given: &Given) -> Result<Vec<SocketAddr>, Refusal> {
        let mut addresses = Vec::new();
        for item in items(given, "an address or a list of addresses")? {
            let address = item.text.parse::<SocketAddr>().map_err(|_| Refusal {
                part: item.part.clone(),
                ..Refusal::new("expected an IP address and a port")
                    .help("write 127.0.0.1:8000, [::1]:8000, or 0.0.0.0:8000 for every interface")
            })?;
            if addresses.contains(&address) {
                return Err(Refusal { part: item.part, ..Refusal::new("the same address twice") });
            }
            addresses.push(address);
        }
        if addresses.is_empty() && !self.optional {
            return Err(Refusal::new("expected at least one address"));
        }
        Ok(addresses)
    }

    fn show(&self, value: &Vec<SocketAddr>) -> String {
        let items: Vec<String> = value.iter().map(|address| quoted(&address.to_string())).collect();
        format!("[{}]", items.join(", "))
    }

    fn describe(&self) -> String {
        let or_none = if self.optional { "; none with []" } else { "" };
        format!("one or more addresses with ports{or_none}")
    }
}

impl Kind for Secrets {
    type Value = Vec<Secret>;

    fn read(&self, given: &Given) -> Result<Vec<Secret>, Refusal> {
        let mut secrets = Vec::new();
        for item in items(given, "a key or a list of keys")? {
            let printable = item.text.bytes().all(|byte| byte.is_ascii_graphic());
            if item.text.len() < SECRET_BYTES_MIN || !printable {
                let text = format!("a key has at least {SECRET_BYTES_MIN} visible ASCII characters");
                let help = "leave it out, and the server makes one and keeps it in its data directory";
                return Err(Refusal { part: item.part, ..Refusal::new(text).help(help) });
            }
            secrets.push(Secret::new(item.text));
        }
        Ok(secrets)
    }

    fn show(&self, value: &Vec<Secret>) -> String {
        quoted(&match value.len() {
            0 => "<none: one is generated>".to_owned(),
            1 => "<1 key, withheld>".to_owned(),
            count => format!("<{count} keys, withheld>"),
        })
    }

    fn describe(&self) -> String {
        format!("one or more keys of at least {SECRET_BYTES_MIN} characters")
    }
}

pub(super) fn text_of<'a>(given: &'a Given, expected: &str) -> Result<&'a str, Refusal> {
    match given {
        Given::Text(text) => Ok(text),
        Given::Loose(text) => Ok(text.trim()),
        other => Err(Refusal::wrong_type(expected, other)),
    }
}

pub(super) struct Item<'a> {
    pub(super) text: &'a str,
    pub(super) part: Option<std::ops::Range<usize>>,
}

/// One string, a list of them, or loose text with commas between.
pub(super) fn items<'a>(given: &'a Given, expected: &str) -> Result<Vec<Item<'a>>, Refusal> {
    match given {
        Given::Loose(text) => {
            // As the file writes a list of none.
            let text = if text.trim() == "[]" { "" } else { text };
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Ok(words.map(|text| Item { text, part: None }).collect())
        }
        Given::Text(text) => Ok(vec![Item { text, part: None }]),
        Given::List(list) => list
            .iter()
            .map(|(item, part)| match item {
                Given::Text(text) => Ok(Item { text, part: Some(part.clone()) }),
                other => Err(Refusal { part: Some(part.clone()), ..Refusal::wrong_type("a string", other) }),
            })
            .collect(),
        other => Err(Refusal::wrong_type(expected, other)),
    }
}
