//! Facts about a process, by the calls that `ps` and the activity monitor use.
//!
//! Only processes of this user are told of: the way up ends at the first that belongs to another, such
//! as the `login` that a terminal starts.

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;

use nix::libc;
use nix::sys::socket::{getsockopt, sockopt};

use super::super::wrapper::passes_on;
use super::{ANCESTORS_MAX, Ancestor, ProcessFacts, Stream};

#[path = "arguments.rs"]
mod arguments;

/// Bytes of a command line that are looked at: the program and its first options.
const ARGUMENTS_BYTES: usize = 4096;

/// The terminal of a process that has none.
const NO_TERMINAL: u32 = u32::MAX;

/// Facts about the process `pid` as it is now.
pub fn of(pid: u32) -> Option<ProcessFacts> {
    let info = Info::of(pid).filter(Info::runs)?;
    let facts = ProcessFacts {
        pid,
        start: info.start(),
        boot: boot()?.to_owned(),
        exe: program(pid),
        cwd: folder(pid),
        // There are no namespaces, and whether a sandbox holds a process is told to nobody.
        sandboxed: false,
        interactive: info.0.e_tdev != NO_TERMINAL,
        session: session(pid),
        ancestors: ancestors(&info),
    };
    is_running(pid, facts.start).then_some(facts)
}

/// Facts about the process that connected. `None` if it is gone, or not to be seen from here.
pub fn of_peer(stream: &Stream) -> Option<ProcessFacts> {
    let Stream::UdSocket(socket) = stream;
    let socket = socket.as_fd();
    // The token counts how often a pid was used: the same one before and after means one process.
    let token = || getsockopt(&socket, sockopt::LocalPeerToken).ok().map(|token| token.val);
    let before = token()?;
    let pid = u32::try_from(getsockopt(&socket, sockopt::LocalPeerPid).ok()?).ok()?;
    let facts = of(pid)?;
    (token() == Some(before)).then_some(facts)
}

/// Whether the process still runs: the same one, in the same boot, and not a zombie.
pub fn is_alive(pid: u32, start: u64, of_boot: &str) -> bool {
    boot() == Some(of_boot) && is_running(pid, start)
}

fn is_running(pid: u32, start: u64) -> bool {
    Info::of(pid).is_some_and(|info| info.start() == start && info.runs())
}

fn ancestors(child: &Info) -> Vec<Ancestor> {
    let mut found = Vec::new();
    let (mut pid, mut born) = (child.0.pbi_ppid, child.start());
    while pid != 0 && found.len() < ANCESTORS_MAX {
        // Nobody is younger than its child; a pid that was used again is.
        let Some(info) = Info::of(pid).filter(|info| info.start() <= born) else { break };
        let ours = info.0.pbi_uid == super::super::own_uid();
        let wrapper = !ours || passes_on(program(pid).as_deref(), || command_line(pid));
        if !is_running(pid, info.start()) {
            break;
        }
        found.push(Ancestor { pid, start: info.start(), wrapper, session: session(pid) });
        (pid, born) = (info.0.pbi_ppid, info.start());
    }
    found
}

/// The session that a process is in, by the number of the process that leads it.
fn session(pid: u32) -> Option<u32> {
    let pid = nix::unistd::Pid::from_raw(c_int::try_from(pid).ok()?);
    u32::try_from(nix::unistd::getsid(Some(pid)).ok()?.as_raw()).ok().filter(|session| *session != 0)
}

/// The number that the system got when it started.
fn boot() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let mut text = [0; 64];
        let length = by_name(c"kern.bootsessionuuid", &mut text)?;
        let text = CStr::from_bytes_until_nul(text.get(..length)?).ok()?.to_str().ok()?;
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    BOOT.get_or_init(read).as_deref()
}

/// What the kernel's table of processes says of one.
struct Info(libc::proc_bsdinfo);

impl Info {
    fn of(pid: u32) -> Option<Info> {
        proc_info(pid, libc::PROC_PIDTBSDINFO).map(Info)
    }

    /// In microseconds.
    fn start(&self) -> u64 {
        self.0.pbi_start_tvsec.saturating_mul(1_000_000).saturating_add(self.0.pbi_start_tvusec)
    }

    fn runs(&self) -> bool {
        self.0.pbi_status != libc::SZOMB
    }
}

