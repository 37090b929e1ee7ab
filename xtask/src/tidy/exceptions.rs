//! `xtask/tidy.toml`: what may break a rule, and why.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Table;

const FILE: &str = "xtask/tidy.toml";

/// The exceptions of every rule.
#[derive(Default)]
pub(crate) struct Exceptions {
    /// Path to the length that it has and may not exceed.
    pub(crate) long_files: BTreeMap<String, usize>,
    /// `path name` to the length that it has and may not exceed.
    pub(crate) long_functions: BTreeMap<String, usize>,
    /// Path to the reason why its `unwrap` and `expect` cannot fail.
    pub(crate) unwraps: BTreeMap<String, String>,
    /// Path to the reason why its tests wait for time to pass.
    pub(crate) sleeps: BTreeMap<String, String>,
}

impl Exceptions {
    /// A tree without the file has no exceptions.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        if !root.join(FILE).exists() {
            return Ok(Self::default());
        }
        Self::parse(&super::walk::read(root, FILE)?)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| format!("{FILE}: {error}"))?;
        let mut exceptions = Self::default();
        for (section, rows) in &table {
            let rows = rows.as_table().ok_or_else(|| format!("{FILE}: {section} is not a table"))?;
            match section.as_str() {
                "long-files" => exceptions.long_files = numbers(section, rows)?,
                "long-functions" => exceptions.long_functions = numbers(section, rows)?,
                "unwraps" => exceptions.unwraps = reasons(section, rows)?,
                "sleeps" => exceptions.sleeps = reasons(section, rows)?,
                _ => return Err(format!("{FILE}: there is no rule {section}")),
            }
        }
        Ok(exceptions)
    }
}

fn numbers(section: &str, rows: &Table) -> Result<BTreeMap<String, usize>, String> {
    let number = |(name, value): (&String, &toml::Value)| {
        let number = value.as_integer().and_then(|number| usize::try_from(number).ok());
        let number = number.ok_or_else(|| format!("{FILE}: {section}: {name} needs a length"))?;
        Ok((name.clone(), number))
    };
    rows.iter().map(number).collect()
}

fn reasons(section: &str, rows: &Table) -> Result<BTreeMap<String, String>, String> {
    let reason = |(name, value): (&String, &toml::Value)| {
        let reason = value.as_str().filter(|reason| reason.len() >= 10);
        let reason = reason.ok_or_else(|| format!("{FILE}: {section}: {name} needs a reason"))?;
        Ok((name.clone(), reason.to_owned()))
    };
    rows.iter().map(reason).collect()
}

#[cfg(test)]
mod tests {
    use super::Exceptions;

    #[test]
    fn an_exception_needs_a_reason_and_a_rule() {
        assert!(Exceptions::parse("[unwraps]\n\"a.rs\" = \"the table is static\"").is_ok());
        for wrong in ["[unwraps]\n\"a.rs\" = \"\"", "[long-files]\n\"a.rs\" = \"long\"", "[others]\na = 1"] {
            assert!(Exceptions::parse(wrong).is_err(), "{wrong}");
        }
    }
}
