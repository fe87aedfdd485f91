//! What may be shared: the policies that the config file sets and their defaults.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::glob::Glob;

/// Paths that hold secrets by convention. `**/id_*` would also cover ordinary sources, and a key
/// under another name is found by its content.
pub const DENIED_PATHS: [&str; 40] = [
    "**/.ssh/**",
    "**/.gnupg/**",
    "**/.aws/**",
    "**/.azure/**",
    "**/.kube/**",
    "**/.config/gcloud/**",
    "**/.config/gh/hosts.yml",
    "**/.docker/config.json",
    "**/.netrc",
    "**/.npmrc",
    "**/.pypirc",
    "**/.pgpass",
    "**/.git-credentials",
    "**/.git/config",
    "**/.cargo/credentials",
    "**/.cargo/credentials.toml",
    "**/.vault-token",
    "**/.env",
    "**/.env.*",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
    "**/*.pfx",
    "**/*.kdbx",
    "**/id_rsa",
    "**/id_dsa",
    "**/id_ecdsa",
    "**/id_ecdsa_sk",
    "**/id_ed25519",
    "**/id_ed25519_sk",
    "**/.credentials.json",
    "**/.claude.json",
    // Not every `.claude` folder: agents keep whole working trees in the one of a project.
    "~/.claude/**",
    "~/.codex/**",
    "~/.gemini/**",
    "/etc/shadow*",
    "/etc/gshadow*",
    "/proc/**",
    "/dev/**",
    "/sys/**",
];

/// `[share_file]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilePolicy {
    /// Where files may come from.
    pub mode: FileMode,
    /// In mode `roots`: the folders that files may come from. Empty: the agent's folder and the top of
    /// its git working tree.
    pub roots: Vec<Root>,
    /// Paths that are never shared, in any mode. Replaces the built-in list.
    pub deny: Vec<Glob>,
    /// Refuse files that hold what looks like a key or a token.
    pub scan_secrets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileMode {
    /// Whatever the agent can read.
    Any,
    /// What stands below a root.
    Roots,
    /// A person is asked each time.
    Ask,
    /// Nothing.
    Off,
}

/// A folder that files may come from: absolute, or below the home by `~/`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Root(PathBuf);

/// `[share_command]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandPolicy {
    pub mode: CommandMode,
    /// In mode `allowlist`: commands that may run, with whatever arguments follow.
    pub allow: Vec<ArgvPrefix>,
    /// After so long the command and its children are ended.
    pub timeout: Duration,
    /// Bytes of output that are sent, half of them for each stream; the middle of more is left out.
    pub max_output_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandMode {
    /// A person is asked where the agent can ask one; else the command runs.
    Auto,
    /// Commands run unasked.
    Allow,
    /// A person is asked; where that is impossible, nothing runs.
    Ask,
    /// Only the commands of the list run.
    Allowlist,
    /// Nothing runs.
    Off,
}

/// The first words of a command, at least one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct ArgvPrefix(Vec<String>);

impl Default for FilePolicy {
    fn default() -> FilePolicy {
        let deny = DENIED_PATHS.iter().map(|text| Glob::parse(text).expect("the built-in patterns parse"));
        FilePolicy { mode: FileMode::Any, roots: Vec::new(), deny: deny.collect(), scan_secrets: true }
    }
}

impl Default for CommandPolicy {
    fn default() -> CommandPolicy {
        CommandPolicy {
            mode: CommandMode::Auto,
            allow: Vec::new(),
            timeout: Duration::from_secs(30),
            max_output_bytes: 64 << 10,
        }
    }
}

impl Root {
    /// The folder itself; `None` where there is no home to stand below.
    pub fn below(&self, home: Option<&Path>) -> Option<PathBuf> {
        match self.0.strip_prefix("~") {
            Ok(rest) => Some(home?.join(rest)),
            Err(_) => Some(self.0.clone()),
        }
    }
}

impl TryFrom<String> for Root {
    type Error = String;

    fn try_from(text: String) -> Result<Root, String> {
        let path = PathBuf::from(&text);
        if path.is_absolute() || path.starts_with("~") {
            return Ok(Root(path));
        }
        Err(format!("the root {text:?} must be absolute or start with ~/"))
    }
}

impl ArgvPrefix {
    pub fn begins(&self, argv: &[String]) -> bool {
        argv.starts_with(&self.0)
    }
}

impl fmt::Display for ArgvPrefix {
    /// As it stands in the configuration: `["git", "log"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl TryFrom<Vec<String>> for ArgvPrefix {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<ArgvPrefix, String> {
        if words.first().is_none_or(String::is_empty) {
            return Err("an allowed command needs at least its program".to_owned());
        }
        Ok(ArgvPrefix(words))
    }
}
