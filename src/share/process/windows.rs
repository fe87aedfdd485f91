//! Windows keeps processes together in a job: what a process of it starts is in it too, and cannot leave.
//! The job ends all of them with its last handle, which only this process holds.

#![expect(unsafe_code, reason = "Windows has no other interface; each call says why it holds")]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{CREATE_NO_WINDOW, CREATE_SUSPENDED};

use super::{Exit, Job, NotStarted};

#[link(name = "ntdll")]
unsafe extern "system" {
    /// The one call that needs no handle of a thread, which nobody gives us.
    fn NtResumeProcess(process: RawHandle) -> i32;
}

/// What a process ends with that somebody ended.
const KILLED: u32 = 1;

/// A running command with all that it started. It ends when this is dropped.
pub(in super::super) struct Tree {
    child: Child,
    job: OwnedHandle,
}

/// What the command prints.
pub(in super::super) type Pipes = (Option<ChildStdout>, Option<ChildStderr>);

impl Tree {
    pub(in super::super) async fn start(job: Job<'_>) -> Result<(Tree, Pipes), NotStarted> {
        let kept = new_job().map_err(NotStarted::Watch)?;
        let mut command = Command::new(&job.argv[0]);
        command.args(&job.argv[1..]).current_dir(job.folder).env_clear().envs(job.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // Held still until it is in the job: it could start something outside of it.
        command.creation_flags(CREATE_NO_WINDOW | CREATE_SUSPENDED);
        let mut child = command.spawn().map_err(NotStarted::Program)?;
        let process = child.raw_handle().ok_or(io::ErrorKind::NotFound);
        process.map_err(Into::into).and_then(|process| begin(process, &kept)).map_err(NotStarted::Watch)?;
        let pipes = (child.stdout.take(), child.stderr.take());
        Ok((Tree { child, job: kept }, pipes))
    }

    /// Waits for the end of the command itself. Giving up and waiting again misses nothing.
    pub(in super::super) async fn ended(&mut self) -> io::Result<Exit> {
        self.child.wait().await.map(Exit::from)
    }

    /// There is no way to ask a program without a console and a window.
    pub(in super::super) fn end(&mut self) {}

    /// Ends everything.
    pub(in super::super) fn kill(&mut self) {
        // SAFETY: the handle is open. What has ended needs no end.
        unsafe { TerminateJobObject(self.job.as_raw_handle(), KILLED) };
    }

    /// Waits until the command is gone.
    pub(in super::super) async fn gone(&mut self) -> io::Result<()> {
        self.child.wait().await.map(drop)
    }
}

/// A job that ends what is in it with its last handle.
fn new_job() -> io::Result<OwnedHandle> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    let (limits, bytes): (*const c_void, _) = ((&raw const limits).cast(), size_of_val(&limits) as u32);
    // SAFETY: the handle is ours; the limits are the structure that goes with the class.
    unsafe {
        let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        let job = OwnedHandle::from_raw_handle(job);
        done(SetInformationJobObject(job.as_raw_handle(), JobObjectExtendedLimitInformation, limits, bytes))?;
        Ok(job)
    }
}

/// Puts a process that is held still into the job, and lets it go.
fn begin(process: RawHandle, job: &OwnedHandle) -> io::Result<()> {
    // SAFETY: both handles are open.
    unsafe {
        done(AssignProcessToJobObject(job.as_raw_handle(), process))?;
        match NtResumeProcess(process) {
            0.. => Ok(()),
            status => Err(io::Error::other(format!("the command cannot be let go: {status:#x}"))),
        }
    }
}

fn done(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        Exit { code: status.code().unwrap_or_default(), signal: None }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;
    use crate::transport::process::{is_alive, of};

    const HERE: &str = "share::process::windows::tests";

    /// This program again, as one of the two below.
    fn argv(role: &str) -> Vec<String> {
        let own = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
        vec![own, "--ignored".into(), "--exact".into(), "--nocapture".into(), format!("{HERE}::{role}")]
    }

    #[test]
    #[ignore = "a part of the test below"]
    fn child() {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }

    #[test]
    #[ignore = "a part of the test below"]
    fn parent() {
        let argv = argv("child");
        let mut child = std::process::Command::new(&argv[0]).args(&argv[1..]).spawn().unwrap();
        println!("child={}", child.id());
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn what_a_command_started_ends_with_it() {
        let argv = argv("parent");
        let environment = std::env::vars_os().collect();
        let job = Job { argv: &argv, folder: Path::new("."), environment, ipcd: Path::new("") };
        let (mut tree, (stdout, _stderr)) = Tree::start(job).await.unwrap();
        let mut lines = BufReader::new(stdout.unwrap()).lines();
        let child: u32 = loop {
            let line = lines.next_line().await.unwrap().expect("the child's number");
            if let Some((_, number)) = line.split_once("child=") {
                break number.trim().parse().unwrap();
            }
        };
        let facts = of(child).expect("it runs");
        tree.kill();
        tree.gone().await.unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while is_alive(facts.pid, facts.start, &facts.boot) {
            assert!(std::time::Instant::now() < deadline, "it outlives the command");
            tokio::task::yield_now().await;
        }
    }
}
