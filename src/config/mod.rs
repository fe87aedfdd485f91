//! The configuration: defaults, then `config.toml`, then the environment. Flags go over it where they are
//! parsed.
//!
//! What always holds: a [`Config`] in hand is valid; the file is only ever read from the user's own
//! folder, and only if nobody else can write to it; a key that ipcd does not know is an error and not a
//! silent nothing.

mod file;
mod value;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::broker::limits::Limits;
use crate::protocol::name::Name;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::share::policy::{CommandPolicy, FilePolicy};

/// Largest config file, in bytes: the documented one is 4 KiB.
const CONFIG_BYTES_MAX: u64 = 256 << 10;

/// Idle exits faster than this trip the start limits of service managers.
const IDLE_EXIT_MIN: Duration = Duration::from_millis(100);

/// What the user set, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    limits: Limits,
    /// Clients connected at once: each costs the daemon two buffers and a descriptor.
    pub sessions: usize,
    /// How long read mail stays in the history; zero = none is kept.
    pub history: Duration,
    pub commit: Commit,
    pub identity: Identity,
    pub share_file: FilePolicy,
    pub share_command: CommandPolicy,
    pub wake: Wake,
    pub daemon: Daemon,
    pub audit: Audit,
}

/// How redb commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Commit {
    /// One sync: safe against a crash of the process at any moment.
    #[default]
    OnePhase,
    /// Two syncs: safe against power loss together with bit rot.
    TwoPhase,
}

/// Under which name an agent starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Register at start under a name from the folder.
    pub auto_register: bool,
    /// The name to take instead. `IPCD_NAME` goes before the file.
    pub name: Option<Name>,
}

/// Which idle agents are woken when mail comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wake {
    /// Off: nobody is woken.
    pub enabled: bool,
    pub claude: bool,
    pub codex: bool,
    pub copilot: bool,
    pub cursor: bool,
    pub gemini: bool,
    pub opencode: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// The daemon ends when nobody was connected for so long; `None`: never.
    pub idle_exit: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Write bodies into the audit log too.
    pub bodies: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limits: Limits::default(),
            sessions: 256,
            history: Duration::from_secs(7 * 86_400),
            commit: Commit::default(),
            identity: Identity { auto_register: true, name: None },
            share_file: FilePolicy::default(),
            share_command: CommandPolicy::default(),
            wake: Wake::default(),
            daemon: Daemon { idle_exit: Some(Duration::from_secs(600)) },
            audit: Audit::default(),
        }
    }
}

impl Default for Wake {
    fn default() -> Wake {
        Wake {
            enabled: true,
            claude: true,
            codex: true,
            copilot: true,
            cursor: true,
            gemini: true,
            opencode: true,
        }
    }
}

impl Wake {
    /// Whether agents of `client` (`claude`, `codex` …) are woken.
    pub fn rings(&self, client: &str) -> bool {
        let wanted = match client {
            "claude" => self.claude,
            "codex" => self.codex,
            "copilot" => self.copilot,
            "cursor" => self.cursor,
            "gemini" => self.gemini,
            "opencode" => self.opencode,
            _ => true,
        };
        self.enabled && wanted
    }
}

impl Config {
    /// Reads the file at `path`, if there is one, and the environment.
    ///
    /// # Errors
    /// - `unsafe_directory`: others can write to the file, or it belongs to somebody else.
    /// - `unreadable`, `not_a_file`, `too_large`: it cannot be read.
    /// - `invalid_argument`: it does not parse; file, line and column are told.
    /// - `invalid_name`: `IPCD_NAME` is not a name.
    pub fn load(path: &Path) -> Result<Config, Refusal> {
        let text = read(path)?;
        Config::parse(&text, path)?.with_env(&|name| std::env::var_os(name))
    }

    /// Parses the text of a config file; `path` is only named in errors.
    ///
    /// # Errors
    /// `invalid_argument`, with line and column.
    pub fn parse(text: &str, path: &Path) -> Result<Config, Refusal> {
        let file: file::File = toml::from_str(text).map_err(|error| misread(text, path, &error))?;
        let config = file.config();
        let at = path.display();
        if config.daemon.idle_exit.is_some_and(|idle| idle < IDLE_EXIT_MIN) {
            return Err(Refusal::invalid_argument(format!("{at}: idle_exit_s must be 0 or at least 0.1")));
        }
        if config.share_command.timeout.is_zero() {
            return Err(Refusal::invalid_argument(format!("{at}: timeout_s must be more than 0")));
        }
        Ok(config)
    }

    /// Puts the environment over the file.
    ///
    /// # Errors
    /// `invalid_name`: `IPCD_NAME` is set and not a name.
    pub fn with_env(mut self, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Config, Refusal> {
        if let Some(name) = env("IPCD_NAME").filter(|name| !name.is_empty()) {
            let name = Name::parse(&name.to_string_lossy()).map_err(|refusal| Refusal {
                message: format!("IPCD_NAME: {}", refusal.message),
                ..refusal
            })?;
            self.identity.name = Some(name);
        }
        Ok(self)
    }

    /// What the broker allows.
    pub fn limits(&self) -> Limits {
        self.limits.clone()
    }

    /// A file with every key, its default and what it means: all commented out, so that nobody keeps
    /// today's defaults by accident.
    pub fn documented_toml() -> String {
        include_str!("default.toml").to_owned()
    }
}

/// The text of the file; empty where there is none.
fn read(path: &Path) -> Result<String, Refusal> {
    let at = path.display();
    let unreadable = |error: io::Error| {
        Refusal::new(RefusalCode::Unreadable, format!("the configuration {at} cannot be read: {error}"))
    };
    // Asked before it is opened: opening a FIFO would wait for its writer.
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(unreadable(error)),
        Ok(found) if !found.is_file() => {
            return Err(Refusal::new(
                RefusalCode::NotAFile,
                format!("the configuration {at} is not a regular file"),
            ));
        }
        Ok(_) => {}
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    private(&file.metadata().map_err(unreadable)?, path)?;
    let mut text = String::new();
    file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        let message = format!("the configuration {at} is over {CONFIG_BYTES_MAX} bytes");
        return Err(Refusal::new(RefusalCode::TooLarge, message));
    }
    Ok(text)
}

#[cfg(unix)]
fn private(found: &std::fs::Metadata, path: &Path) -> Result<(), Refusal> {
    use std::os::unix::fs::MetadataExt;
    let at = path.display();
    let unsafe_file = |why: &str| {
        Refusal::new(RefusalCode::UnsafeDirectory, format!("the configuration {at} {why}")).hint(
            "what it says decides which files and commands may be shared: make it yours alone, mode 600",
        )
    };
    let us = nix::unistd::Uid::effective().as_raw();
    if found.uid() != us && found.uid() != 0 {
        return Err(unsafe_file("belongs to another user"));
    }
    if found.mode() & 0o022 != 0 {
        return Err(unsafe_file("can be written by others"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(_found: &std::fs::Metadata, _path: &Path) -> Result<(), Refusal> {
    Ok(())
}

/// Says where the file is wrong, in a form that editors jump to, and shows the line: the key is in it.
fn misread(text: &str, path: &Path, error: &toml::de::Error) -> Refusal {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before[line_start..].chars().count() + 1;
    let shown: String =
        text[line_start..].lines().next().unwrap_or_default().trim().chars().take(80).collect();
    let what = error.message().trim_end().replace('\n', ", ");
    Refusal::invalid_argument(format!("{}:{line}:{column}: {what} in `{shown}`", path.display()))
        .hint("correct the line or remove it: every key is optional")
}
