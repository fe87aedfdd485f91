//! Directories that nobody else can look into.
//!
//! What always holds: a directory that is handed back is a real one and no link, belongs to this user (or
//! to the system and its administrators, who can do everything anyway), and its list of rights has
//! nobody else in it. One that is made here belongs to its user alone, and so does what is made in it:
//! that stands for the mode of each file.

#![expect(unsafe_code, reason = "a list of rights at birth has no other interface")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsHandle;
use std::path::Path;

use windows_sys::Win32::Security::Authorization::SE_FILE_OBJECT;
use windows_sys::Win32::Storage::FileSystem::{
    CreateDirectoryW, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES,
    READ_CONTROL,
};

use super::super::TransportError;
use super::security::{Descriptor, User, done, guard_of, own_user, wide};

/// What is made in the directory gets its list of rights, files and folders alike.
const INHERITED: &str = "OICI";

/// Makes sure that `path` is a directory of ours alone, and creates what is missing of it. Refuses what
/// others may use, and a link in the last place. The way to it is not looked at.
pub fn private_dir(path: &Path) -> Result<(), TransportError> {
    let path = std::path::absolute(path).map_err(|e| TransportError::io("find", path, e))?;
    create(&path)?;
    let error = |e| TransportError::io("look at", &path, e);
    let directory = open(&path).map_err(error)?;
    let found = directory.metadata().map_err(error)?;
    let refused = |problem: String| {
        Err(TransportError::Unsafe {
            path: path.clone(),
            problem,
            cure: format!(
                "if it is yours alone: icacls \"{}\" /inheritance:r /grant:r \"%USERNAME%:(OI)(CI)F\"; else set IPCD_HOME to another directory",
                path.display()
            ),
        })
    };
    if found.is_symlink() {
        return refused("is a link".to_owned());
    }
    if !found.is_dir() {
        return refused("is not a directory".to_owned());
    }
    let guard = guard_of(directory.as_handle(), SE_FILE_OBJECT).map_err(error)?;
    if !trusted(&guard.owner) {
        return refused(format!("belongs to {}, not to you", guard.owner));
    }
    match guard.allowed {
        None => refused("can be used by everybody".to_owned()),
        Some(allowed) => match allowed.iter().find(|user| !trusted(user)) {
            Some(other) => refused(format!("can be used by others ({other})")),
            None => Ok(()),
        },
    }
}

fn create(path: &Path) -> Result<(), TransportError> {
    let mut missing = Vec::new();
    for level in path.ancestors() {
        match fs::symlink_metadata(level) {
            Ok(_) => break,
            Err(e) if e.kind() == io::ErrorKind::NotFound => missing.push(level),
            Err(e) => return Err(TransportError::io("look at", level, e)),
        }
    }
    for level in missing.into_iter().rev() {
        match create_one(level) {
            // Another process was faster; what it made is looked at like anything that was there.
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(TransportError::io("create the directory", level, e));
            }
            _ => {}
        }
    }
    Ok(())
}

fn create_one(path: &Path) -> io::Result<()> {
    let descriptor = Descriptor::own(INHERITED)?;
    let (attributes, path) = (descriptor.attributes(), wide(path));
    // SAFETY: the path ends with a zero; the attributes live until the call is over.
    done(unsafe { CreateDirectoryW(path.as_ptr(), &attributes) })
}

/// Opens the directory itself, not what a link in its place leads to.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.access_mode(READ_CONTROL | FILE_READ_ATTRIBUTES);
    options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    options.open(path)
}

/// This user, the system, its administrators; and what stands for the owner of a thing.
fn trusted(user: &User) -> bool {
    *user == own_user() || ["S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4"].contains(&user.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_levels_are_made_and_no_other_user_is_in_the_list() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/c");
        private_dir(&path).unwrap();
        private_dir(&path).unwrap();
        let guard = guard_of(open(&path).unwrap().as_handle(), SE_FILE_OBJECT).unwrap();
        assert_eq!(guard.owner, own_user());
        // wine makes the list from a mode, and adds the system.
        assert!(guard.allowed.unwrap().iter().all(trusted), "{}", guard.text);
    }

    #[test]
    fn a_file_is_no_directory() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        let error = private_dir(&home.path().join("file")).unwrap_err();
        assert!(error.to_string().contains("is not a directory") && error.hint().contains("IPCD_HOME"));
    }

    #[test]
    fn those_who_can_do_everything_are_trusted_and_everybody_is_not() {
        for (sid, expected) in [("S-1-5-18", true), ("S-1-5-32-544", true), ("S-1-1-0", false)] {
            assert_eq!(trusted(&User::of_sid(sid)), expected);
        }
    }
}
