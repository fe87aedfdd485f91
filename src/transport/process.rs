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

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    use std::sync::OnceLock;

    use nix::poll::{PollFd, PollFlags, PollTimeout};
    use nix::sys::socket::{getsockopt, sockopt};

    use super::super::wrapper::passes_on;
    use super::{ANCESTORS_MAX, Ancestor, ProcessFacts, Stream};

    /// Bytes of a command line that are looked at: the program and its first options.
    const CMDLINE_BYTES_MAX: u64 = 4096;

    /// Bytes of what is told in a fixed form. The kernel's longest, with the groups of a process, is shorter.
    const FACTS_BYTES_MAX: u64 = 1 << 20;

    /// Bytes of an environment that are looked at. The kernel's own limit for one is larger; no shell's is.
    const ENVIRONMENT_BYTES_MAX: u64 = 1 << 20;

    /// How this process sees others.
    struct View {
        boot: String,
        /// Mount, user and PID namespace.
        namespaces: [u64; 3],
    }

    const NAMESPACES: [&str; 3] = ["mnt", "user", "pid"];

    /// `None`: `/proc` is not that of our PID namespace, and its numbers are not those of our peers.
    fn view() -> Option<&'static View> {
        static VIEW: OnceLock<Option<View>> = OnceLock::new();
        VIEW.get_or_init(|| {
            let pid = std::process::id();
            if fs::read_link("/proc/self").ok()?.to_str() != Some(pid.to_string().as_str()) {
                return None;
            }
            let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
            let [mnt, user, namespace] = NAMESPACES.map(|kind| namespace(pid, kind));
            let boot = format!("{}:{}", boot.trim_end(), namespace?);
            Some(View { boot, namespaces: [mnt?, user?, namespace?] })
        })
        .as_ref()
    }

    /// An environment variable that a process of this user was started with.
    pub fn variable(pid: u32, name: &str) -> Option<std::ffi::OsString> {
        use std::os::unix::ffi::OsStrExt;
        let environment = told(pid, "environ", ENVIRONMENT_BYTES_MAX).ok()?;
        let mut pairs = environment.split(|byte| *byte == 0);
        let value = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(std::ffi::OsStr::from_bytes(value).to_owned())
    }

    /// Facts about the process `pid` as it is now.
    pub fn of(pid: u32) -> Option<ProcessFacts> {
        let view = view()?;
        let stat = Stat::of(pid).filter(Stat::runs)?;
        let sandboxed = NAMESPACES.iter().zip(view.namespaces).any(|(kind, ours)| {
            // Hidden is not other: a process may hide for many reasons.
            namespace(pid, kind).is_some_and(|theirs| theirs != ours)
        });
        let facts = ProcessFacts {
            pid,
            start: stat.start,
            boot: view.boot.clone(),
            exe: link(pid, "exe"),
            cwd: link(pid, "cwd"),
            sandboxed,
            interactive: stat.tty != 0,
            session: stat.session,
            ancestors: ancestors(&stat),
        };
        is_running(pid, stat.start).then_some(facts)
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
    pub fn is_alive(pid: u32, start: u64, boot: &str) -> bool {
        view().is_some_and(|view| view.boot == boot) && is_running(pid, start)
    }

    /// A process that cannot be looked at, for want of a descriptor or of memory, is not known to be gone:
    /// a living one would lose its name over it.
    fn is_running(pid: u32, start: u64) -> bool {
        match Stat::read(pid) {
            Ok(stat) => stat.is_some_and(|stat| stat.start == start && stat.runs()),
            Err(error) => !is_gone(&error),
        }
    }

    fn is_gone(error: &std::io::Error) -> bool {
        error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ESRCH)
    }

    /// Whether `pid` runs the program that this process runs, or another build of it. A daemon shows no
    /// path of its program (see [`armour`](super::super::armour)), but its name.
    pub fn is_of_this_program(pid: u32) -> bool {
        let name = |pid| told(pid, "comm", FACTS_BYTES_MAX).ok();
        let own = std::process::id();
        is_ours(pid) && Stat::of(pid).is_some_and(|stat| stat.runs()) && name(pid) == name(own)
    }

    fn ancestors(child: &Stat) -> Vec<Ancestor> {
        let mut found = Vec::new();
        let (mut pid, mut born) = (child.parent, child.start);
        while pid != 0 && found.len() < ANCESTORS_MAX {
            // Nobody is younger than its child; a pid that was used again is.
            let Some(stat) = Stat::of(pid).filter(|stat| stat.start <= born) else { break };
            let wrapper = !is_ours(pid) || passes_on(link(pid, "exe").as_deref(), &command_line(pid));
            if !is_running(pid, stat.start) {
                break;
            }
            found.push(Ancestor { pid, start: stat.start, wrapper, session: stat.session });
            (pid, born) = (stat.parent, stat.start);
        }
        found
    }

    fn is_ours(pid: u32) -> bool {
        let Ok(status) = told(pid, "status", FACTS_BYTES_MAX) else { return false };
        let status = String::from_utf8_lossy(&status);
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let effective = uids.and_then(|uids| uids.split_whitespace().nth(1));
        effective.and_then(|uid| uid.parse().ok()) == Some(super::super::own_uid())
    }

    fn command_line(pid: u32) -> Vec<String> {
        let bytes = told(pid, "cmdline", CMDLINE_BYTES_MAX).unwrap_or_default();
        bytes.split(|b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }

    /// What the kernel tells of a process, at most `most` bytes of it. It takes two reads: std alone asks for
    /// the length first, which is 0, and begins with 32 bytes, and a hello takes some twenty of these.
    fn told(pid: u32, name: &str, most: u64) -> std::io::Result<Vec<u8>> {
        const USUAL_BYTES: usize = 4096;
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        File::open(format!("/proc/{pid}/{name}"))?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn link(pid: u32, name: &str) -> Option<String> {
        let target = fs::read_link(format!("/proc/{pid}/{name}")).ok()?;
        Some(target.to_string_lossy().into_owned())
    }

    fn namespace(pid: u32, kind: &str) -> Option<u64> {
        fs::metadata(format!("/proc/{pid}/ns/{kind}")).ok().map(|namespace| namespace.ino())
    }

    /// What `/proc/PID/stat` says.
    #[derive(Debug, PartialEq, Eq)]
    struct Stat {
        state: u8,
        parent: u32,
        session: Option<u32>,
        tty: i32,
        start: u64,
    }

    impl Stat {
        fn of(pid: u32) -> Option<Stat> {
            Stat::read(pid).ok().flatten()
        }

        fn read(pid: u32) -> std::io::Result<Option<Stat>> {
            Ok(Stat::parse(&told(pid, "stat", FACTS_BYTES_MAX)?))
        }

        /// The second field is a name in parentheses that may hold spaces, parentheses and newlines.
        fn parse(text: &[u8]) -> Option<Stat> {
            let name_end = text.iter().rposition(|b| *b == b')')?;
            let rest = std::str::from_utf8(&text[name_end + 1..]).ok()?;
            let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
            let field = |number: usize| fields.get(number - 3).copied();
            Some(Stat {
                state: *field(3)?.as_bytes().first()?,
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
            Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        }

        #[test]
        fn a_name_may_hold_anything() {
            let text = b"42 (a) R 7 (\n)) S 17 42 42 34816 42 4194304 0 0 0 0 0 0 0 0 20 0 1 0 139337 0 0";
            let stat = Stat::parse(text).unwrap();
            assert_eq!(stat, Stat { state: b'S', parent: 17, session: Some(42), tty: 34816, start: 139_337 });
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
            for (code, gone) in
                [(nix::libc::ENOENT, true), (nix::libc::ESRCH, true), (nix::libc::EMFILE, false)]
            {
                assert_eq!(is_gone(&std::io::Error::from_raw_os_error(code)), gone, "{code}");
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
            assert!(Stat::of(facts.pid).is_some(), "it was not waited for yet");
            assert_eq!(of(facts.pid), None);
            child.wait().unwrap();
        }
    }
}
