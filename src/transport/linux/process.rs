//! Facts about a process as Linux tells them, in `/proc`.
//!
//! What always holds: a process is looked at through its folder, which is never that of another.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::stat::{Mode, fstat};

use super::super::wrapper::passes_on;
use super::{ANCESTORS_MAX, Ancestor, ProcessFacts, Stream};

/// Bytes of a command line that are looked at: the program and its first options.
const CMDLINE_BYTES_MAX: u64 = 4096;

/// Bytes of what the kernel tells in one line. The longest that it has are shorter.
const LINE_BYTES_MAX: usize = 4096;

/// Bytes of an environment that are looked at. The kernel's own limit for one is larger; no shell's is.
const ENVIRONMENT_BYTES_MAX: u64 = 1 << 20;

/// How this process sees others.
struct View {
    boot: String,
    /// Mount, user and PID namespace, by their names for readers: `mnt:[4026531841]`.
    namespaces: [String; 3],
}

const NAMESPACES: [&str; 3] = ["ns/mnt", "ns/user", "ns/pid"];

/// `None`: `/proc` is not that of our PID namespace, and its numbers are not those of our peers.
fn view() -> Option<&'static View> {
    static VIEW: OnceLock<Option<View>> = OnceLock::new();
    VIEW.get_or_init(|| {
        let pid = std::process::id();
        if fs::read_link("/proc/self").ok()?.to_str() != Some(pid.to_string().as_str()) {
            return None;
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let own = Process::open(pid).ok()?;
        let [mnt, user, namespace] = NAMESPACES.map(|name| own.link(name).ok());
        let namespaces = [mnt?, user?, namespace?];
        // The number in it alone: `pid:[4026531836]`.
        let number = namespaces[2].trim_matches(|c: char| !c.is_ascii_digit());
        Some(View { boot: format!("{}:{number}", boot.trim_end()), namespaces })
    })
    .as_ref()
}

/// An environment variable that a process of this user was started with.
pub fn variable(pid: u32, name: &str) -> Option<std::ffi::OsString> {
    use std::os::unix::ffi::OsStrExt;
    let environment = Process::open(pid).ok()?.told("environ", ENVIRONMENT_BYTES_MAX).ok()?;
    let mut pairs = environment.split(|byte| *byte == 0);
    let value = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(std::ffi::OsStr::from_bytes(value).to_owned())
}

/// Facts about the process `pid` as it is now.
pub fn of(pid: u32) -> Option<ProcessFacts> {
    let view = view()?;
    let process = Process::open(pid).ok()?;
    let stat = process.stat().ok()?.filter(Stat::runs)?;
    let sandboxed = NAMESPACES.iter().zip(&view.namespaces).any(|(name, ours)| {
        // Hidden is not other: a process may hide for many reasons.
        process.link(name).is_ok_and(|theirs| theirs != *ours)
    });
    let facts = ProcessFacts {
        pid,
        start: stat.start,
        boot: view.boot.clone(),
        exe: process.link("exe").ok(),
        cwd: process.link("cwd").ok(),
        sandboxed,
        interactive: stat.tty != 0,
        session: stat.session,
        ancestors: ancestors(&stat),
    };
    process.runs().then_some(facts)
}

/// Facts about the process that connected. `None` if it is gone, or not to be seen from here.
pub fn of_peer(stream: &Stream) -> Option<ProcessFacts> {
    let Stream::UdSocket(socket) = stream;
    let socket = socket.as_fd();
    let pid = u32::try_from(getsockopt(&socket, sockopt::PeerCredentials).ok()?.pid()).ok()?;
    let facts = of(pid)?;
    // Kernels since 6.5 hold on to the process that connected: if it lives now, the facts are its own.
    if let Ok(process) = getsockopt(&socket, sockopt::PeerPidfd) {
        let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        if nix::poll::poll(&mut ended, PollTimeout::ZERO) != Ok(0) {
            return None;
        }
    }
    Some(facts)
}

