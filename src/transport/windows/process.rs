//! Facts about a process, by what the system lets a user of the same name ask.
//!
//! Folder and command line are in the memory of the process, which may write there what it likes: as on
//! other systems they name honest peers, and keep nobody out.

#![expect(unsafe_code, reason = "Windows has no other interface; each call says why it holds")]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::time::{Duration, SystemTime};

use windows_sys::Wdk::System::Threading::{NtQueryInformationProcess, ProcessBasicInformation};
use windows_sys::Win32::Foundation::{FILETIME, STILL_ACTIVE, UNICODE_STRING};
use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessTimes, OpenProcess, PROCESS_BASIC_INFORMATION,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_VM_READ, QueryFullProcessImageNameW,
};

use super::super::platform::{own_user, process_user};
use super::super::wrapper::passes_on;
use super::{ANCESTORS_MAX, Ancestor, ProcessFacts, Stream};

/// The start of a process is a moment, to a tenth of a microsecond: the same number and the same start
/// mean the same process through all boots of a machine.
const BOOT: &str = "windows";

/// Units of 100 ns from the beginning of 1601 to that of 1970.
const EPOCH: u64 = 116_444_736_000_000_000;

/// Characters of a path or a command line that are looked at.
const TEXT_MAX: usize = 32 << 10;

/// Where a process of 64 bits has its parameters, and where these have folder and command line. They have
/// stood there since Windows Vista.
#[cfg(target_pointer_width = "64")]
mod offsets {
    pub const PARAMETERS: usize = 0x20;
    pub const FOLDER: usize = 0x38;
    pub const COMMAND_LINE: usize = 0x70;
}

/// Facts about the process `pid` as it is now.
pub fn of(pid: u32) -> Option<ProcessFacts> {
    let process = Process::open(pid)?;
    let start = process.start().filter(|_| process.runs())?;
    // While the handle is open the number is not used again: all facts are of one process.
    Some(ProcessFacts {
        pid,
        start,
        boot: BOOT.to_owned(),
        exe: process.program(),
        cwd: process.folder(),
        sandboxed: false,
        // A window's console and a hidden one look alike.
        interactive: false,
        // A logon has a number that all its programs share: it tells nobody from anybody.
        session: None,
        ancestors: ancestors(process.parent(), start),
    })
}

/// Facts about the process that connected. `None` if it is gone, or not to be seen from here.
pub fn of_peer(stream: &Stream) -> Option<ProcessFacts> {
    let facts = of(stream.peer_pid().ok()?)?;
    // A number that was used again is that of a process younger than the connection.
    let older = stream.accepted().is_none_or(|accepted| facts.start <= ticks(accepted));
    older.then_some(facts)
}

/// Whether the process still runs: the same one.
pub fn is_alive(pid: u32, start: u64, boot: &str) -> bool {
    boot == BOOT && Process::open(pid).is_some_and(|p| p.start() == Some(start) && p.runs())
}

fn ancestors(mut parent: Option<u32>, mut born: u64) -> Vec<Ancestor> {
    let mut found = Vec::new();
    while let Some(pid) = parent.filter(|pid| *pid != 0 && found.len() < ANCESTORS_MAX) {
        let Some(process) = Process::open(pid) else { break };
        // Nobody is younger than its child; a number that was used again is.
        let Some(start) = process.start().filter(|start| process.runs() && *start <= born) else { break };
        let wrapper =
            !process.is_ours() || passes_on(process.program().as_deref(), || process.command_line());
        found.push(Ancestor { pid, start, wrapper, session: None });
        (parent, born) = (process.parent(), start);
    }
    found
}

fn ticks(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    EPOCH.saturating_add(u64::try_from(since.as_nanos() / 100).unwrap_or(u64::MAX))
}

/// A process that is held on to.
struct Process {
    handle: OwnedHandle,
}

impl Process {
    fn open(pid: u32) -> Option<Process> {
        let open = |rights| {
            // SAFETY: a number that stands for no process gives no handle; a handle is ours to close.
            unsafe {
                let handle = OpenProcess(rights, 0, pid);
                (!handle.is_null()).then(|| OwnedHandle::from_raw_handle(handle))
            }
        };
        // One of more trust shows less of itself.
        let handle = open(PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_VM_READ)
            .or_else(|| open(PROCESS_QUERY_LIMITED_INFORMATION))?;
        Some(Process { handle })
    }

    fn runs(&self) -> bool {
        let mut code = 0;
        // SAFETY: the handle is open, and the callee writes one number.
        let known = unsafe { GetExitCodeProcess(self.handle.as_raw_handle(), &mut code) };
        known != 0 && code == STILL_ACTIVE.cast_unsigned()
    }

    fn start(&self) -> Option<u64> {
        let [mut start, mut end, mut kernel, mut user] = [FILETIME::default(); 4];
        // SAFETY: the handle is open, and the callee writes the four times.
        let known = unsafe {
            GetProcessTimes(self.handle.as_raw_handle(), &mut start, &mut end, &mut kernel, &mut user)
        };
        (known != 0).then(|| u64::from(start.dwHighDateTime) << 32 | u64::from(start.dwLowDateTime))
    }

