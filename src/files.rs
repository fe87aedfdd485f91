//! Files and folders that only their owner may use: the one place that knows how they are opened.
//!
//! What always holds: a file opened here is a regular file of mode 0600 whatever the umask, was not
//! reached through a link in its last component, and opening it never waits.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a private file with what `options` asks for; see [`options`].
///
/// # Errors
/// Those of the system, and `InvalidInput` for what is not a regular file.
pub(crate) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // An umask may have taken the owner's bits, and an older tool may have given others some.
        if metadata.permissions().mode() & 0o777 != 0o600 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

/// What every private file is opened with; the caller adds reading, writing and creating.
pub(crate) fn options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "the flags below are Unix's"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(FLAGS);
    }
    options
}

/// What [`options`] has of flags, for who needs more of them. `O_NONBLOCK` means nothing to a regular file, and
/// keeps a planted FIFO from hanging us.
#[cfg(unix)]
pub(crate) const FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// Whether both are one file that was opened twice.
#[cfg(target_os = "linux")]
pub(crate) fn are_same(one: &File, other: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |file: &File| file.metadata().map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// Creates a folder of mode 0700 and those above it, unless it exists.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Makes what was created, renamed or removed in a folder survive a power cut.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    // Elsewhere a folder cannot be opened as a file, and the file system's journal has to do.
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Whether both paths are names of one regular file. Not when either cannot be looked at; a link is
/// looked at itself.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((found.dev(), found.ino()))
}

/// The long form of a file's number: the short one is not unique on every file system.
#[cfg(windows)]
fn identity(path: &Path) -> Option<(u64, [u8; 16])> {
    use std::os::windows::fs::OpenOptionsExt;
    use std::os::windows::io::AsRawHandle;
    use windows_sys::Win32::Storage::FileSystem::{
        FILE_FLAG_OPEN_REPARSE_POINT, FILE_ID_INFO, FileIdInfo, GetFileInformationByHandleEx,
    };
    let options = options().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).clone();
    let file = open(&options, path).ok()?;
    let mut found = FILE_ID_INFO::default();
    let size = u32::try_from(size_of::<FILE_ID_INFO>()).ok()?;
    #[expect(unsafe_code, reason = "Windows has no other interface")]
    // SAFETY: the handle is open, and the callee fills the structure, whose size it is told.
    let done = unsafe {
        GetFileInformationByHandleEx(file.as_raw_handle(), FileIdInfo, (&raw mut found).cast(), size)
    };
    (done != 0).then_some((found.VolumeSerialNumber, found.FileId.Identifier))
}

/// The folder that `path` is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_of_one_file_are_told_from_two_files() {
        let folder = tempfile::tempdir().unwrap();
        let [one, name, copy, none] = ["one", "name", "copy", "none"].map(|name| folder.path().join(name));
        fs::write(&one, "mail").unwrap();
        fs::hard_link(&one, &name).unwrap();
        fs::copy(&one, &copy).unwrap();
        assert!(same(&one, &name) && same(&one, &one));
        assert!(!same(&one, &copy) && !same(&one, &none) && !same(&none, &none));
        assert!(!same(folder.path(), folder.path()), "no file at all");
    }
}
