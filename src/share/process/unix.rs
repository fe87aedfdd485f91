//! The front end's side of a [supervisor](super::super::supervisor): it starts one for each command, and
//! hears from it over a socket. Closing the socket is the order to end everything; a process that dies
//! closes it too.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{ChildStderr, ChildStdout, Command};

use super::super::supervisor::{ASK_TO_END, Report, VERB};
use super::{Exit, Job, NotStarted};

/// A running command with all that it started.
pub(in super::super) struct Tree {
    leader: Pid,
    reports: Lines<BufReader<OwnedReadHalf>>,
    /// As long as this is open, the command may run.
    orders: Option<OwnedWriteHalf>,
}

/// What the command prints.
pub(in super::super) type Pipes = (Option<ChildStdout>, Option<ChildStderr>);

impl Tree {
    pub(in super::super) async fn start(job: Job<'_>) -> Result<(Tree, Pipes), NotStarted> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(NotStarted::Watch)?;
        let mut command = Command::new(job.ipcd);
        command.arg0("ipcd").arg(VERB).arg("--").args(job.argv);
        command.current_dir(job.folder).env_clear().envs(job.environment);
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut supervisor = command.spawn().map_err(NotStarted::Watch)?;
        // It still holds the other end of the socket: the end of the supervisor would not be heard.
        drop(command);
        let pipes = (supervisor.stdout.take(), supervisor.stderr.take());

        let socket = ours.set_nonblocking(true).and_then(|()| UnixStream::from_std(ours));
        let (reports, orders) = socket.map_err(NotStarted::Watch)?.into_split();
        let mut reports = BufReader::new(reports).lines();
        match report(&mut reports).await.map_err(NotStarted::Watch)? {
            Report::Started(leader) => {
                Ok((Tree { leader: Pid::from_raw(leader), reports, orders: Some(orders) }, pipes))
            }
            Report::Failed(errno) => Err(NotStarted::Program(io::Error::from_raw_os_error(errno))),
            Report::Ended(_) | Report::Gone => Err(NotStarted::Watch(io::ErrorKind::InvalidData.into())),
        }
    }

    /// Waits for the end of the command itself. Giving up and waiting again misses nothing.
    pub(in super::super) async fn ended(&mut self) -> io::Result<Exit> {
        loop {
            match report(&mut self.reports).await {
                Ok(Report::Ended(status)) => return Ok(ExitStatus::from_raw(status).into()),
                Ok(_) => {}
                Err(error) => {
                    // The supervisor was killed, and the kernel ended the command with it; what stayed in
                    // its group is ended here.
                    let _ = killpg(self.leader, Signal::SIGKILL);
                    return Err(error);
                }
            }
        }
    }

    /// Asks the command and its group to end.
    pub(in super::super) fn end(&mut self) {
        if let Some(orders) = &self.orders {
            // One byte into an empty socket; a supervisor that is gone needs no order.
            let _ = orders.try_write(&[ASK_TO_END]);
        }
    }

    /// Ends everything.
    pub(in super::super) fn kill(&mut self) {
        self.orders = None;
    }

    /// Waits until nothing is left of what was killed. An error says that this cannot be known.
    pub(in super::super) async fn gone(&mut self) -> io::Result<()> {
        while report(&mut self.reports).await? != Report::Gone {}
        Ok(())
    }
}

async fn report(lines: &mut Lines<BufReader<OwnedReadHalf>>) -> io::Result<Report> {
    let line = lines.next_line().await?.ok_or_else(|| {
        io::Error::new(io::ErrorKind::UnexpectedEof, "the process that watches over the command was ended")
    })?;
    Report::parse(&line).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        let name =
            |number: i32| Signal::try_from(number).map_or_else(|_| number.to_string(), |s| s.to_string());
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit { code, signal: None },
            (None, number) => Exit { code: -number.unwrap_or_default(), signal: number.map(name) },
        }
    }
}
