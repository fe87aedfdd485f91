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
        // O_NONBLOCK means nothing to a regular file, and keeps a planted FIFO from hanging us.
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options
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

/// The folder that `path` is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
