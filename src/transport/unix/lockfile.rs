//! The files that locks are.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use super::super::TransportError;
use super::own_uid;

/// Opens the file, which is made for the owner alone.
pub fn open(path: &Path) -> Result<File, TransportError> {
    let error = |e| TransportError::io("open the lock", path, e);
    let mut options = reading();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path).map_err(error)?;
    let found = file.metadata().map_err(error)?;
    if !found.is_file() || found.uid() != own_uid() {
        return Err(TransportError::Unsafe {
            path: path.to_owned(),
            problem: "is where a lock belongs, and is not a file of yours".to_owned(),
            cure: format!("look what it is, then move `{}` away", path.display()),
        });
    }
    if found.mode() & 0o777 != 0o600 {
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(error)?;
    }
    Ok(file)
}

/// How such a file is opened to be read: not through a link, and without waiting.
pub fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// Whether this handle holds the lock now.
pub fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the open file is the one at `path`.
pub fn is_at(file: &File, path: &Path) -> bool {
    let identity = |found: io::Result<fs::Metadata>| found.ok().map(|found| (found.dev(), found.ino()));
    identity(file.metadata()) == identity(fs::symlink_metadata(path))
}

pub fn bytes_of(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

pub fn path_of(bytes: Vec<u8>) -> PathBuf {
    std::ffi::OsString::from_vec(bytes).into()
}
