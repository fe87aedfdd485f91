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
#[cfg(unix)]
pub mod supervisor;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::protocol::refusal::{Refusal, RefusalCode};

/// What a share sends: the text and the structured part of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    pub content: String,
    pub data: Value,
}

/// What the policy says of one share, before it happens. `rule` is what says so: mostly a line of the
/// configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go ahead.
    Allow { rule: String },
    /// Ask a person where the client can ask, else go ahead.
    AskIfAble { rule: String },
    /// Ask a person; where nobody can be asked, refuse with [`unasked`].
    Ask { rule: String },
    /// Do not.
    Deny { rule: String, refusal: Refusal },
}

impl Verdict {
    /// What says so.
    pub fn rule(&self) -> &str {
        match self {
            Verdict::Allow { rule }
            | Verdict::AskIfAble { rule }
            | Verdict::Ask { rule }
            | Verdict::Deny { rule, .. } => rule,
        }
    }
}

/// How it is known that the agent is on another host than this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Whoever started the front end said so.
    Said,
    /// The front end was started by an ssh login.
    Ssh,
}

/// Longest description of what is shared, in bytes: the message has to hold it beside a whole file.
pub const DESCRIPTION_BYTES_MAX: usize = 4 << 10;

/// Whether a description can go along. Asked before anything is read or run.
///
/// # Errors
/// `too_large`.
pub fn fits(description: Option<&str>) -> Result<(), Refusal> {
    match description.map_or(0, str::len) {
        0..=DESCRIPTION_BYTES_MAX => Ok(()),
        bytes => {
            let message = format!("`description` has {bytes} bytes, the limit is {DESCRIPTION_BYTES_MAX}");
            Err(Refusal::new(RefusalCode::TooLarge, message).hint("say what it is in a few words"))
        }
    }
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
    /// This program, which watches over what it runs.
    pub ipcd: PathBuf,
    /// The agent reaches this host from another one: its own sandbox does not hold here, so nothing of
    /// this host is shared in its name.
    pub remote: Option<Remote>,
}

impl Here {
    /// This process's own folder and home, for whoever is on this host.
    ///
    /// # Errors
    /// `unreadable`: the current folder is gone.
    pub fn current() -> Result<Here, Refusal> {
        let cwd = std::env::current_dir().map_err(|error| {
            Refusal::new(RefusalCode::Unreadable, format!("the current folder cannot be used: {error}"))
        })?;
        let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
        let ipcd = this_program().map_err(|error| {
            Refusal::new(RefusalCode::Unreadable, format!("ipcd cannot find itself: {error}"))
        })?;
        Ok(Here { cwd, home, ipcd, remote: None })
    }

    /// The verdict on everything where the agent is on another host.
    fn verdict(&self) -> Option<Verdict> {
        let (rule, why) = match self.remote? {
            Remote::Said => ("ipcd mcp --remote-client", "this front end was started for a client elsewhere"),
            Remote::Ssh => ("SSH_CONNECTION", "this front end was started over ssh (SSH_CONNECTION is set)"),
        };
        let message =
            format!("{why}: files and commands of this host are not shared for an agent on another");
        let hint = "read or run it on the agent's own host and send the text; if the agent itself runs on \
                    this host, in a login by ssh, a person can start it with `ipcd mcp --local-client`";
        let refusal = Refusal::new(RefusalCode::Denied, message).hint(hint);
        Some(Verdict::Deny { rule: rule.to_owned(), refusal })
    }

    /// The absolute form of a path that an agent wrote.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(below), Some(home)) => home.join(below),
            _ => self.cwd.join(path),
        }
    }
}

/// This very program, also after another was installed over it.
fn this_program() -> std::io::Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && link.exists() {
        return Ok(link.to_owned());
    }
    std::env::current_exe()
}

#[cfg(all(test, unix))]
mod tests;