    fn is_ours(&self) -> bool {
        process_user(self.handle.as_handle()).is_ok_and(|user| user == own_user())
    }

    fn program(&self) -> Option<String> {
        let mut text = vec![0; TEXT_MAX];
        let mut length = TEXT_MAX as u32;
        // SAFETY: the handle is open, and the buffer is as long as is said.
        let known = unsafe {
            QueryFullProcessImageNameW(self.handle.as_raw_handle(), 0, text.as_mut_ptr(), &mut length)
        };
        (known != 0).then(|| String::from_utf16_lossy(&text[..(length as usize).min(TEXT_MAX)]))
    }

    fn parent(&self) -> Option<u32> {
        u32::try_from(self.basic()?.InheritedFromUniqueProcessId).ok()
    }

    fn basic(&self) -> Option<PROCESS_BASIC_INFORMATION> {
        let mut basic = PROCESS_BASIC_INFORMATION::default();
        let bytes = size_of_val(&basic) as u32;
        // SAFETY: the handle is open, and the structure is the one that goes with the question.
        let status = unsafe {
            NtQueryInformationProcess(
                self.handle.as_raw_handle(),
                ProcessBasicInformation,
                (&raw mut basic).cast(),
                bytes,
                std::ptr::null_mut(),
            )
        };
        (status >= 0).then_some(basic)
    }

    fn folder(&self) -> Option<String> {
        let folder = self.parameter(offsets::FOLDER)?;
        // It ends with a separator, which only the folder of a drive needs.
        let short = folder.trim_end_matches('\\');
        Some(if short.ends_with(':') { folder } else { short.to_owned() }).filter(|folder| !folder.is_empty())
    }

    fn command_line(&self) -> Vec<String> {
        self.parameter(offsets::COMMAND_LINE).map(|line| split(&line)).unwrap_or_default()
    }

    /// A text among the parameters of the process.
    fn parameter(&self, offset: usize) -> Option<String> {
        let block = self.basic()?.PebBaseAddress as usize;
        let parameters: usize = self.peek(block.checked_add(offsets::PARAMETERS)?).ok()?;
        let text: UNICODE_STRING = self.peek(parameters.checked_add(offset)?).ok()?;
        let length = usize::from(text.Length) / 2;
        let mut copy = vec![0_u16; length.min(TEXT_MAX)];
        self.read(text.Buffer as usize, copy.as_mut_ptr().cast(), size_of_val(copy.as_slice())).ok()?;
        Some(String::from_utf16_lossy(&copy))
    }

    fn peek<T: Plain>(&self, at: usize) -> io::Result<T> {
        let mut value = T::default();
        self.read(at, (&raw mut value).cast(), size_of::<T>())?;
        Ok(value)
    }

    /// Copies so many bytes of the process's memory; `to` must have room for them.
    fn read(&self, at: usize, to: *mut c_void, bytes: usize) -> io::Result<()> {
        let mut count = 0;
        // SAFETY: the handle is open; the system checks the other process's addresses, and the callers
        // have room for so many bytes of plain numbers.
        let done = unsafe {
            ReadProcessMemory(self.handle.as_raw_handle(), at as *const c_void, to, bytes, &mut count)
        };
        if done == 0 || count != bytes {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

/// What may have any bytes.
trait Plain: Default {}
impl Plain for usize {}
impl Plain for UNICODE_STRING {}

/// Arguments as most programs split their command line: at spaces outside of quotes. Enough to see what
/// kind of program it is.
fn split(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let (mut current, mut quoted, mut begun) = (String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '"' => (quoted, begun) = (!quoted, true),
            ' ' | '\t' if !quoted => {
                if std::mem::take(&mut begun) {
                    arguments.push(std::mem::take(&mut current));
                }
            }
            other => {
                begun = true;
                current.push(other);
            }
        }
    }
    if begun {
        arguments.push(current);
    }
    arguments
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
        let exe = std::env::current_exe().unwrap();
        assert_eq!(facts.exe.map(|exe| exe.to_lowercase()), exe.to_str().map(str::to_lowercase));
    }

    #[test]
    fn a_child_has_this_process_above_it_and_is_gone_when_it_ended() {
        let mut command = std::process::Command::new("cmd");
        command.args(["/c", "pause"]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let facts = of(child.id()).unwrap();
        assert_eq!(facts.ancestors[0].pid, std::process::id());
        assert!(facts.ancestors.is_sorted_by(|a, b| a.start >= b.start));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(facts.pid, facts.start, &facts.boot));
        assert_eq!(of(facts.pid), None);
    }

    #[test]
    fn a_command_line_falls_apart_at_spaces() {
        assert_eq!(
            split(r#""C:\Program Files\x.exe"  /c  "a b"c """#),
            [r"C:\Program Files\x.exe", "/c", "a bc", ""]
        );
        assert_eq!(split("  "), [""; 0]);
    }
}
