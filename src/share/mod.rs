//! Sharing a file or the output of a command with a peer.
//!
//! What always holds: this runs in the process of the agent that shares, with that agent's rights and
//! folder, never in the daemon; what the policy does not allow is refused with the name of the rule; a
//! secret is never quoted, not even in the refusal.
//!
//! A share has three steps, so that a person can be asked between them about exactly what is shared:
//! take hold of it ([`file::OpenFile::open`], [`command::Command::parse`]), judge it (`verdict`), do it
//! (`read`, `run`).

mod capture;
pub mod command;
mod environment;
pub mod file;
pub mod glob;
pub mod policy;
mod process;
mod secrets;
mod shell;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::protocol::refusal::{Refusal, RefusalCode};

/// What a share sends: the text and the structured part of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    pub content: String,
    pub data: Value,
}

/// What the policy says of one share, before it happens. `rule` is the config line that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go ahead.
    Allow { rule: String },
    /// Ask a person where the client can ask, else go ahead.
    AskIfAble { rule: String },
    /// Ask a person; where nobody can be asked, refuse with [`unasked`].
    Ask { rule: String },
    /// Do not.
    Deny(Refusal),
}

/// The refusal for a share that needs a yes, from a client that cannot ask for one.
pub fn unasked(rule: &str) -> Refusal {
    Refusal::new(
        RefusalCode::Denied,
        format!("{rule} wants a person's yes, and this client cannot ask for it"),
    )
    .hint("a person can change the rule in ipcd's config.toml, or run `ipcd share` at a terminal")
}

/// The refusal for a share that a person, asked, did not want.
pub fn declined(rule: &str) -> Refusal {
    Refusal::new(RefusalCode::Denied, format!("{rule}: the person who was asked said no"))
        .hint("do not ask again for the same thing; say what it is for, or go on without it")
}

/// Where the sharing agent stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// Relative paths begin here, commands run here.
    pub cwd: PathBuf,
    /// The user's home, free of links: what `~` in a rule or in a path means.
    pub home: Option<PathBuf>,
}

impl Here {
    /// This process's own folder and home.
    ///
    /// # Errors
    /// `unreadable`: the current folder is gone.
    pub fn current() -> Result<Here, Refusal> {
        let cwd = std::env::current_dir().map_err(|error| {
            Refusal::new(RefusalCode::Unreadable, format!("the current folder cannot be used: {error}"))
        })?;
        let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
        Ok(Here { cwd, home })
    }

    /// The absolute form of a path that an agent wrote.
    fn absolute(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(below), Some(home)) => home.join(below),
            _ => self.cwd.join(path),
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