/// Whether the process still runs: the same one, in the same boot, and not a zombie.
///
/// One that cannot be looked at, for want of a descriptor or of memory, is not known to be gone: a living one
/// would lose its name over it.
pub fn is_alive(pid: u32, start: u64, boot: &str) -> bool {
    let found = || Process::open(pid)?.stat();
    view().is_some_and(|view| view.boot == boot)
        && match found() {
            Ok(stat) => stat.is_some_and(|stat| stat.start == start && stat.runs()),
            Err(error) => !is_gone(error),
        }
}

/// Whether `pid` runs the program that this process runs, or another build of it. A daemon shows no
/// path of its program (see [`armour`](super::super::armour)), but its name.
pub fn is_of_this_program(pid: u32) -> bool {
    let name = |process: &Process| process.line("comm").ok();
    let (Ok(theirs), Ok(own)) = (Process::open(pid), Process::open(std::process::id())) else {
        return false;
    };
    theirs.is_ours() && theirs.runs() && name(&theirs) == name(&own)
}

/// A hello has all processes above its peer looked at: what each takes of calls adds up.
fn ancestors(child: &Stat) -> Vec<Ancestor> {
    let mut found = Vec::new();
    let (mut pid, mut born) = (child.parent, child.start);
    while pid != 0 && found.len() < ANCESTORS_MAX {
        let Ok(process) = Process::open(pid) else { break };
        // Before what proves that it lives: the folder of one that ended is root's.
        let is_ours = process.is_ours();
        // Nobody is younger than its child; a pid that was used again is.
        let Some(stat) = process.stat().ok().flatten().filter(|stat| stat.start <= born) else { break };
        let was_asked = Cell::new(false);
        let arguments = || {
            was_asked.set(true);
            process.command_line()
        };
        let wrapper = match process.link("exe") {
            _ if !is_ours => true,
            Err(error) if is_gone(error) => break,
            exe => passes_on(exe.ok().filter(|_| !stat.is_npm).as_deref(), arguments),
        };
        // Of one that ended meanwhile no arguments are told.
        if was_asked.get() && !process.runs() {
            break;
        }
        found.push(Ancestor { pid, start: stat.start, wrapper, session: stat.session });
        (pid, born) = (stat.parent, stat.start);
    }
    found
}

fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::ENOENT | Errno::ESRCH)
}

/// The folder of one process in `/proc`. Once open, it is never that of another: of a process that ended it
/// tells nothing.
struct Process(OwnedFd);

