//! The file that this daemon runs from, and whether another one took its place: after an upgrade, the next
//! daemon is a newer one.

use std::path::{Path, PathBuf};

/// Where the program is, and which file that was at the start.
#[derive(Clone, Debug, Default)]
pub struct Program {
    path: Option<PathBuf>,
    identity: Option<Identity>,
}

/// Enough to tell a file from the one that an installer puts in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    file: (u64, u64),
    changed: Option<std::time::SystemTime>,
    bytes: u64,
}

impl Program {
    pub fn of_this_process() -> Program {
        let path = std::env::current_exe().ok();
        let identity = path.as_deref().and_then(identity);
        Program { path, identity }
    }

    /// For people; empty where the system does not tell.
    pub fn path(&self) -> String {
        self.path.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }

    /// Whether the path holds another file now, or none. A file that was never seen is not missed.
    pub fn is_replaced(&self) -> bool {
        let now = self.path.as_deref().and_then(identity);
        self.identity.is_some() && now != self.identity
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let found = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let file = {
        use std::os::unix::fs::MetadataExt as _;
        (found.dev(), found.ino())
    };
    #[cfg(not(unix))]
    let file = (0, 0);
    Some(Identity { file, changed: found.modified().ok(), bytes: found.len() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn program(path: &Path) -> Program {
        Program { path: Some(path.to_owned()), identity: identity(path) }
    }

    #[test]
    fn another_file_at_the_path_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let (path, new) = (home.path().join("ipcd"), home.path().join("new"));
        fs::write(&path, "1").unwrap();
        fs::write(&new, "1").unwrap();
        let running = program(&path);
        assert!(!running.is_replaced());
        fs::rename(&new, &path).unwrap();
        assert!(running.is_replaced(), "by another of the same words");
        assert!(!program(&path).is_replaced());
        fs::remove_file(&path).unwrap();
        assert!(running.is_replaced(), "by none");
        assert!(!program(&path).is_replaced(), "it was never seen");
        assert!(!Program::of_this_process().is_replaced());
    }
}
