//! Sharing the output of a command.
//!
//! What always holds: the command is an argv and never goes through a shell; its stdin is empty; it ends
//! in time, with all that it started, also when the caller gives up or dies (`process.rs`); its output is
//! bounded while it comes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::capture::{Capture, Output};
use super::environment::{Environment, divided};
use super::policy::{CommandMode, CommandPolicy};
pub use super::process::Exit;
use super::process::{Job, NotStarted, Tree};
use super::{Here, Shared, Verdict, shell};
use crate::protocol::refusal::{Refusal, RefusalCode};

/// Longest command line, in bytes: more is a script, and belongs into a file.
pub const COMMAND_BYTES_MAX: usize = 32 << 10;

/// From asking a command to end to ending it: enough to write a last line and remove a temporary file.
const END_GRACE: Duration = Duration::from_millis(500);

/// How long a killed process may take to be gone. One that hangs in a file system takes for ever.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// How long output is read after the command itself has ended: what it left in the pipes arrives in that
/// time, and what it left running does not hold the answer.
const LINGER: Duration = Duration::from_millis(200);

/// Bytes read at once: what a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// A command that can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    text: String,
    argv: Vec<String>,
}

/// What became of a command, and the message that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    pub shared: Shared,
    pub exit: Exit,
    pub timed_out: bool,
    /// Something of it could not be ended: it hangs, or belongs to another user.
    pub left_running: bool,
}

impl Command {
    /// Parses a command line of an agent.
    ///
    /// # Errors
    /// `shell_syntax`: it needs a shell; `invalid_argument`: it is no command; `too_large`.
    pub fn parse(text: &str) -> Result<Command, Refusal> {
        if text.len() > COMMAND_BYTES_MAX {
            let message = format!("the command has {} bytes, it may have {COMMAND_BYTES_MAX}", text.len());
            return Err(Refusal::new(RefusalCode::TooLarge, message).hint("put it into a script file"));
        }
        Ok(Command { argv: shell::split(text)?, text: text.trim().to_owned() })
    }

    /// The program and its arguments: what a person is asked about.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// What `policy` says of this command.
    pub fn verdict(&self, policy: &CommandPolicy, here: &Here) -> Verdict {
        let rule = |mode: &str| format!("share_command.mode = {mode:?}");
        let deny = |rule: String, message: String| {
            let refusal = Refusal::new(RefusalCode::Denied, message).hint(
                "a person can change the rule in ipcd's config.toml; or run the command yourself and send the output",
            );
            Verdict::Deny { rule, refusal }
        };
        if let Some(verdict) = here.verdict() {
            return verdict;
        }
        match policy.mode {
            CommandMode::Allow => Verdict::Allow { rule: rule("allow") },
            CommandMode::Auto => Verdict::AskIfAble { rule: rule("auto") },
            CommandMode::Ask => Verdict::Ask { rule: rule("ask") },
            CommandMode::Off => deny(rule("off"), format!("sharing commands is off: {}", rule("off"))),
            CommandMode::Allowlist => match policy.allow.iter().find(|prefix| prefix.begins(&self.argv)) {
                Some(prefix) => Verdict::Allow { rule: format!("share_command.allow has {prefix}") },
                None => {
                    let program: String = self.argv[0].chars().take(80).collect();
                    let message =
                        format!("share_command.allow has nothing that this `{program}` command begins with");
                    deny(rule("allowlist"), message)
                }
            },
        }
    }

    /// Runs the command and puts its output into the form of a message. Dropping the future ends the
    /// command and all that it started.
    ///
    /// # Errors
    /// `invalid_argument`: there is no such program, or it cannot be run; `unreadable`: the folder is gone;
    /// `timeout`: it hangs where even the kernel cannot end it; `retry`: what watches over it was ended.
    /// A command that fails or takes too long is no error: the peer is told.
    pub async fn run(
        self,
        policy: &CommandPolicy,
        here: &Here,
        description: Option<&str>,
    ) -> Result<Ran, Refusal> {
        let Environment { kept: environment, withheld } = divided(std::env::vars_os());
        let job = Job { argv: &self.argv, folder: &here.cwd, environment, ipcd: &here.ipcd };
        let deadline = Instant::now() + policy.timeout;
        let started = timeout_at(deadline, Tree::start(job)).await;
        let (mut tree, (out, err)) = match started {
            Ok(Ok(started)) => started,
            Ok(Err(error)) => return Err(self.not_started(here, error)),
            Err(_) => return Err(self.hangs("has not begun in time")),
        };
        let stdout = Stream::new(policy.max_output_bytes / 2);
        let stderr = Stream::new(policy.max_output_bytes / 2);
        let mut readers = JoinSet::new();
        readers.spawn(stdout.clone().fill(out));
        readers.spawn(stderr.clone().fill(err));

        let (exit, timed_out) = match exit_of(&mut tree, deadline).await {
            Ok(Some(end)) => end,
            Ok(None) => return Err(self.hangs("cannot be ended")),
            Err(error) => return Err(self.unwatched(&error)),
        };
        let _ = timeout(LINGER, all(&mut readers)).await;
        tree.kill();
        let gone = timeout(KILL_GRACE, tree.gone()).await.is_ok_and(|gone| gone.is_ok());
        // What it printed up to its end is in the pipes, and they end with the last process.
        let _ = timeout(LINGER, all(&mut readers)).await;
        readers.shutdown().await;
        let (stdout, stderr) = (stdout.finish(&withheld), stderr.finish(&withheld));
        let mut shared = self.message(description, &exit, timed_out, stdout, stderr);
        if !gone {
            shared.data["left_running"] = json!(true);
        }
        Ok(Ran { shared, exit, timed_out, left_running: !gone })
    }

