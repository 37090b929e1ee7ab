//! What rules are made of: who may, what names are private, what an operation counts for.

use fanfare_core::auth::Access;

use super::{Given, Kind, Refusal, quoted};

/// Who may: a word, or a list of roles.
pub(in crate::config) struct Who {
    /// Whether the words that refer to a subscription make sense.
    pub(in crate::config) to_subscribe: bool,
}

/// A mark in a channel's name: a few characters, or none.
pub(in crate::config) struct Mark;

/// What an operation counts for: a number with at most three decimals, kept in thousandths.
pub(in crate::config) struct Cost;

const WORDS: [(&str, Access); 6] = [
    ("everyone", Access::Everyone),
    ("authenticated", Access::Authenticated),
    ("token", Access::Token),
    ("nobody", Access::Nobody),
    ("members", Access::Members),
    ("subscribers", Access::Subscribers),
];

/// Words that refer to a subscription stand last.
const WORDS_TO_SUBSCRIBE: usize = 4;

const ROLES_MAX: usize = 64;
const MARK_BYTES_MAX: usize = 8;
const COST_MAX: f64 = 1_000.0;

impl Who {
    fn words(&self) -> &'static [(&'static str, Access)] {
        if self.to_subscribe { &WORDS_FIRST } else { &WORDS }
    }

    /// Refuses a text that is none of the words: most likely it is the name of a role.
    fn no_word(&self, text: &str, given: &Given) -> Refusal {
        let refusal = Refusal::new(format!("expected {}", self.describe()));
        let like_a_role = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_a_word = WORDS.iter().any(|(word, _)| word.eq_ignore_ascii_case(text));
        if text.is_empty() || is_a_word || !text.chars().all(like_a_role) {
            return refusal;
        }
        match given {
            // Its line is shown anyway.
            Given::Text(_) => refusal.help(format!("a role stands in a list: [{}]", quoted(text))),
            _ => refusal.help("a role stands in a list: \"roles:NAME\""),
        }
    }
}

const WORDS_FIRST: [(&str, Access); WORDS_TO_SUBSCRIBE] = {
    let [everyone, authenticated, token, nobody, ..] = WORDS;
    [everyone, authenticated, token, nobody]
};

impl Kind for Who {
    type Value = Access;

    fn read(&self, given: &Given) -> Result<Access, Refusal> {
        match given {
            Given::List(items) => {
                let mut roles = Vec::new();
                for (item, place) in items {
                    match item {
                        Given::Text(role) if !role.is_empty() => roles.push(role.as_str().into()),
                        other => {
                            let refusal = Refusal::wrong_type("the name of a role", other);
                            return Err(Refusal { part: Some(place.clone()), ..refusal });
                        }
                    }
                }
                roles_of(roles)
            }
            Given::Text(text) | Given::Loose(text) => {
                if let Some((_, access)) = self.words().iter().find(|(word, _)| *word == text.trim()) {
                    return Ok(access.clone());
                }
                let listed = text.trim().strip_prefix("roles:");
                let listed = listed.ok_or_else(|| self.no_word(text, given))?;
                roles_of(listed.split(',').map(|role| role.trim().into()).collect())
            }
            other => Err(Refusal::wrong_type(&self.describe(), other)),
        }
    }

    fn show(&self, value: &Access) -> String {
        if let Access::Roles(roles) = value {
            let roles: Vec<String> = roles.iter().map(|role| quoted(role)).collect();
            return format!("[{}]", roles.join(", "));
        }
        let word = WORDS.iter().find(|(_, access)| access == value).map_or("", |(word, _)| word);
        quoted(word)
    }

    fn describe(&self) -> String {
        let words: Vec<String> = self.words().iter().map(|(word, _)| quoted(word)).collect();
        format!("{} or a list of roles", words.join(", "))
    }
}

fn roles_of(roles: Vec<Box<str>>) -> Result<Access, Refusal> {
    if roles.is_empty() || roles.len() > ROLES_MAX || roles.iter().any(|role| role.is_empty()) {
        return Err(Refusal::new(format!("expected from 1 to {ROLES_MAX} roles"))
            .help("\"nobody\" is who has none of no roles"));
    }
    Ok(Access::Roles(roles.into()))
}

impl Kind for Mark {
    type Value = Box<str>;

