//! Directories that nobody else can look into or plant something in.
//!
//! What always holds: nothing is created through a symbolic link that somebody else could have made,
//! and a directory that is handed back can be changed by its owner (and root) alone, from the root of
//! the file system down. So paths below it can be used as names, without races.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use super::{OVERFLOW_UID, TransportError, own_uid};

/// Symbolic links on the way to one directory; as many as Linux follows.
const LINKS_MAX: usize = 40;

/// Makes sure that `path` is a directory of ours alone, and creates what is missing of it, durably.
/// Refuses what belongs to others, what others can write to on the way, and a link in the last place.
pub fn private_dir(path: &Path) -> Result<(), TransportError> {
    let mut walk = Walk::to(path)?;
    while let Some(name) = walk.rest.pop_front() {
        walk.step(name)?;
    }
    let found = fs::symlink_metadata(&walk.at).map_err(|e| TransportError::io("look at", path, e))?;
    let problem = if found.uid() != own_uid() {
        format!("belongs to user {}, not to you", found.uid())
    } else if found.mode() & 0o077 != 0 {
        format!("can be used by others (mode {:03o})", found.mode() & 0o777)
    } else {
        return Ok(());
    };
    Err(TransportError::Unsafe {
        path: path.to_owned(),
        problem,
        cure: format!(
            "if it is yours alone: chmod 700 '{}'; else set IPCD_HOME to another directory",
            path.display()
        ),
    })
}

/// The way from the root to one directory, links resolved one by one.
struct Walk<'a> {
    whole: &'a Path,
    /// So far: real, and changed by nobody else.
    at: PathBuf,
    rest: VecDeque<OsString>,
    links: usize,
}

impl<'a> Walk<'a> {
    fn to(whole: &'a Path) -> Result<Walk<'a>, TransportError> {
        let absolute = std::path::absolute(whole).map_err(|e| TransportError::io("find", whole, e))?;
        let mut walk = Walk { whole, at: PathBuf::from("/"), rest: VecDeque::new(), links: 0 };
        walk.push_front(&absolute);
        Ok(walk)
    }

    fn push_front(&mut self, path: &Path) {
        let names = path.components().filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir));
        for name in names.rev() {
            self.rest.push_front(name.as_os_str().to_owned());
        }
    }

    fn step(&mut self, name: OsString) -> Result<(), TransportError> {
        if name == ".." {
            self.at.pop();
            return Ok(());
        }
        let last = self.rest.is_empty();
        let next = self.at.join(name);
        let found = match fs::symlink_metadata(&next) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.create(&next)?,
            Err(e) => return Err(TransportError::io("look at", &next, e)),
        };
        if !trusted(found.uid()) {
            return Err(self.unsafe_because(&next, format!("belongs to user {}", found.uid())));
        }
        if found.is_symlink() {
            return self.follow(next, last);
        }
        if !found.is_dir() {
            return Err(self.unsafe_because(&next, "is not a directory".to_owned()));
        }
        let sticky = found.mode() & 0o1000 != 0;
        if !last && found.mode() & 0o022 != 0 && !sticky {
            let problem = format!("can be written to by others (mode {:03o})", found.mode() & 0o777);
            return Err(self.unsafe_because(&next, problem));
        }
        self.at = next;
        Ok(())
    }

    fn follow(&mut self, link: PathBuf, last: bool) -> Result<(), TransportError> {
        self.links += 1;
        if last || self.links > LINKS_MAX {
            return Err(self.unsafe_because(&link, "is a symbolic link".to_owned()));
        }
        let target = fs::read_link(&link).map_err(|e| TransportError::io("read the link", &link, e))?;
        if target.is_absolute() {
            self.at = PathBuf::from("/");
        }
        self.push_front(&target);
        Ok(())
    }

    fn create(&self, next: &Path) -> Result<Metadata, TransportError> {
        let error = |e| TransportError::io("create the directory", next, e);
        match DirBuilder::new().mode(0o700).create(next) {
            // The umask may have taken bits away that the owner needs.
            Ok(()) => fs::set_permissions(next, fs::Permissions::from_mode(0o700)).map_err(error)?,
            // Another process was faster; what it made is looked at like anything that was there.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(error(e)),
        }
        File::open(&self.at).and_then(|parent| parent.sync_all()).map_err(error)?;
        fs::symlink_metadata(next).map_err(error)
    }

    fn unsafe_because(&self, at: &Path, problem: String) -> TransportError {
        TransportError::Unsafe {
            path: at.to_owned(),
            problem,
            cure: format!(
                "`{}` needs a way that only you can change: set IPCD_HOME to another directory",
                self.whole.display()
            ),
        }
    }
}