    fn hangs(&self, what: &str) -> Refusal {
        Refusal::new(RefusalCode::Timeout, format!("`{}` {what}: it hangs in the kernel", self.argv[0]))
            .hint("a file system or a device does not answer; what the command did is not known")
    }

    fn unwatched(&self, error: &io::Error) -> Refusal {
        Refusal::new(RefusalCode::Retry, format!("nothing is known of `{}` any more: {error}", self.argv[0]))
            .hint("what it did is not known: look before you repeat it")
    }

    fn not_started(&self, here: &Here, error: NotStarted) -> Refusal {
        if !here.cwd.is_dir() {
            let message = format!("the folder {} is gone", here.cwd.display());
            return Refusal::new(RefusalCode::Unreadable, message);
        }
        let error = match error {
            NotStarted::Program(error) => error,
            NotStarted::Watch(error) => {
                let message = format!("{} cannot watch over a command: {error}", here.ipcd.display());
                return Refusal::new(RefusalCode::Retry, message)
                    .hint("without that no command is run; start ipcd again, or install it again");
            }
        };
        let program = &self.argv[0];
        match error.kind() {
            io::ErrorKind::NotFound => {
                let hint = if program.contains(char::is_whitespace) {
                    "give the program and each of its arguments by itself, not in one pair of quotes; for a shell: sh -c '…'"
                } else {
                    "check its name and path; shell built-ins such as cd or export are no programs"
                };
                Refusal::invalid_argument(format!("there is no program `{program}` to run")).hint(hint)
            }
            _ => Refusal::invalid_argument(format!("`{program}` cannot be run: {error}")),
        }
    }

    fn message(
        self,
        description: Option<&str>,
        exit: &Exit,
        timed_out: bool,
        stdout: Output,
        stderr: Output,
    ) -> Shared {
        let mut data = json!({
            "type": "command",
            "command": self.text,
            "returncode": exit.code,
            "timed_out": timed_out,
        });
        if let Some(signal) = &exit.signal {
            data["signal"] = json!(signal);
        }
        if stdout.left_out + stderr.left_out > 0 {
            data["truncated"] = json!(true);
        }
        if stdout.lossy || stderr.lossy {
            data["lossy"] = json!(true);
        }
        if stdout.masked + stderr.masked > 0 {
            data["secrets_left_out"] = json!(stdout.masked + stderr.masked);
        }
        if let Some(description) = description {
            data["description"] = json!(description);
        }
        data["stdout"] = json!(stdout.text);
        data["stderr"] = json!(stderr.text);
        Shared { content: format!("Command output: {}", self.text), data }
    }
}

/// Waits for the command's end, and brings it about at the deadline: then the second part is true.
/// `None`: it did not end, for all that was done.
async fn exit_of(tree: &mut Tree, deadline: Instant) -> io::Result<Option<(Exit, bool)>> {
    if let Ok(exit) = timeout_at(deadline, tree.ended()).await {
        return Ok(Some((exit?, false)));
    }
    tree.end();
    let mut exit = timeout(END_GRACE, tree.ended()).await;
    if exit.is_err() {
        tree.kill();
        exit = timeout(KILL_GRACE, tree.ended()).await;
    }
    exit.map_or(Ok(None), |exit| Ok(Some((exit?, true))))
}

async fn all(readers: &mut JoinSet<()>) {
    while readers.join_next().await.is_some() {}
}

/// One output of a running command: filled by a task, readable at any moment.
#[derive(Clone)]
struct Stream(Arc<Mutex<Capture>>);

impl Stream {
    fn new(bytes_max: usize) -> Stream {
        Stream(Arc::new(Mutex::new(Capture::new(bytes_max))))
    }

    async fn fill(self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; PIPE_BYTES];
        // A pipe that breaks has no more to say.
        while let Ok(bytes @ 1..) = pipe.read(&mut buffer).await {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..bytes]);
        }
    }

    fn finish(self, withheld: &[Vec<u8>]) -> Output {
        let mut capture = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *capture, Capture::new(0)).finish(withheld)
    }
}
