//! Facts about a process, taken from the kernel.
//!
//! What always holds: facts of two processes are never mixed, even when a pid is used again while they
//! are read; ids of one boot and PID namespace never match those of another; what cannot be known is
//! absent. A process can shed its ancestors (double fork, tmux): these facts name honest peers, they
//! keep nobody out.

use super::Stream;

/// What is known of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessFacts {
    pub pid: u32,
    /// When the process started, in a unit of the system.
    pub start: u64,
    /// The boot of this machine and our PID namespace: pids and starts mean something within it alone.
    pub boot: String,
    pub exe: Option<String>,
    pub cwd: Option<String>,
    /// It was seen to live in another mount, user or PID namespace than this process.
    pub sandboxed: bool,
    /// It has a controlling terminal.
    pub interactive: bool,
    /// The session (in the sense of `setsid`) that it is in: that of a terminal, a login, a service. It
    /// stays when the processes above it are gone.
    pub session: Option<u32>,
    /// Nearest first, at most [`ANCESTORS_MAX`]; of the same boot.
    pub ancestors: Vec<Ancestor>,
}

/// A process above another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ancestor {
    pub pid: u32,
    pub start: u64,
    /// It only passes another program on (`sh -c`, `npx`, `env`, an init), or belongs to another user.
    pub wrapper: bool,
    pub session: Option<u32>,
}

/// Processes above one that are looked at. Deeper nests are no agent's.
pub const ANCESTORS_MAX: usize = 32;

#[cfg(target_os = "linux")]
#[path = "linux/process.rs"]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{is_alive, is_of_this_program, of, of_peer, variable};

#[cfg(target_os = "macos")]
#[path = "macos/process.rs"]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::{is_alive, of, of_peer};

#[cfg(windows)]
#[path = "windows/process.rs"]
mod windows;
#[cfg(windows)]
pub use windows::{is_alive, of, of_peer};

#[cfg(all(test, not(target_os = "macos")))]
#[path = "macos/arguments.rs"]
mod arguments_of_macos;

/// Whether `pid` runs the program that this process runs, or another build of it.
#[cfg(not(target_os = "linux"))]
pub fn is_of_this_program(pid: u32) -> bool {
    let name = |path: std::path::PathBuf| path.file_name().map(std::ffi::OsStr::to_owned);
    let theirs = of(pid).and_then(|facts| facts.exe).and_then(|exe| name(exe.into()));
    theirs.is_some() && theirs == std::env::current_exe().ok().and_then(name)
}

/// An environment variable that a process of this user was started with.
#[cfg(not(target_os = "linux"))]
pub fn variable(_pid: u32, _name: &str) -> Option<std::ffi::OsString> {
    None
}
