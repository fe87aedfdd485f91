//! What can go wrong below the protocol.

use std::io;
use std::path::{Path, PathBuf};

use super::{User, platform};

/// A failure to reach, hold or trust something of the system. The text names the thing; [`hint`] says
/// what to do.
///
/// [`hint`]: TransportError::hint
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("cannot {doing} `{}`", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },

    /// Others could read, replace or have planted what is kept there.
    #[error("`{}` {problem}", path.display())]
    Unsafe { path: PathBuf, problem: String, cure: String },

    #[error("the socket path `{}` has {} bytes, and at most {max} are possible", path.display(), path.as_os_str().len())]
    PathTooLong { path: PathBuf, max: usize },

    /// Somebody else listens where our daemon should.
    #[error("{user} listens at `{}`, not you", path.display())]
    ForeignServer { path: PathBuf, user: User },

    /// A service manager handed over something else than our one socket.
    #[error("{0}")]
    Inherited(String),
}

impl TransportError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> TransportError {
        TransportError::Io { doing, path: path.to_owned(), source }
    }

    /// What to do about it; empty if that is plain from the error.
    pub fn hint(&self) -> String {
        match self {
            TransportError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "another user owns it, or a sandbox is in the way; IPCD_HOME=DIR uses another place"
                    .to_owned()
            }
            TransportError::Io { .. } => String::new(),
            TransportError::Unsafe { cure, .. } => cure.clone(),
            TransportError::PathTooLong { .. } => "set IPCD_HOME to a shorter path".to_owned(),
            TransportError::ForeignServer { user, .. } => platform::foreign_server_hint(user),
            TransportError::Inherited(_) => {
                "the socket unit must have one ListenStream= and FileDescriptorName=ipcd".to_owned()
            }
        }
    }

    /// Nobody listens there now; somebody may, a moment later.
    pub fn nobody_listens(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, NotFound};
        matches!(self, TransportError::Io { source, .. } if matches!(source.kind(), NotFound | ConnectionRefused))
    }

    /// Somebody listens there and has no place left for another connection now.
    pub fn is_crowded(&self) -> bool {
        matches!(self, TransportError::Io { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
    }

    /// The error and its causes in one line.
    pub fn in_full(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_door_is_told_from_a_failure_of_the_system() {
        let error = |kind: io::ErrorKind| TransportError::io("connect to", Path::new("/x"), kind.into());
        assert!(error(io::ErrorKind::PermissionDenied).hint().contains("IPCD_HOME"));
        assert_eq!(error(io::ErrorKind::StorageFull).hint(), "");
    }
}
