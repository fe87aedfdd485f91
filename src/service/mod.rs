//! ipcd as a service of the user's own service manager: which files say so, and which commands make it so.
//!
//! What always holds: nothing here touches a file or runs a command; a [`Plan`] is data that can be shown,
//! and doing it twice changes nothing the second time. A file that ipcd did not write is never written over,
//! and none but its own is removed. Mail is nowhere near.

mod encoding;
mod launchd;
mod systemd;
mod tasks;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::protocol::refusal::{Refusal, RefusalCode};

pub use encoding::{Encoding, text_of};

/// First words of each file that is written here, so that it is known again.
pub const MARK: &str = "Written by `ipcd service install`";

/// Programs that start daemons for a user, and keep their sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    Systemd,
    Launchd,
    /// The task scheduler of Windows, which starts a daemon at logon and keeps no socket.
    Tasks,
}

/// What a plan depends on.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// This program, by the path that stays over an update.
    pub program: PathBuf,
    pub home: PathBuf,
    /// `~/.config`, or where the user has it.
    pub config: PathBuf,
    pub state: PathBuf,
    pub socket: PathBuf,
    pub log: PathBuf,
    /// The user, as launchd (a number) or the task scheduler (`DOMAIN\name`) knows it.
    pub user: String,
}

/// Reads a file, if it is there.
pub type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// One thing to do, in the form of `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A folder for the user alone.
    Folder(PathBuf),
    Write {
        path: PathBuf,
        text: String,
        #[serde(skip_serializing_if = "Encoding::is_usual")]
        encoding: Encoding,
    },
    Remove(PathBuf),
    Run(Run),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub command: Vec<String>,
    /// To be tried if the first one fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Vec<String>>,
    /// There may be nothing for it to do, which it calls a failure.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_fail: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct State {
    pub installed: bool,
    /// The manager holds the socket.
    pub listening: bool,
    pub running: bool,
    /// The file that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The program that is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// It was given up by the manager, and this brings it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Manager {
    /// The one of this system.
    pub const HERE: Option<Manager> = if cfg!(target_os = "linux") {
        Some(Manager::Systemd)
    } else if cfg!(target_os = "macos") {
        Some(Manager::Launchd)
    } else if cfg!(windows) {
        Some(Manager::Tasks)
    } else {
        None
    };

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Manager::Systemd => "systemd",
            Manager::Launchd => "launchd",
            Manager::Tasks => "the task scheduler",
        }
    }

    /// # Errors
    /// A file that somebody else wrote is in the way, or a path cannot be written in the manager's language.
    pub fn install(self, place: &Place, read: Read) -> Result<Plan, Refusal> {
        match self {
            Manager::Systemd => systemd::install(place, read),
            Manager::Launchd => launchd::install(place, read),
            Manager::Tasks => tasks::install(place, read),
        }
    }

    pub fn uninstall(self, place: &Place, read: Read) -> Plan {
        match self {
            Manager::Systemd => systemd::uninstall(place, read),
            Manager::Launchd => launchd::uninstall(place, read),
            Manager::Tasks => tasks::uninstall(place, read),
        }
    }

    /// The file of the user's own that says which program is started, if it is there.
    pub fn file(self, place: &Place) -> PathBuf {
        match self {
            Manager::Systemd => systemd::service_unit(place),
            Manager::Launchd => launchd::list(place),
            Manager::Tasks => tasks::file(place),
        }
    }

    /// The program that such a file has the manager start.
    pub fn started(self, text: &str) -> Option<PathBuf> {
        match self {
            Manager::Systemd => systemd::started(text),
            Manager::Launchd => launchd::started(text),
            Manager::Tasks => tasks::started(text),
        }
    }

    /// Commands to ask in turn until one succeeds, whose output [`Manager::state`] understands.
    pub fn questions(self, place: &Place) -> Vec<Vec<String>> {
        match self {
            Manager::Systemd => vec![systemd::question()],
            Manager::Launchd => launchd::questions(place).into(),
            Manager::Tasks => vec![tasks::question()],
        }
    }

    /// What the answer says; `None`: no command succeeded.
    pub fn state(self, said: Option<&str>, place: &Place, read: Read) -> State {
        match self {
            Manager::Systemd => systemd::state(said.unwrap_or_default()),
            Manager::Launchd => launchd::state(said),
            Manager::Tasks => tasks::state(said, || read(&tasks::file(place))),
        }
    }

    /// The command that prints the daemon's log, where the manager keeps one.
    pub fn logs(self, lines: u32, follow: bool) -> Option<Vec<String>> {
        (self == Manager::Systemd).then(|| systemd::logs(lines, follow))
    }
}

impl Plan {
    /// Writes a file of ours, unless it is there as it should be.
    fn write(&mut self, path: PathBuf, text: String, encoding: Encoding, read: Read) -> Result<(), Refusal> {
        match read(&path) {
            Some(there) if there == text => return Ok(()),
            Some(there) if !there.contains(MARK) => {
                return Err(Refusal::new(
                    RefusalCode::InvalidArgument,
                    format!("`{}` is there, and ipcd did not write it", path.display()),
                )
                .hint("move it away, and try again"));
            }
            _ => {}
        }
        self.steps.push(Step::Write { path, text, encoding });
        Ok(())
    }

    /// Removes a file, if it is there and ours.
    fn remove(&mut self, path: PathBuf, read: Read) {
        if read(&path).is_some_and(|text| text.contains(MARK)) {
            self.steps.push(Step::Remove(path));
        }
    }

    fn run(&mut self, command: &[&str]) {
        self.steps.push(Step::Run(Run { command: words(command), otherwise: None, may_fail: false }));
    }

    fn try_to_run(&mut self, command: &[&str]) {
        self.steps.push(Step::Run(Run { command: words(command), otherwise: None, may_fail: true }));
    }
}

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

/// A path as text; one that is none, or has a line break in it, fits into no file here.
fn plain(path: &Path) -> Result<&str, Refusal> {
    path.to_str().filter(|text| !text.contains(char::is_control)).ok_or_else(|| {
        Refusal::invalid_argument(format!("the path `{}` cannot be written down", path.display()))
            .hint("move it to a folder with a plain name")
    })
}

/// Text inside an XML element.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The first element of this name, its text read: the way back of [`xml`].
fn element(document: &str, name: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(text.replace("&amp;", "&")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