impl Process {
    fn open(pid: u32) -> nix::Result<Process> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open(format!("/proc/{pid}").as_str(), flags, Mode::empty()).map(Process)
    }

    /// Whether it runs as this user: the folder's owner is its effective one, which of what is in the folder
    /// cannot be said (`task_dump_owner` in the kernel's `fs/proc/base.c`).
    fn is_ours(&self) -> bool {
        fstat(&self.0).is_ok_and(|folder| folder.st_uid == super::super::own_uid())
    }

    fn stat(&self) -> nix::Result<Option<Stat>> {
        Ok(Stat::parse(&self.line("stat")?))
    }

    /// One that cannot be looked at, for want of a descriptor or of memory, is not known to have ended.
    fn runs(&self) -> bool {
        match self.stat() {
            Ok(stat) => stat.is_some_and(|stat| stat.runs()),
            Err(error) => !is_gone(error),
        }
    }

    fn link(&self, name: &str) -> nix::Result<String> {
        readlinkat(&self.0, name).map(|target| target.to_string_lossy().into_owned())
    }

    fn command_line(&self) -> Vec<String> {
        let bytes = self.told("cmdline", CMDLINE_BYTES_MAX).unwrap_or_default();
        bytes.split(|b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }

    /// What the kernel tells in one piece.
    fn line(&self, name: &str) -> nix::Result<Vec<u8>> {
        let mut bytes = vec![0; LINE_BYTES_MAX];
        let length = nix::unistd::read(self.file(name)?, &mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// At most `most` bytes of what may come in many.
    fn told(&self, name: &str, most: u64) -> std::io::Result<Vec<u8>> {
        // std begins with 32 bytes otherwise, for the length is said to be 0.
        let mut bytes = Vec::with_capacity(LINE_BYTES_MAX);
        File::from(self.file(name)?).take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn file(&self, name: &str) -> nix::Result<OwnedFd> {
        openat(&self.0, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
    }
}

/// What `/proc/PID/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: u8,
    /// npm gave itself another title, whatever runs it: its program does not tell what it does.
    is_npm: bool,
    parent: u32,
    session: Option<u32>,
    tty: i32,
    start: u64,
}

impl Stat {
    /// The second field is a name in parentheses that may hold spaces, parentheses and newlines.
    fn parse(text: &[u8]) -> Option<Stat> {
        let name_end = text.iter().rposition(|b| *b == b')')?;
        let name = text[..name_end].splitn(2, |b| *b == b'(').nth(1)?;
        let rest = std::str::from_utf8(&text[name_end + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Stat {
            state: *field(3)?.as_bytes().first()?,
            is_npm: name.starts_with(b"npm ") || name.starts_with(b"npx "),
            parent: field(4)?.parse().ok()?,
            // 0: its leader is in a PID namespace that is not shown here.
            session: field(6)?.parse().ok().filter(|session| *session != 0),
            tty: field(7)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
        })
    }

    fn runs(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn run(program: &str, arguments: &[&str]) -> Child {
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn a_name_may_hold_anything() {
        let text = b"42 (a) R 7 (\n)) S 17 42 42 34816 42 4194304 0 0 0 0 0 0 0 0 20 0 1 0 139337 0 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(
            stat,
            Stat { state: b'S', is_npm: false, parent: 17, session: Some(42), tty: 34816, start: 139_337 }
        );
        let npm = Stat::parse(b"42 (npm exec @x/y) S 17 42 42 0 42 4194304 0 0 0 0 0 0 0 0 20 0 1 0 7 0 0")
            .unwrap();
        assert!(npm.is_npm);
        for broken in
            [&b""[..], b"42 (a", b"42 (a) S 17", b"42 (a) S x 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"]
        {
            assert_eq!(Stat::parse(broken), None);
        }
    }

    #[test]
    fn this_process_is_seen() {
        let facts = of(std::process::id()).unwrap();
        assert!(is_alive(facts.pid, facts.start, &facts.boot));
        assert!(!is_alive(facts.pid, facts.start + 1, &facts.boot));
        assert!(!is_alive(facts.pid, facts.start, "another boot"));
        assert_eq!(facts.cwd, Some(std::env::current_dir().unwrap().to_string_lossy().into_owned()));
        assert_eq!(facts.exe, Some(std::env::current_exe().unwrap().to_string_lossy().into_owned()));
        assert!(!facts.sandboxed);
        assert!(facts.ancestors.len() <= ANCESTORS_MAX);
    }

    #[test]
    fn a_child_has_this_process_above_it_and_a_shell_between_is_a_wrapper() {
        // The shell stays, for it has something to do after `cat`.
        let mut shell = run("sh", &["-c", "sh -c 'echo $$; cat; :'; :"]);
        let mut line = String::new();
        let stdout = shell.stdout.as_mut().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let facts = of(line.trim().parse().unwrap()).unwrap();
        let [outer, ours] = facts.ancestors[..2] else { panic!("{facts:?}") };
        assert_eq!((outer.pid, outer.wrapper), (shell.id(), true));
        assert_eq!((ours.pid, ours.wrapper), (std::process::id(), false));
        let own = of(std::process::id()).unwrap().session;
        assert_eq!((facts.session, outer.session, ours.session), (own, own, own));
        assert!(facts.ancestors.is_sorted_by(|a, b| a.start >= b.start));
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert_eq!(of(facts.pid), None);
        assert!(!is_alive(facts.pid, facts.start, &facts.boot));
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_gone() {
        for (code, gone) in [(Errno::ENOENT, true), (Errno::ESRCH, true), (Errno::EMFILE, false)] {
            assert_eq!(is_gone(code), gone, "{code}");
        }
    }

    #[test]
    fn a_zombie_is_gone() {
        let mut child = run("cat", &[]);
        let facts = of(child.id()).unwrap();
        child.kill().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while is_alive(facts.pid, facts.start, &facts.boot) {
            assert!(std::time::Instant::now() < deadline, "a killed process stays alive");
            std::thread::yield_now();
        }
        assert!(Process::open(facts.pid).is_ok(), "it was not waited for yet");
        assert_eq!(of(facts.pid), None);
        child.wait().unwrap();
    }
}