fn program(pid: u32) -> Option<String> {
    let mut path = [0_u8; libc::PROC_PIDPATHINFO_MAXSIZE as usize];
    let pid = c_int::try_from(pid).ok()?;
    #[expect(unsafe_code, reason = "the kernel has no other interface")]
    // SAFETY: the callee writes at most as many bytes as it is told that there are.
    let length =
        unsafe { libc::proc_pidpath(pid, path.as_mut_ptr().cast(), libc::PROC_PIDPATHINFO_MAXSIZE as u32) };
    let path = path.get(..usize::try_from(length).ok()?).filter(|path| !path.is_empty())?;
    Some(String::from_utf8_lossy(path).into_owned())
}

fn folder(pid: u32) -> Option<String> {
    let info: libc::proc_vnodepathinfo = proc_info(pid, libc::PROC_PIDVNODEPATHINFO)?;
    let bytes: Vec<u8> = info.pvi_cdir.vip_path.as_flattened().iter().map(|c| c.cast_unsigned()).collect();
    let path = CStr::from_bytes_until_nul(&bytes).ok()?.to_string_lossy().into_owned();
    Path::new(&path).is_absolute().then_some(path)
}

fn command_line(pid: u32) -> Vec<String> {
    let mut size = [0; size_of::<c_int>()];
    let known = by_name(c"kern.argmax", &mut size).map(|_| c_int::from_ne_bytes(size));
    let Some((pid, size)) = c_int::try_from(pid).ok().zip(known) else { return Vec::new() };
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid];
    // As large as it can get: of less room than it needs the kernel fills its end, the environment.
    let mut buffer = vec![0; usize::try_from(size).unwrap_or_default()];
    let mut length = buffer.len();
    #[expect(unsafe_code, reason = "the kernel has no other interface")]
    // SAFETY: name and buffer are as long as is said, and the callee says how much of it it wrote.
    let done = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            3,
            buffer.as_mut_ptr().cast(),
            &mut length,
            std::ptr::null_mut::<c_void>(),
            0,
        )
    };
    if done != 0 {
        return Vec::new();
    }
    arguments::parse(&buffer[..length.min(buffer.len()).min(ARGUMENTS_BYTES)])
}

/// A structure that the kernel fills for one process; `T` must be the one that goes with `flavor`.
fn proc_info<T: Filled>(pid: u32, flavor: c_int) -> Option<T> {
    let pid = c_int::try_from(pid).ok()?;
    let size = c_int::try_from(size_of::<T>()).ok()?;
    let mut info = MaybeUninit::<T>::zeroed();
    #[expect(unsafe_code, reason = "the kernel has no other interface")]
    // SAFETY: the callee writes at most `size` bytes; when it says that it wrote all of them the value
    // is whole, and numbers and arrays of numbers have no invalid ones.
    unsafe {
        (libc::proc_pidinfo(pid, flavor, 0, info.as_mut_ptr().cast(), size) == size)
            .then(|| info.assume_init())
    }
}

/// Structures of numbers alone.
trait Filled {}
impl Filled for libc::proc_bsdinfo {}
impl Filled for libc::proc_vnodepathinfo {}

/// Reads a value of the kernel by its name, and says how long it is.
fn by_name(name: &CStr, buffer: &mut [u8]) -> Option<usize> {
    let mut length = buffer.len();
    #[expect(unsafe_code, reason = "the kernel has no other interface")]
    // SAFETY: the name ends with a zero, the buffer is as long as is said.
    let done = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            buffer.as_mut_ptr().cast(),
            &mut length,
            std::ptr::null_mut::<c_void>(),
            0,
        )
    };
    (done == 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let facts = of(std::process::id()).unwrap();
        assert!(is_alive(facts.pid, facts.start, &facts.boot));
        assert!(!is_alive(facts.pid, facts.start + 1, &facts.boot));
        assert!(!is_alive(facts.pid, facts.start, "another boot"));
        assert_eq!(facts.cwd, Some(std::env::current_dir().unwrap().to_string_lossy().into_owned()));
        assert!(facts.exe.is_some());
        assert!(!command_line(facts.pid).is_empty());
    }

    #[test]
    fn a_child_has_this_process_above_it_and_a_zombie_is_gone() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let facts = of(child.id()).unwrap();
        assert_eq!(facts.ancestors[0].pid, std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(facts.pid, facts.start, &facts.boot));
    }
}
