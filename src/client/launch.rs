//! From a path to a connection: connect, and where nobody listens start a daemon first.
//!
//! What always holds: whoever starts holds the spawn lock, and has looked once more after taking it, so
//! that of many starters one starts; a daemon is alive if it listens, whatever any file says; nothing
//! here waits without an end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use super::service;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::startup::{STARTUP_LINE_BYTES_MAX, Startup};
use crate::transport::codec::{Line, LineReader};
use crate::transport::directory::private_dir;
use crate::transport::lock::FileLock;
use crate::transport::{self, Stream, TransportError};

/// For a daemon to recover its store and listen, and for whoever is starting one to be done.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Daemons that are started for one connection, should each of them end as soon as it serves.
const STARTS_MAX: u32 = 5;

/// Between two looks for a daemon that was there a moment ago.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What a daemon needs of the environment. The rest (an agent's keys among it) is not for it.
const ENVIRONMENT: &[&str] = &[
    "HOME",
    "LANG",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "TZ",
    "USER", // and on Windows:
    "APPDATA",
    "LOCALAPPDATA",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERPROFILE",
];
const ENVIRONMENT_PREFIXES: &[&str] = &["IPCD_", "LC_", "RUST_", "XDG_"];

/// The program that becomes a daemon.
#[derive(Clone, Debug)]
pub struct Starter {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

/// Whether the user's environment allows to start daemons unasked.
pub fn autostart_allowed() -> bool {
    std::env::var_os("IPCD_NO_AUTOSTART").is_none_or(|value| value.is_empty() || value == "0")
}

/// Connects to the daemon at `socket`; where nobody listens, starts one if there is a `starter`.
/// `retry` and `busy` may pass, other refusals stay.
pub async fn reach(socket: &Path, spawn_lock: &Path, starter: Option<&Starter>) -> Result<Stream, Refusal> {
    if let Some(stream) = connect(socket).await? {
        return Ok(stream);
    }
    let Some(starter) = starter else {
        return Err(retry(format!("no daemon listens at `{}`", socket.display()))
            .hint("start it with `ipcd daemon`, or allow commands to start it: unset IPCD_NO_AUTOSTART"));
    };
    let _lock = take_turn(spawn_lock).await?;
    // Whoever had the lock before has probably started one.
    if let Some(stream) = connect(socket).await? {
        return Ok(stream);
    }
    if service::start_socket_unit(socket).await
        && let Some(stream) = connect(socket).await?
    {
        return Ok(stream);
    }
    // One that says it serves listens; whoever does not was ended just then, and the next one is started.
    let (mut at, begun) = (socket.to_owned(), Instant::now());
    for _ in 0..STARTS_MAX {
        at = starter.start().await?;
        if let Some(stream) = connect(&at).await? {
            return Ok(stream);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        if let Some(stream) = connect(&at).await? {
            return Ok(stream);
        }
        if begun.elapsed() >= START_TIMEOUT {
            break;
        }
    }
    Err(retry(format!("a daemon runs, and does not listen at `{}`", at.display()))
        .hint("end the process that listens there, and try again"))
}

async fn connect(socket: &Path) -> Result<Option<Stream>, Refusal> {
    match transport::connect(socket).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if error.nobody_listens() => Ok(None),
        Err(error) => Err(refusal(&error)),
    }
}

async fn take_turn(spawn_lock: &Path) -> Result<FileLock, Refusal> {
    if let Some(directory) = spawn_lock.parent() {
        private_dir(directory).map_err(|e| refusal(&e))?;
    }
    let lock = FileLock::acquire_until(spawn_lock, Instant::now() + START_TIMEOUT).await;
    lock.map_err(|e| refusal(&e))?.ok_or_else(|| {
        Refusal::new(
            RefusalCode::Busy,
            format!("another process has been starting a daemon for {} s", START_TIMEOUT.as_secs()),
        )
        .hint("try again; if it stays so, end that process")
    })
}

impl Starter {
    /// This program, or the one that was installed over it.
    pub fn this_program() -> std::io::Result<Starter> {
        let program = std::env::current_exe()?;
        let replaced = program.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
        Ok(Starter {
            program: replaced.unwrap_or(program),
            arguments: vec!["daemon".into(), "--detached".into()],
        })
    }

    /// Starts a daemon and waits until it, or another, says where it listens.
    async fn start(&self) -> Result<PathBuf, Refusal> {
        let mut child = self.spawn().map_err(|e| {
            retry(format!("cannot start the daemon `{}`: {e}", self.program.display()))
                .hint("install ipcd again, or start it by hand: `ipcd daemon`")
        })?;
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut lines = LineReader::new(stdout, STARTUP_LINE_BYTES_MAX);
        let line = timeout(START_TIMEOUT, lines.next()).await;
        // Reaps it whenever it ends.
        let ended = tokio::spawn(async move { child.wait().await });
        let by_hand = "`ipcd daemon` in a terminal shows what is wrong";
        match line {
            Err(_) => Err(retry(format!(
                "the daemon was started, and was not ready within {} s",
                START_TIMEOUT.as_secs()
            ))
            .hint(format!("try again; if it stays so, {by_hand}"))),
            Ok(Ok(Some(Line::Whole(line)))) => match Startup::parse(&line) {
                Some(Startup::Ready { socket } | Startup::Other { socket }) => Ok(socket.into()),
                Some(Startup::Error(refusal)) => Err(refusal),
                None => Err(retry(format!("`{}` does not start as a daemon does", self.program.display()))
                    .hint(by_hand)),
            },
            Ok(_) => {
                let status = timeout(LOOK_AGAIN, ended).await;
                let status = status.ok().and_then(Result::ok).and_then(Result::ok);
                let status = status.map_or_else(String::new, |status| format!(" ({status})"));
                Err(retry(format!("the daemon ended before it was ready{status}")).hint(by_hand))
            }
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let kept = std::env::vars_os().filter(|(name, _)| {
            name.to_str().is_some_and(|name| {
                // Windows knows no case, and writes `SystemRoot`.
                let name = if cfg!(windows) { name.to_ascii_uppercase() } else { name.to_owned() };
                ENVIRONMENT.contains(&name.as_str())
                    || ENVIRONMENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            })
        });
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(kept);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        transport::spawn_detached(&mut command)
    }
}

fn retry(message: String) -> Refusal {
    Refusal::new(RefusalCode::Retry, message)
}

/// What a client is told when the way to the daemon is blocked.
fn refusal(error: &TransportError) -> Refusal {
    let code = match error {
        TransportError::Unsafe { .. } => RefusalCode::UnsafeDirectory,
        TransportError::ForeignServer { .. } => RefusalCode::ForeignUser,
        TransportError::PathTooLong { .. } => RefusalCode::InvalidArgument,
        TransportError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            RefusalCode::Denied
        }
        TransportError::Io { .. } | TransportError::Inherited(_) => RefusalCode::Retry,
    };
    let hint = match error.hint() {
        hint if hint.is_empty() => "`daemon.log` beside the store tells more".to_owned(),
        hint => hint,
    };
    Refusal::new(code, error.in_full()).hint(hint)
}
