//! Bytes between processes: sockets and who is at their other end, lines, inherited listeners, facts
//! about processes, locks and private directories.
//!
//! What always holds:
//! - This module imports nothing of ours but the question of a planted bug; it knows nothing of messages.
//! - Every difference between operating systems ends here. [`unix`] holds the Unix half of this page;
//!   another system is one more file with the same functions.
//! - Nobody is believed: the kernel says who a peer is, on both sides of a connection.

use std::path::Path;

use crate::planted::{Bug, planted};

mod error;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub mod activation;
pub mod armour;
pub mod codec;
#[cfg(unix)]
pub mod directory;
#[cfg(unix)]
pub mod lock;
mod network;
pub mod process;
#[cfg(unix)]
pub mod stdio;
#[cfg(not(unix))]
pub mod stdio {
    //! Standard input and output, as the runtime has them.
    pub use tokio::io::{stdin as input, stdout as output};
}
pub mod watch;
mod wrapper;

#[cfg(unix)]
use unix as platform;

pub use error::TransportError;
pub use network::network_file_system;
pub use platform::{
    InheritedSocket, ask_to_end, descriptors_max, detach, reader_of_stdout_gone, remove_stale_socket,
    socket_identity,
};

/// A connection. `tokio::io::split` makes two halves of it; the connection ends when both are gone.
/// Flushing and half-closing do nothing: no protocol can be built on them.
pub type Stream = interprocess::local_socket::tokio::Stream;

/// Who is at the other end of a connection, by the kernel's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The effective user as this process's user namespace knows it.
    pub uid: u32,
    /// The process that connected (or, for a client, that listened first: under systemd that is
    /// systemd). `None` where the system does not tell, or cannot: a peer outside our PID namespace.
    pub pid: Option<u32>,
}

/// Takes connections. Never removes its path: that is for whoever holds the lock of the path.
#[derive(Debug)]
pub struct Listener(interprocess::local_socket::tokio::Listener);

/// Listens at `path`, which must be free: only the owner may connect, from the first moment on.
/// Must run inside a tokio runtime.
pub fn bind(path: &Path) -> Result<Listener, TransportError> {
    platform::bind(path).map(Listener)
}

/// Takes over a listener that a service manager made. Must run inside a tokio runtime.
pub fn adopt(socket: InheritedSocket) -> Result<Listener, TransportError> {
    platform::adopt(socket).map(Listener)
}

/// Connects to whoever listens at `path`, and refuses unless that is this user.
pub async fn connect(path: &Path) -> Result<Stream, TransportError> {
    let stream = platform::connect(path).await?;
    let server = platform::credentials(&stream).map_err(|e| TransportError::io("identify", path, e))?;
    if server.uid != own_uid() {
        return Err(TransportError::ForeignServer { path: path.to_owned(), uid: server.uid });
    }
    Ok(stream)
}

/// The user that this process acts as.
pub fn own_uid() -> u32 {
    platform::own_uid()
}

impl Listener {
    /// The next connection. An error is about this process (descriptors, memory), not about a peer.
    pub async fn accept(&self) -> std::io::Result<(Stream, Credentials)> {
        use interprocess::local_socket::traits::tokio::Listener as _;
        let stream = self.0.accept().await?;
        let credentials = platform::credentials(&stream)?;
        Ok((stream, credentials))
    }
}

/// Decides which users may talk to a process of `uid`: that one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    uid: u32,
}

/// What the kernel shows instead of a user that a user namespace does not know.
pub(crate) const OVERFLOW_UID: u32 = 65534;

impl Authority {
    pub fn of(uid: u32) -> Authority {
        Authority { uid }
    }

    /// Whether `peer` may talk. If not: a sentence that says why and what to do instead.
    pub fn admit(self, peer: u32) -> Result<(), String> {
        let own = self.uid;
        match peer {
            peer if peer == own || planted(Bug::NoUidCheck) => Ok(()),
            0 => Err(format!(
                "root may not use the mailbox of user {own}: run the command as that user, for example with `sudo -u '#{own}'`"
            )),
            OVERFLOW_UID => Err(format!(
                "the caller's user is unknown in this user namespace and shows as {OVERFLOW_UID}: run client and daemon in the same namespace as user {own}"
            )),
            other => Err(format!(
                "user {other} may not use the mailbox of user {own}: each user has an ipcd of their own"
            )),
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
