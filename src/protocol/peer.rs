//! Facts about the process at the other end of a connection, as the daemon found them.

use serde::{Deserialize, Serialize};

use super::message::{Sender, Verified};

/// One process, for good: a pid comes again, a pid with its start and its boot does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: u32,
    /// Start of the process in the system's own unit, counted from boot.
    pub start: u64,
    /// Which boot of the machine (and which PID namespace) the two are about.
    pub boot: String,
}

/// A process above the peer, nearest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    pub process: ProcessId,
    /// It only passes another program on (`sh -c`, `npx`, `env` …): identity looks through it.
    pub wrapper: bool,
    pub session: Option<u32>,
}

/// Who is at the other end. Taken from the kernel at accept; nothing of it was said by the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    pub process: Option<ProcessId>,
    pub exe: Option<String>,
    pub cwd: Option<String>,
    pub sandboxed: bool,
    /// It has a controlling terminal.
    pub interactive: bool,
    /// The terminal's or login's session that it is in; it outlasts the processes above.
    pub session: Option<u32>,
    pub ancestors: Vec<Ancestor>,
}

impl Peer {
    /// The nearest process above the peer that is more than a wrapper: an agent for its front end,
    /// a shell for its commands.
    pub fn host(&self) -> Option<&ProcessId> {
        self.ancestors.iter().find(|a| !a.wrapper).map(|a| &a.process)
    }

    /// The terminals or logins that a front end belongs to: its own, and that of the agent above it, which
    /// may have started it in another.
    pub fn sessions(&self) -> impl Iterator<Item = u32> {
        let host = self.ancestors.iter().find(|a| !a.wrapper).and_then(|a| a.session);
        self.session.into_iter().chain(host)
    }

    /// What a message says of this peer as its sender.
    pub fn sender(&self, client: Option<&str>) -> Sender {
        Sender {
            verified: if self.process.is_some() { Verified::Full } else { Verified::Uid },
            client: client.map(str::to_owned),
            pid: self.process.as_ref().map(|p| p.pid),
            exe: self.exe.clone(),
            cwd: self.cwd.clone(),
            sandboxed: self.sandboxed,
            interactive: self.interactive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_end_belongs_to_its_own_session_and_to_that_of_the_agent_above_it() {
        let process = |pid| ProcessId { pid, start: 1, boot: "boot".to_owned() };
        let above = |pid, wrapper, session| Ancestor { process: process(pid), wrapper, session };
        let ancestors = vec![above(3, true, Some(3)), above(2, false, Some(7)), above(1, true, Some(1))];
        let peer = Peer { session: Some(4), ancestors, ..Peer::default() };
        assert_eq!(peer.sessions().collect::<Vec<_>>(), [4, 7]);
    }
}
