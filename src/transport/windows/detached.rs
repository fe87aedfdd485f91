//! Processes that outlive whoever started them, and how they are ended.

#![expect(unsafe_code, reason = "Windows has no other interface; each call says why it holds")]

use std::io;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::path::PathBuf;

use tokio::process::{Child, Command};
use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS, EVENT_MODIFY_STATE, OpenEventW,
    SetEvent,
};

use super::security::wide;
use super::signals::event_name;

/// Starts a process without a console, and outside of the job of whoever starts it where that is allowed:
/// jobs end all that is in them. It holds no end of this process's pipes.
pub fn spawn_detached(command: &mut Command) -> io::Result<Child> {
    keep_standard_handles();
    command.current_dir(root());
    let alone = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    match command.creation_flags(alone | CREATE_BREAKAWAY_FROM_JOB).spawn() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            command.creation_flags(alone).spawn()
        }
        spawned => spawned,
    }
}

/// Our own standard handles are inheritable, for we inherited them. A daemon with a copy of them would
/// keep whoever reads our output waiting for its end.
fn keep_standard_handles() {
    for which in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: a handle that is not there, or no handle at all, is refused and nothing happens.
        unsafe { SetHandleInformation(GetStdHandle(which), HANDLE_FLAG_INHERIT, 0) };
    }
}

/// A folder that is always there, so that the daemon keeps nobody from removing theirs.
fn root() -> PathBuf {
    std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\"), PathBuf::from)
}

/// Nothing is left to do: the process was started detached, and files get what their folder gives them.
pub fn detach() {}

/// Never comes back: that cannot be told without writing.
pub async fn reader_of_stdout_gone() {
    std::future::pending().await
}

/// There is no such limit.
pub fn descriptors_max() -> usize {
    usize::MAX
}

/// Asks the daemon `pid` to end in order, if that process is a daemon of the same program as this one.
/// For whoever waits for its lock: a note may be left from an earlier holder, whose pid is another's by now.
pub fn ask_to_end(pid: u32) {
    let program = |exe: PathBuf| Some(exe.file_name()?.to_ascii_lowercase());
    let theirs = super::super::process::of(pid).and_then(|facts| program(facts.exe?.into()));
    let ours = std::env::current_exe().ok().and_then(program);
    if theirs.is_none() || theirs != ours {
        return;
    }
    let name = wide(event_name(pid));
    // SAFETY: the name ends with a zero; the handle is closed after its one use.
    unsafe {
        let event = OpenEventW(EVENT_MODIFY_STATE, 0, name.as_ptr());
        if !event.is_null() {
            let _event = OwnedHandle::from_raw_handle(event);
            SetEvent(event);
        }
    }
}
