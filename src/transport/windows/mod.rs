//! The Windows half of the page: named pipes, peers by what the kernel knows of their ends.
//!
//! What always holds: a pipe lets in its owner alone, from this machine, and from its first moment on;
//! a client believes a pipe only if this user owns it; a daemon believes the bytes of a client only if
//! they came from this user. A pipe is gone with its last end: there is nothing stale to remove, and
//! nobody can take a name away.

mod account;
pub mod activation;
mod detached;
pub mod directory;
pub mod lockfile;
mod pipe;
mod security;
pub mod signals;

pub use account::{address, network_drive};
pub use activation::InheritedSocket;
pub use detached::{ask_to_end, descriptors_max, detach, reader_of_stdout_gone, spawn_detached};
pub use pipe::{Listener, Stream, adopt, bind, connect, credentials, remove_stale_socket, socket_identity};
pub use security::{User, own_user, process_user};

/// Why somebody is not let in.
pub fn turned_away(peer: &User, own: &User) -> String {
    format!("user {peer} may not use the mailbox of user {own}: each user has an ipcd of their own")
}

/// What to do about a pipe of another user that has our name.
pub fn foreign_server_hint(_server: &User) -> String {
    "another program has taken the name of ipcd's pipe: end it, or set IPCD_HOME to use another name"
        .to_owned()
}
