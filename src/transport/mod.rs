//! Bytes between processes: sockets and who is at their other end, lines, inherited listeners, facts
//! about processes, locks and private directories.
//!
//! What always holds:
//! - This module imports nothing of ours but the question of a planted bug; it knows nothing of messages.
//! - Every difference between operating systems ends here. `unix` and `windows` have the same functions,
//!   and this page uses those of one of them.
//! - Nobody is believed: the kernel says who a peer is, on both sides of a connection.

use std::path::Path;

use crate::planted::{Bug, planted};

mod error;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

#[cfg(unix)]
pub mod activation;
pub mod armour;
pub mod codec;
#[cfg(unix)]
pub mod directory;
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

pub use error::TransportError;
pub use network::network_file_system;
pub use platform::{
    InheritedSocket, User, address, ask_to_end, descriptors_max, detach, own_user, reader_of_stdout_gone,
    remove_stale_socket, signals, socket_identity, spawn_detached,
};
#[cfg(unix)]
use unix::own_uid;
#[cfg(windows)]
pub use windows::{activation, directory};

/// A connection. `tokio::io::split` makes two halves of it; the connection ends when both are gone.
/// Flushing and half-closing do nothing: no protocol can be built on them.
pub type Stream = platform::Stream;

/// Who is at the other end of a connection, by the kernel's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user that the process acts as.
    pub user: User,
    /// The process that connected (or, for a client, that listened first: under systemd that is
    /// systemd). `None` where the system does not tell, or cannot: a peer outside our PID namespace.
    pub pid: Option<u32>,
}

/// Takes connections. Never removes its path: that is for whoever holds the lock of the path.
#[derive(Debug)]
pub struct Listener(platform::Listener);

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
    if server.user != own_user() {
        return Err(TransportError::ForeignServer { path: path.to_owned(), user: server.user });
    }
    Ok(stream)
}

impl Listener {
    /// The next connection. An error is about this process (descriptors, memory), not about a peer.
    pub async fn accept(&self) -> std::io::Result<(Stream, Credentials)> {
        let stream = self.0.accept().await?;
        let credentials = platform::credentials(&stream)?;
        Ok((stream, credentials))
    }
}

/// Decides which users may talk to a process of one user: that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    user: User,
}

/// What the kernel shows instead of a user that a user namespace does not know.
#[cfg(unix)]
pub(crate) const OVERFLOW_UID: u32 = 65534;

impl Authority {
    pub fn of(user: User) -> Authority {
        Authority { user }
    }

    /// Whether `peer` may talk. If not: a sentence that says why and what to do instead.
    pub fn admit(&self, peer: &User) -> Result<(), String> {
        if *peer == self.user || planted(Bug::NoUidCheck) {
            return Ok(());
        }
        Err(platform::turned_away(peer, &self.user))
    }
}

#[cfg(all(test, unix))]
mod tests;
