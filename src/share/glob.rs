//! Patterns over whole paths: `**` stands for any folders, `*` and `?` for characters within one name,
//! `~` for the user's home. Case does not matter: on some file systems it does not either, and a key is
//! a key in capitals too.

use std::path::{Component, Path};

use serde::Deserialize;

/// One pattern, parsed: it begins at the root, at the home or anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Glob {
    text: String,
    from_home: bool,
    parts: Vec<String>,
}

impl Glob {
    /// Parses `/a/*.b`, `~/a/**` or `**/a`.
    ///
    /// # Errors
    /// A pattern that begins with anything else, as it would depend on a current folder.
    pub fn parse(text: &str) -> Result<Glob, String> {
        let from_home = text.starts_with("~/");
        if !from_home && !text.starts_with('/') && !text.starts_with("**/") {
            return Err(format!("the pattern {text:?} must start with /, ~/ or **/"));
        }
        let parts = text.trim_start_matches("~/").split('/').filter(|part| !part.is_empty());
        let parts = parts.map(str::to_ascii_lowercase).collect();
        Ok(Glob { text: text.to_owned(), from_home, parts })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern covers the whole of `path`, which is absolute and free of links.
    pub fn covers(&self, path: &Path, home: Option<&Path>) -> bool {
        let below = match (self.from_home, home) {
            (false, _) => path,
            (true, Some(home)) => match path.strip_prefix(home) {
                Ok(below) => below,
                Err(_) => return false,
            },
            (true, None) => return false,
        };
        let names: Vec<String> = below
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_string_lossy().to_ascii_lowercase()),
                _ => None,
            })
            .collect();
        parts_match(&self.parts, &names)
    }
}

impl TryFrom<String> for Glob {
    type Error = String;

    fn try_from(text: String) -> Result<Glob, String> {
        Glob::parse(&text)
    }
}

fn parts_match(pattern: &[String], names: &[String]) -> bool {
    match pattern.split_first() {
        None => names.is_empty(),
        Some((first, rest)) if first == "**" => {
            (0..=names.len()).any(|skipped| parts_match(rest, &names[skipped..]))
        }
        Some((first, rest)) => names.split_first().is_some_and(|(name, below)| {
            name_matches(first.as_bytes(), name.as_bytes()) && parts_match(rest, below)
        }),
    }
}

fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skipped| name_matches(rest, &name[skipped..])),
        (Some((b'?', rest)), Some((_, name))) => name_matches(rest, name),
        (Some((wanted, rest)), Some((found, name))) => wanted == found && name_matches(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, path: &str) -> bool {
        Glob::parse(pattern).unwrap().covers(Path::new(path), Some(Path::new("/home/ada")))
    }

    #[test]
    fn patterns_cover_whole_paths() {
        for (pattern, path) in [
            ("**/.ssh/**", "/home/ada/.ssh/config"),
            ("**/.ssh/**", "/home/ada/.ssh/a/b"),
            ("**/.env", "/.env"),
            ("**/.env", "/w/.env"),
            ("**/.env.*", "/w/.env.local"),
            ("**/*.pem", "/w/a.b.PEM"),
            ("**/id_rsa", "/w/ID_RSA"),
            ("/proc/**", "/proc/self/environ"),
            ("~/.claude/**", "/home/ada/.claude/settings.json"),
            ("/a/?.txt", "/a/b.txt"),
            ("/a/**/z", "/a/z"),
            ("/a/**/z", "/a/b/c/z"),
        ] {
            assert!(covers(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("**/.env", "/w/x.env"),
            ("**/.env", "/w/.env/x"),
            ("**/*.pem", "/w/pem"),
            ("/proc/**", "/w/proc/x"),
            ("~/.claude/**", "/w/.claude/worktrees/x/main.rs"),
            ("/a/?.txt", "/a/.txt"),
            ("/a/*", "/a/b/c"),
        ] {
            assert!(!covers(pattern, path), "{pattern} {path}");
        }
        assert!(!Glob::parse("~/x").unwrap().covers(Path::new("/x"), None));
    }

    #[test]
    fn a_pattern_does_not_depend_on_a_folder() {
        for text in ["secrets.txt", "", "./a", "~", "*.pem"] {
            assert!(Glob::parse(text).unwrap_err().contains("must start with"), "{text}");
        }
    }
}