/// Whether things of this user can be relied on.
fn trusted(uid: u32) -> bool {
    // In a user namespace without the real root even `/` belongs to the unknown user.
    let root_is_unknown = || fs::symlink_metadata("/").is_ok_and(|root| root.uid() == OVERFLOW_UID);
    uid == 0 || uid == own_uid() || (uid == OVERFLOW_UID && root_is_unknown())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn problem(path: &Path) -> String {
        match private_dir(path) {
            Err(TransportError::Unsafe { problem, cure, .. }) => {
                assert!(cure.contains("IPCD_HOME"));
                problem
            }
            other => panic!("{}: {other:?}", path.display()),
        }
    }

    #[test]
    fn missing_levels_are_made_for_the_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/c");
        private_dir(&path).unwrap();
        private_dir(&path).unwrap();
        for level in ["a", "a/b", "a/b/c"] {
            assert_eq!(mode(&home.path().join(level)), 0o700);
        }
    }

    #[test]
    fn what_others_can_use_is_refused_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("open");
        fs::create_dir(&path).unwrap();
        for bits in [0o755, 0o777, 0o710, 0o1777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
            assert!(problem(&path).contains("can be used by others"));
            assert_eq!(mode(&path), bits & 0o777);
        }
    }

    #[test]
    fn a_way_that_others_can_write_to_is_refused_unless_it_is_sticky() {
        let home = tempfile::tempdir().unwrap();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(problem(&open.join("mine")).contains("written to by others"));
        assert!(!open.join("mine").exists());
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
        private_dir(&open.join("mine")).unwrap();
    }

    #[test]
    fn a_link_in_the_last_place_is_refused_and_our_own_on_the_way_is_followed() {
        let home = tempfile::tempdir().unwrap();
        let real = home.path().join("real");
        fs::create_dir(&real).unwrap();
        symlink("real", home.path().join("link")).unwrap();
        assert_eq!(problem(&home.path().join("link")), "is a symbolic link");
        private_dir(&home.path().join("link/below/../below")).unwrap();
        assert_eq!(mode(&real.join("below")), 0o700);
    }

    #[test]
    fn a_link_to_nowhere_or_itself_creates_nothing() {
        let home = tempfile::tempdir().unwrap();
        symlink(home.path().join("nowhere"), home.path().join("link")).unwrap();
        symlink("round", home.path().join("round")).unwrap();
        assert_eq!(problem(&home.path().join("link")), "is a symbolic link");
        assert!(!home.path().join("nowhere").exists());
        assert_eq!(problem(&home.path().join("round/below")), "is a symbolic link");
    }

    #[test]
    fn a_file_is_no_directory() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        assert_eq!(problem(&home.path().join("file")), "is not a directory");
        assert_eq!(problem(&home.path().join("file/below")), "is not a directory");
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        if own_uid() != 0 {
            return; // only root can give something away
        }
        let home = tempfile::tempdir().unwrap();
        let foreign = home.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::set_permissions(&foreign, fs::Permissions::from_mode(0o700)).unwrap();
        chown(&foreign, Some(12345), Some(12345)).unwrap();
        assert_eq!(problem(&foreign), "belongs to user 12345");
        assert_eq!(problem(&foreign.join("below")), "belongs to user 12345");
        symlink("/tmp", home.path().join("link")).unwrap();
        std::os::unix::fs::lchown(home.path().join("link"), Some(12345), None).unwrap();
        assert_eq!(problem(&home.path().join("link/below")), "belongs to user 12345");
    }
}
