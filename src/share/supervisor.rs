//! The process between a front end and a command that it shares: `ipcd supervise -- PROGRAM ARGUMENT…`.
//!
//! A front end can be killed at any moment, and a command can start what leaves its process group and
//! outlives it. So a process of its own stands between them, which nobody but these two knows of.
//!
//! What always holds:
//! - The end of the control socket (an answer, a cancelled call, a dead front end: all the same) ends the
//!   command and everything it started. This process ends when nothing of it is left, and not before.
//! - On Linux every orphan below is handed to this process by the kernel (`PR_SET_CHILD_SUBREAPER`), so
//!   whatever left its group or session becomes a child here as soon as its parent is gone. Children are
//!   ended, then the children that this brings, until there are none. No namespace and no cgroup is
//!   needed: a client's sandbox may forbid both.
//! - On Linux signals go to own children and to their groups alone. Their numbers stay taken until they are
//!   buried here, so that no signal can meet a stranger who got the number since.
//! - The command gets no descriptor of the front end or of its client but the two that it prints to.
//!
//! It costs a command about 2 ms of processor time and 0.3 MiB of memory of its own (release build, Linux).
//!
//! What it cannot do: end what runs as another user, or what was started by another service on behalf of
//! the command; and a command that means to escape can kill this process first, which ends the command
//! itself (`PR_SET_PDEATHSIG`), and not what it started before. It keeps honest commands from leaving
//! things behind; it is no jail.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as Socket;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgid, getpid, getppid, setsid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::timeout;

/// The first argument that makes this program a supervisor.
pub const VERB: &str = "supervise";

/// The order to ask the command's group to end. The order to end everything is the end of the socket.
pub(super) const ASK_TO_END: u8 = b't';

/// Between two rounds over the children that are left. Most are gone before the first is over; one that
/// hangs in a file system is looked after for as long as it takes.
const ROUND: Duration = Duration::from_millis(1);
const ROUND_MAX: Duration = Duration::from_millis(50);

/// The last descriptor that is closed where the system does not tell which are open.
const LISTLESS_FD_MAX: i32 = 1023;

/// What the front end is told, one line each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The command runs under this number.
    Started(i32),
    /// There is no command: the error's number.
    Failed(i32),
    /// The command itself ended: its status, as the kernel writes it.
    Ended(i32),
    /// Nothing is left of what it started.
    Gone,
}

impl Report {
    pub(super) fn parse(line: &str) -> Option<Report> {
        let (word, number) = line.split_once(' ').unwrap_or((line, "0"));
        let number = number.parse().ok()?;
        match word {
            "started" => Some(Report::Started(number)),
            "failed" => Some(Report::Failed(number)),
            "ended" => Some(Report::Ended(number)),
            "gone" => Some(Report::Gone),
            _ => None,
        }
    }

    fn line(self) -> String {
        match self {
            Report::Started(pid) => format!("started {pid}\n"),
            Report::Failed(errno) => format!("failed {errno}\n"),
            Report::Ended(status) => format!("ended {status}\n"),
            Report::Gone => "gone\n".to_owned(),
        }
    }
}

/// Runs `argv` for the front end at the other end of stdin. Returns when nothing is left of it.
///
/// # Errors
/// Stdin is no socket: somebody typed this; or the system gives no signals and no sockets.
pub fn run(argv: &[OsString]) -> io::Result<()> {
    close_inherited();
    let control = Socket::from(io::stdin().as_fd().try_clone_to_owned()?);
    control.local_addr()?;
    control.set_nonblocking(true)?;
    // What is meant for the terminal of the front end is not meant for us: we learn of its end.
    let _ = setsid();
    // Without it (a sandbox may refuse) the command's group is ended, and what left that is not.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut orders, mut front_end) = UnixStream::from_std(control)?.into_split();
        let null = std::fs::File::options().write(true).open("/dev/null")?;
        // Before there is a child: none ends unnoticed.
        let mut ends = signal(SignalKind::child())?;
        let mut farewell = farewells()?;
        let leader = match spawn(argv) {
            Ok(leader) => leader,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(Errno::EINVAL as i32);
                return tell(&mut front_end, Report::Failed(errno)).await;
            }
        };
        // The pipes belong to the command: they must end with it. From here on there is something to end,
        // so nothing may fail.
        let _ = nix::unistd::dup2_stdout(&null).and_then(|()| nix::unistd::dup2_stderr(&null));
        // Who cannot be told is gone, and then there are no more orders either.
        let _ = tell(&mut front_end, Report::Started(leader.as_raw())).await;
        let mut order = [0];
        loop {
            tokio::select! {
                read = orders.read(&mut order) => match read {
                    Ok(1..) if order[0] == ASK_TO_END => {
                        let _ = killpg(leader, Signal::SIGTERM);
                    }
                    _ => break,
                },
                _ = ends.recv() => {
                    if let Some(status) = bury(leader).status {
                        let _ = tell(&mut front_end, Report::Ended(status)).await;
                    }
                }
                () = &mut farewell => break,
            }
        }
        end_all(leader, &mut ends, &mut front_end).await;
        let _ = tell(&mut front_end, Report::Gone).await;
        Ok(())
    })
}

