//! Where there are neither signals nor process groups: the command is ended, what it started is not.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::{Exit, Job, NotStarted};

/// A running command. It ends when this is dropped.
pub(in super::super) struct Tree {
    child: Child,
}

/// What the command prints.
pub(in super::super) type Pipes = (Option<ChildStdout>, Option<ChildStderr>);

impl Tree {
    pub(in super::super) async fn start(job: Job<'_>) -> Result<(Tree, Pipes), NotStarted> {
        let mut command = Command::new(&job.argv[0]);
        command.args(&job.argv[1..]).current_dir(job.folder).env_clear().envs(job.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(NotStarted::Program)?;
        let pipes = (child.stdout.take(), child.stderr.take());
        Ok((Tree { child }, pipes))
    }

    /// Waits for the end of the command itself. Giving up and waiting again misses nothing.
    pub(in super::super) async fn ended(&mut self) -> io::Result<Exit> {
        self.child.wait().await.map(Exit::from)
    }

    /// There is no way to ask.
    pub(in super::super) fn end(&mut self) {}

    /// Ends the command.
    pub(in super::super) fn kill(&mut self) {
        // One that has ended cannot be, and need not.
        let _ = self.child.start_kill();
    }

    /// Waits until the command is gone.
    pub(in super::super) async fn gone(&mut self) -> io::Result<()> {
        self.child.wait().await.map(drop)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        Exit { code: status.code().unwrap_or_default(), signal: None }
    }
}