    fn read(&self, given: &Given) -> Result<Box<str>, Refusal> {
        let (Given::Text(text) | Given::Loose(text)) = given else {
            return Err(Refusal::wrong_type(&self.describe(), given));
        };
        // A colon ends the namespace, a comma separates users.
        if text.len() > MARK_BYTES_MAX || text.contains([':', ',']) || text.chars().any(char::is_control) {
            return Err(Refusal::new(format!("expected {}", self.describe())));
        }
        Ok(text.as_str().into())
    }

    fn show(&self, value: &Box<str>) -> String {
        quoted(value)
    }

    fn describe(&self) -> String {
        format!("at most {MARK_BYTES_MAX} bytes without colon, comma and control characters")
    }
}

impl Kind for Cost {
    type Value = u32;

    fn read(&self, given: &Given) -> Result<u32, Refusal> {
        let cost = match given {
            Given::Integer(number) => *number as f64,
            Given::Float(number) => *number,
            Given::Loose(text) => text
                .trim()
                .parse()
                .map_err(|_| Refusal::wrong_type("a number of messages, such as 1 or 0.1", given))?,
            other => return Err(Refusal::wrong_type("a number of messages, such as 1 or 0.1", other)),
        };
        let thousandths = cost * 1_000.0;
        if !(0.0..=COST_MAX).contains(&cost) || (thousandths - thousandths.round()).abs() > 1e-6 {
            return Err(Refusal::new(format!("must be {}", self.describe())));
        }
        Ok(thousandths.round() as u32)
    }

    fn show(&self, value: &u32) -> String {
        let text = format!("{}.{:03}", value / 1_000, value % 1_000);
        let text = text.trim_end_matches('0');
        text.strip_suffix('.').unwrap_or(text).to_owned()
    }

    fn describe(&self) -> String {
        "a number from 0 to 1000 with at most three decimals".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_survive_their_text_form() {
        let kind = Who { to_subscribe: false };
        for (word, access) in WORDS {
            assert_eq!(kind.read(&Given::Text(word.to_owned())), Ok(access.clone()));
            assert_eq!(kind.show(&access), format!("\"{word}\""));
        }
        let roles = Access::Roles(["a".into(), "b".into()].into());
        assert_eq!(kind.read(&Given::Loose("roles:a, b".to_owned())), Ok(roles.clone()));
        assert_eq!(kind.show(&roles), r#"["a", "b"]"#);
        assert!(Who { to_subscribe: true }.read(&Given::Text("members".to_owned())).is_err());
        assert!(kind.read(&Given::List(Vec::new())).is_err());
        assert!(kind.read(&Given::Text("Everyone".to_owned())).is_err());
    }

    /// `allow_publish = "admin"` was answered with the words there are, which are not what was meant.
    #[test]
    fn who_names_a_role_where_a_word_stands_is_shown_how() {
        let helped = |to_subscribe: bool, given: Given| Who { to_subscribe }.read(&given).err().unwrap().help;
        let text = |text: &str| Given::Text(text.to_owned());
        let admin = Some("a role stands in a list: [\"admin\"]".to_owned());
        assert_eq!((helped(false, text("admin")), helped(true, text("admin"))), (admin.clone(), admin));
        let loose = Some("a role stands in a list: \"roles:NAME\"".to_owned());
        assert_eq!(helped(false, Given::Loose("admin".to_owned())), loose);
        for no_role in ["", "Everyone", "NOBODY", "a, b", "two words"] {
            assert_eq!(helped(false, text(no_role)), None, "{no_role:?}");
        }
        assert_eq!(helped(true, text("members")), None, "a word, and not for this rule");
    }

    #[test]
    fn costs_are_exact_in_thousandths() {
        for (given, thousandths, shown) in [
            ("1", 1_000, "1"),
            ("0.1", 100, "0.1"),
            ("0", 0, "0"),
            ("2.125", 2_125, "2.125"),
            ("1000", 1_000_000, "1000"),
        ] {
            assert_eq!(Cost.read(&Given::Loose(given.to_owned())), Ok(thousandths));
            assert_eq!(Cost.show(&thousandths), shown);
        }
        for odd in ["-1", "0.0001", "1001", "nan", "x", ""] {
            assert!(Cost.read(&Given::Loose(odd.to_owned())).is_err(), "{odd:?}");
        }
    }
}