/// Closes what a careless client left open in its children: a descriptor can hold a key, or a pipe whose
/// end somebody waits for.
fn close_inherited() {
    let number = |entry: io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let open: Vec<i32> = match std::fs::read_dir("/dev/fd") {
        Ok(list) => list.filter_map(number).filter(|number| *number > 2).collect(),
        // Where nothing lists them: those that there can be in most processes.
        Err(_) => (3..=LISTLESS_FD_MAX).collect(),
    };
    // Nothing of ours is open yet; the list itself is closed by now, and that is no error to us.
    for number in open {
        let _ = nix::unistd::close(number);
    }
}

/// Completes when somebody asks this process to end.
fn farewells() -> io::Result<std::pin::Pin<Box<dyn Future<Output = ()>>>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(Box::pin(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }))
}

async fn tell(front_end: &mut OwnedWriteHalf, report: Report) -> io::Result<()> {
    front_end.write_all(report.line().as_bytes()).await
}

#[expect(unsafe_code, reason = "there is no safe way to leave a session between fork and exec")]
fn spawn(argv: &[OsString]) -> io::Result<Pid> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let parent = getpid();
    let before_exec = move || {
        // Without a terminal a command cannot ask for a password there, or write on the agent's screen.
        setsid()?;
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the line above: nobody would end this child then.
        if getppid() != parent {
            return Err(Errno::ESRCH.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are made (setsid, prctl, getppid), no
    // memory is allocated and no lock is taken: an errno makes an error in place.
    unsafe { command.pre_exec(before_exec) };
    // The handle buries nothing when it is dropped; `bury` does.
    Ok(Pid::from_raw(command.spawn()?.id() as i32))
}

/// What a look for ended children found.
struct Buried {
    /// How the command ended, if it did now.
    status: Option<i32>,
    /// Whether there are children that run.
    left: bool,
}

/// Buries every child that has ended.
#[expect(unsafe_code, reason = "nix turns a death by a real-time signal into an error without a number")]
fn bury(leader: Pid) -> Buried {
    let mut found = Buried { status: None, left: true };
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a variable that lives through the call.
        let child = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
        match child {
            0 => return found,
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => {
                found.left = false;
                return found;
            }
            child if child == leader.as_raw() => found.status = Some(status),
            _ => {}
        }
    }
}

/// Ends the children, then the orphans that this brings, until none is left.
async fn end_all(leader: Pid, ends: &mut Signals, front_end: &mut OwnedWriteHalf) {
    let mut round = ROUND;
    loop {
        for child in children().unwrap_or_else(|| vec![leader]) {
            kill_with_group(child);
        }
        let buried = bury(leader);
        if let Some(status) = buried.status {
            let _ = tell(front_end, Report::Ended(status)).await;
        }
        if !buried.left {
            return;
        }
        let _ = timeout(round, ends.recv()).await;
        round = (round * 2).min(ROUND_MAX);
    }
}

/// The group first: the kernel reaches all of it at once, however fast it forks.
fn kill_with_group(child: Pid) {
    // Where only the command itself is known, it may be buried, and its group go on under its number.
    let group = getpgid(Some(child)).unwrap_or(child);
    // A child that has not left our own group yet is ended alone.
    if Ok(group) != getpgid(None) {
        let _ = killpg(group, Signal::SIGKILL);
    }
    let _ = kill(child, Signal::SIGKILL);
}

/// The children of this process; `None` where the system does not tell.
#[cfg(target_os = "linux")]
fn children() -> Option<Vec<Pid>> {
    let number = |word: &str| word.parse().ok().map(Pid::from_raw);
    // There is one thread, so all children are its own.
    if let Ok(list) = std::fs::read_to_string("/proc/thread-self/children") {
        return Some(list.split_whitespace().filter_map(number).collect());
    }
    // A kernel without that list: every process says who its parent is.
    let own = getpid().as_raw().to_string();
    let child = |entry: io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", name.to_str()?)).ok()?;
        // The program's name, which may hold anything, ends with the last parenthesis.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
        if parent == own { number(name.to_str()?) } else { None }
    };
    Some(std::fs::read_dir("/proc").ok()?.filter_map(child).collect())
}

#[cfg(not(target_os = "linux"))]
fn children() -> Option<Vec<Pid>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_back_as_they_were_told() {
        for report in [Report::Started(7), Report::Failed(2), Report::Ended(256), Report::Gone] {
            assert_eq!(Report::parse(report.line().trim_end()), Some(report));
        }
        for line in ["", "ended x", "gone 1 2", "hello 1"] {
            assert_eq!(Report::parse(line), None, "{line}");
        }
    }
}
