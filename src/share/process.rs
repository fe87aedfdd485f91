//! A command and everything it started, ended together.
//!
//! What always holds: a [`Tree`] that is killed or dropped takes all of it along, and so does the end of
//! the process that holds it, however it comes. The command's stdin is empty and it has no terminal. How
//! that is brought about differs between systems, and is the whole of what differs:
//!
//! | system | how | what escapes |
//! | --- | --- | --- |
//! | Linux | a supervisor (`supervisor.rs`) that adopts every orphan and ends its children until it has none | what runs as another user (`sudo`); what kills the supervisor on purpose; work handed to another service (`systemd-run`, `at`, a container daemon) |
//! | other Unix | the same supervisor, which ends the command's process group | what leaves the group by `setsid`, too |
//! | Windows | a job that ends with this process | what is started for it by another process (`schtasks`, a service) |

use std::ffi::OsString;
use std::io;
use std::path::Path;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::Tree;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::Tree;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; minus the signal's number for a process that a signal ended.
    pub code: i32,
    /// The signal that ended it: `SIGTERM`.
    pub signal: Option<String>,
}

/// What is to run.
pub(super) struct Job<'a> {
    /// The program, found as `PATH` says, and its arguments.
    pub argv: &'a [String],
    pub folder: &'a Path,
    pub environment: Vec<(OsString, OsString)>,
    /// This program, for systems where a process of its own watches over the job.
    #[cfg_attr(windows, expect(dead_code, reason = "the system watches"))]
    pub ipcd: &'a Path,
}

/// Why nothing runs.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// The program itself: it is not there, or is none.
    Program(io::Error),
    /// What is needed to watch over it.
    Watch(io::Error),
}
