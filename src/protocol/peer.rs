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
    pub ancestors: Vec<Ancestor>,
}

impl Peer {
    /// The nearest process above the peer that is more than a wrapper: an agent for its front end,
    /// a shell for its commands.
    pub fn host(&self) -> Option<&ProcessId> {
        self.ancestors.iter().find(|a| !a.wrapper).map(|a| &a.process)
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
