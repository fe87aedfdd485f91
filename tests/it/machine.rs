//! What depends on the machine: programs that may be missing, rights that not everybody has, processes
//! that belong to nobody's children.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::world::{Said, World, runs};

/// Says that a part of a test did not happen here, past the test runner's capture, and counts it.
pub fn skip(what: &str, why: &str) {
    static SKIPPED: AtomicU32 = AtomicU32::new(0);
    let number = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let _ = writeln!(std::io::stderr(), "skipped ({number}): {what}: {why}");
}

/// Whether this is root, and really: in a user namespace other users cannot be had.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
        && std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| {
            let mut numbers = map.split_whitespace();
            numbers.next() == Some("0") && numbers.nth(1).is_some_and(|count| count.len() > 5)
        })
}

/// Whether a program can be run.
pub fn there_is(program: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok()
}

/// Starts a command and does not wait for its end.
pub fn spawn(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program runs")
}

/// What such a command printed, once it has ended.
pub fn ended(child: Child) -> Said {
    Said::of(child.wait_with_output().expect("it ends"))
}

impl World {
    /// The pid in the note of the daemon's lock: the daemon's, once one serves.
    pub fn noted_pid(&self) -> i32 {
        let note = std::fs::read_to_string(self.state().join("ipcd.lock")).unwrap_or_default();
        note.lines().next().and_then(|line| line.parse().ok()).unwrap_or_default()
    }

    /// [`World::noted_pid`], if that is a daemon of this world still, and not dead.
    pub fn serving_pid(&self) -> Option<i32> {
        Some(self.noted_pid()).filter(|pid| is_daemon(*pid, self.home()))
    }

    /// All daemons of this world that run now.
    pub fn daemons(&self) -> Vec<i32> {
        let processes = std::fs::read_dir("/proc").expect("the process table").filter_map(Result::ok);
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| is_daemon(*pid, self.home()) && runs(*pid)).collect()
    }
}

fn is_daemon(pid: i32, home: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = command.split(|b| *b == 0).collect();
    let program = words.first().is_some_and(|word| word.ends_with(b"/ipcd"));
    program && words.get(1) == Some(&&b"daemon"[..]) && belongs(pid, home)
}

fn belongs(pid: i32, home: &Path) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mark = format!("IPCD_HOME={}", home.display());
    environment.split(|b| *b == 0).any(|variable| variable == mark.as_bytes())
}
