//! A child process and everything it started, ended together.
//!
//! The child leads a session of its own, without a terminal. [`Group`] ends what is left of it when it is
//! dropped, so no way out (an answer, a time-out, a cancelled call, a panic) leaves a command running. A
//! front end that is killed takes the child along; the child's own children, and one that leaves the
//! session by `setsid`, can outlive that.

use std::process::ExitStatus;

use tokio::process::{Child, Command};

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; minus the signal's number for a process that a signal ended.
    pub code: i32,
    /// The signal that ended it: `SIGTERM`.
    pub signal: Option<String>,
}

/// The process group of a child. Dropping it kills all that is left.
pub(super) struct Group {
    #[cfg(unix)]
    leader: Option<nix::unistd::Pid>,
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::unix::process::ExitStatusExt;

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::{Pid, getpid, getppid, setsid};

    use super::*;

    impl Group {
        /// Starts `command` as the leader of a group.
        ///
        /// The thread that calls this must outlive the child: on Linux the child ends with it.
        pub(in super::super) fn spawn(mut command: Command) -> io::Result<(Group, Child)> {
            detach(&mut command);
            let child = command.kill_on_drop(true).spawn()?;
            let leader = child.id().map(|pid| Pid::from_raw(pid as i32));
            Ok((Group { leader }, child))
        }

        /// Asks the whole group to end.
        pub(in super::super) fn end(&self) {
            self.signal(Signal::SIGTERM);
        }

        /// Ends the whole group.
        pub(in super::super) fn kill(&self) {
            self.signal(Signal::SIGKILL);
        }

        fn signal(&self, signal: Signal) {
            // A group that is gone is what was wanted. The number stays taken as long as one member lives,
            // and comes back only after all other numbers: not in the moment between the two.
            if let Some(leader) = self.leader {
                let _ = killpg(leader, signal);
            }
        }
    }

    #[expect(unsafe_code, reason = "there is no safe way to leave a session between fork and exec")]
    fn detach(command: &mut Command) {
        let parent = getpid();
        let before_exec = move || {
            // Without a terminal a command cannot ask for a password there, or write on the agent's screen.
            setsid()?;
            #[cfg(target_os = "linux")]
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the line above: nobody would end this child then.
            if getppid() != parent {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Ok(())
        };
        // SAFETY: between fork and exec only async-signal-safe calls are made (setsid, prctl, getppid), no
        // memory is allocated and no lock is taken: an `ErrorKind` and an errno make an error in place.
        unsafe { command.pre_exec(before_exec) };
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
}

#[cfg(not(unix))]
mod elsewhere {
    use std::io;

    use super::*;

    impl Group {
        /// Starts `command`. It is ended when its handle is dropped; what it started is not.
        pub(in super::super) fn spawn(mut command: Command) -> io::Result<(Group, Child)> {
            Ok((Group {}, command.kill_on_drop(true).spawn()?))
        }

        pub(in super::super) fn end(&self) {}

        pub(in super::super) fn kill(&self) {}
    }

    impl From<ExitStatus> for Exit {
        fn from(status: ExitStatus) -> Exit {
            Exit { code: status.code().unwrap_or_default(), signal: None }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
