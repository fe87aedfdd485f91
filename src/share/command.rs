//! Sharing the output of a command.
//!
//! What always holds: the command is an argv and never goes through a shell; its stdin is empty; it ends
//! in time, with all that it started, also when the caller gives up; its output is bounded while it comes.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::capture::{Capture, Output};
use super::environment::scrubbed;
use super::policy::{CommandMode, CommandPolicy};
pub use super::process::Exit;
use super::process::Group;
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
    pub fn verdict(&self, policy: &CommandPolicy) -> Verdict {
        let rule = |mode: &str| format!("share_command.mode = {mode:?}");
        let deny = |message: &str| {
            Verdict::Deny(Refusal::new(RefusalCode::Denied, message).hint(
                "a person can change the rule in ipcd's config.toml; or run the command yourself and send the output",
            ))
        };
        match policy.mode {
            CommandMode::Allow => Verdict::Allow { rule: rule("allow") },
            CommandMode::Auto => Verdict::AskIfAble { rule: rule("auto") },
            CommandMode::Ask => Verdict::Ask { rule: rule("ask") },
            CommandMode::Off => deny("sharing commands is off: share_command.mode = \"off\""),
            CommandMode::Allowlist if policy.allow.iter().any(|prefix| prefix.begins(&self.argv)) => {
                Verdict::Allow { rule: rule("allowlist") }
            }
            CommandMode::Allowlist => {
                let program: String = self.argv[0].chars().take(80).collect();
                deny(&format!("share_command.allow has nothing that this `{program}` command begins with"))
            }
        }
    }

    /// Runs the command and puts its output into the form of a message. Dropping the future ends the
    /// command and all that it started. To be polled on a thread that lives as long as the process.
    ///
    /// # Errors
    /// `invalid_argument`: there is no such program, or it cannot be run; `unreadable`: the folder is gone.
    /// A command that fails or takes too long is no error: the peer is told.
    pub async fn run(
        self,
        policy: &CommandPolicy,
        here: &Here,
        description: Option<&str>,
    ) -> Result<Ran, Refusal> {
        let mut command = tokio::process::Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).current_dir(&here.cwd);
        command.env_clear().envs(scrubbed(std::env::vars_os()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (group, mut child) = Group::spawn(command).map_err(|error| self.not_started(here, &error))?;

        let stdout = Stream::new(policy.max_output_bytes / 2);
        let stderr = Stream::new(policy.max_output_bytes / 2);
        let mut readers = JoinSet::new();
        readers.spawn(stdout.clone().fill(child.stdout.take()));
        readers.spawn(stderr.clone().fill(child.stderr.take()));

        let (exit, timed_out) = exit_of(&mut child, &group, policy.timeout).await.map_err(|error| {
            Refusal::new(RefusalCode::Timeout, format!("`{}` cannot be ended: {error}", self.argv[0]))
        })?;
        let _ = timeout(LINGER, async { while readers.join_next().await.is_some() {} }).await;
        drop(group);
        readers.shutdown().await;
        let shared = self.message(description, &exit, timed_out, stdout.finish(), stderr.finish());
        Ok(Ran { shared, exit, timed_out })
    }

    fn not_started(&self, here: &Here, error: &io::Error) -> Refusal {
        if !here.cwd.is_dir() {
            let message = format!("the folder {} is gone", here.cwd.display());
            return Refusal::new(RefusalCode::Unreadable, message);
        }
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
        if let Some(description) = description {
            data["description"] = json!(description);
        }
        data["stdout"] = json!(stdout.text);
        data["stderr"] = json!(stderr.text);
        Shared { content: format!("Command output: {}", self.text), data }
    }
}

/// Waits for the command's end, and brings it about when the time is over.
async fn exit_of(child: &mut Child, group: &Group, limit: Duration) -> io::Result<(Exit, bool)> {
    if let Ok(status) = timeout(limit, child.wait()).await {
        return Ok((status?.into(), false));
    }
    group.end();
    let mut status = timeout(END_GRACE, child.wait()).await;
    if status.is_err() {
        group.kill();
        child.start_kill()?;
        status = timeout(KILL_GRACE, child.wait()).await;
    }
    Ok((status.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??.into(), true))
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

    fn finish(self) -> Output {
        let mut capture = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *capture, Capture::new(0)).finish()
    }
}
