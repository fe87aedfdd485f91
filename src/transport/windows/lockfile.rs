//! The files that locks are. Windows keeps others from reading what is locked, so what is locked is one
//! byte far behind the end of the file, and its note can be read.

#![expect(unsafe_code, reason = "Windows has no other interface; each call says why it holds")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_OPEN_REPARSE_POINT, GetFileInformationByHandle,
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::super::TransportError;
use super::security::done;

/// Where the byte is that is locked: no note is so long.
const LOCKED_AT: u32 = 1 << 30;

/// Opens the file, which is made with the rights of its folder.
pub fn open(path: &Path) -> Result<File, TransportError> {
    let error = |e| TransportError::io("open the lock", path, e);
    let file = reading().write(true).create(true).truncate(false).open(path).map_err(error)?;
    if !file.metadata().map_err(error)?.is_file() {
        return Err(TransportError::Unsafe {
            path: path.to_owned(),
            problem: "is where a lock belongs, and is not a file".to_owned(),
            cure: format!("look what it is, then move `{}` away", path.display()),
        });
    }
    Ok(file)
}

/// How such a file is opened to be read: not through a link.
pub fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    options
}

/// Whether this handle holds the lock now.
pub fn try_lock(file: &File) -> io::Result<bool> {
    let mut place = OVERLAPPED::default();
    place.Anonymous.Anonymous.Offset = LOCKED_AT;
    let how = LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: the handle is open, and the call does not outlive `place`: it fails rather than to wait.
    match done(unsafe { LockFileEx(file.as_raw_handle(), how, 0, 1, 0, &mut place) }) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Whether the open file is the one at `path`.
pub fn is_at(file: &File, path: &Path) -> bool {
    let there = reading().open(path);
    there.is_ok_and(|there| identity(&there).is_some_and(|there| Some(there) == identity(file)))
}

/// Volume and number of a file.
fn identity(file: &File) -> Option<(u32, u32, u32)> {
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and the callee fills the structure.
    done(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut found) }).ok()?;
    Some((found.dwVolumeSerialNumber, found.nFileIndexHigh, found.nFileIndexLow))
}

pub fn bytes_of(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

pub fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
