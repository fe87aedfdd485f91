//! The name of an instance. A [`Name`] in hand has passed the rule; nothing checks it again.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::refusal::{Refusal, RefusalCode};

/// Longest name, in bytes. The seeds' rule: 1 to 32 of `A-Z a-z 0-9 _ -`.
pub const NAME_BYTES_MAX: usize = 32;

/// Names that no instance can hold: each would pass for a person, for the daemon or for a group.
pub const RESERVED: [&str; 12] = [
    "system",
    "ipcd",
    "user",
    "human",
    "root",
    "admin",
    "all",
    "everyone",
    "broadcast",
    "self",
    "any",
    "none",
];

/// An instance's name as its holder spelled it. Shared, since each message and each answer has some. Two names that differ only in case are one name:
/// compare [`Name::key`]s.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(Arc<str>);

/// A name with its case removed: what uniqueness is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NameKey(String);

impl Name {
    /// Parses the whole string; a trailing newline is not forgiven.
    pub fn parse(text: &str) -> Result<Name, Refusal> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
        if fits && text.bytes().all(allowed) && !text.starts_with('-') {
            return Ok(Name(text.into()));
        }
        let shown: String = text.chars().take(NAME_BYTES_MAX + 8).collect();
        Err(Refusal::new(RefusalCode::InvalidName, format!("{shown:?} is not a name"))
            .hint("use 1 to 32 letters, digits, '_' or '-', not starting with '-'"))
    }

    /// The daemon's own name, sender of notices.
    pub fn system() -> Name {
        Name("system".into())
    }

    /// The name of the person at this machine.
    pub fn user() -> Name {
        Name("user".into())
    }

    pub fn is_user(&self) -> bool {
        self.0.eq_ignore_ascii_case("user")
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self) -> NameKey {
        NameKey(self.0.to_ascii_lowercase())
    }

    pub fn is_reserved(&self) -> bool {
        RESERVED.iter().any(|reserved| self.0.eq_ignore_ascii_case(reserved))
    }

    /// A name for a session that has none: the folder's name reduced to the allowed characters,
    /// then `-2`, `-3` and so on for `number` 2, 3 …
    pub fn from_folder(folder: &str, number: u32) -> Name {
        let last = folder.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
        let suffix = if number > 1 { format!("-{number}") } else { String::new() };
        let mut base: String =
            last.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        base = base.trim_matches('-').to_owned();
        base.truncate(NAME_BYTES_MAX - suffix.len());
        let base = base.trim_end_matches('-');
        let base = if base.is_empty() || Name(base.into()).is_reserved() { "agent" } else { base };
        Name(format!("{base}{suffix}").into())
    }
}

impl NameKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Name, Refusal> {
        Name::parse(&text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_holds_for_the_whole_string() {
        for good in ["a", "Alice_2", "x-y", "0", "_", &"n".repeat(32)] {
            assert_eq!(Name::parse(good).expect(good).as_str(), good);
        }
        let long = "n".repeat(33);
        for bad in ["", "eve\n", " a", "a b", "-a", "a/b", "..", "ä", "а", "a\0", "\u{200d}a", long.as_str()]
        {
            assert_eq!(Name::parse(bad).expect_err(bad).code, RefusalCode::InvalidName);
        }
    }

    #[test]
    fn case_does_not_make_another_name() {
        assert_eq!(Name::parse("Alice").unwrap().key(), Name::parse("aLICE").unwrap().key());
        assert!(Name::parse("SyStem").unwrap().is_reserved());
    }

    #[test]
    fn a_folder_gives_a_name() {
        for (folder, number, name) in [
            ("/home/u/webapp", 1, "webapp"),
            ("/home/u/webapp/", 2, "webapp-2"),
            ("/home/u/my project.rs", 1, "my-project-rs"),
            ("/", 1, "agent"),
            ("/home/root", 1, "agent"),
            ("/tmp/日本", 3, "agent-3"),
            ("C:\\src\\Tool", 1, "Tool"),
        ] {
            assert_eq!(Name::from_folder(folder, number).as_str(), name);
        }
        let long = Name::from_folder(&"x".repeat(80), 12);
        assert_eq!(long.as_str().len(), NAME_BYTES_MAX);
        assert!(long.as_str().ends_with("-12"));
        Name::parse(long.as_str()).expect("a generated name passes the rule");
    }
}
