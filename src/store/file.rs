//! The store's file: created whole or not at all, opened with care, watched while it is in use.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::StoreError;
use crate::files;

/// What is found at the store's path.
pub(super) enum Found {
    Nothing,
    /// A file without a byte in it.
    Empty,
    Something,
}

/// Looks without opening, so that nothing that is not a store is touched.
pub(super) fn look(path: &Path) -> Result<Found, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            Err(StoreError::Damaged(format!("{} is not a regular file", path.display())))
        }
        Ok(metadata) if metadata.len() == 0 => Ok(Found::Empty),
        Ok(_) => Ok(Found::Something),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(StoreError::from_io(format!("cannot look at {}", path.display()), error)),
    }
}

pub(super) fn open(path: &Path) -> Result<File, StoreError> {
    open_with(path, false)
}

/// Opens a file, or makes one that is there after a power cut, too, and empty.
pub(super) fn open_or_create(path: &Path) -> Result<File, StoreError> {
    // An empty one may have been made by a process that was killed before it came to the next lines.
    let is_there = matches!(look(path)?, Found::Something);
    let file = open_with(path, true)?;
    if !is_there {
        files::sync_dir(files::parent(path))
            .map_err(|error| StoreError::from_io(format!("cannot create {}", path.display()), error))?;
    }
    Ok(file)
}

fn open_with(path: &Path, create: bool) -> Result<File, StoreError> {
    #[cfg_attr(not(windows), expect(unused_mut, reason = "only Windows holds a file to its name"))]
    let mut options = files::options().read(true).write(true).create(create).clone();
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE};
        // Nobody may remove or rename it meanwhile, which is why a `Place` has nothing to check there.
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
    }
    files::open(&options, path)
        .map_err(|error| StoreError::from_io(format!("cannot open {}", path.display()), error))
}

/// Makes a new file through `fill` and puts it in place only when it is complete and on disk: redb
/// alone would leave a file behind that it cannot open, were it killed while it writes the header.
pub(super) fn create(
    path: &Path,
    fill: impl FnOnce(File) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let new = beside(path, "new");
    let failed = |error: io::Error| StoreError::from_io(format!("cannot create {}", new.display()), error);
    fill(
        files::open(files::options().read(true).write(true).create(true).truncate(true), &new)
            .map_err(failed)?,
    )?;
    open(&new)?.sync_all().map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    files::sync_dir(files::parent(path)).map_err(failed)
}

/// Copies the store's file, to be found as `….schema-N` when a migration turns out badly, and its journal, where
/// there is one, to the same name with `.journal` behind it.
pub(super) fn copy_aside(path: &Path, journal: &Path, schema: u64) -> Result<(), StoreError> {
    let copy = beside(path, &format!("schema-{schema}"));
    if let Found::Something = look(journal)? {
        copy_one(journal, &beside(&copy, "journal"))?;
    }
    copy_one(path, &copy)
}

fn copy_one(path: &Path, copy: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| {
        StoreError::from_io(format!("cannot copy the store to {} before changing it", copy.display()), error)
    };
    // One that is there already may not have come to its end.
    self::copy(path, copy, files::options().write(true).create(true).truncate(true))
        .and_then(|()| files::sync_dir(files::parent(path)))
        .map_err(failed)
}

/// Copies a file's bytes to a private one that is opened like this, and syncs them.
pub(super) fn copy(from: &Path, to: &Path, how: &OpenOptions) -> io::Result<()> {
    let mut from = files::open(files::options().read(true), from)?;
    let mut copy = files::open(how, to)?;
    io::copy(&mut from, &mut copy).and_then(|_| copy.sync_all()).inspect_err(|_| {
        // A part of it is no use, and takes the room that the next try needs.
        let _ = fs::remove_file(to);
    })
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Refuses a folder in which others could put another file in the store's place.
#[cfg(unix)]
pub(super) fn check_folder(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;
    let folder = files::parent(path);
    let failed = |error| StoreError::from_io(format!("cannot look at {}", folder.display()), error);
    let metadata = fs::metadata(folder).map_err(failed)?;
    if metadata.mode() & 0o022 != 0 {
        return Err(StoreError::UnsafeDirectory(folder.to_owned()));
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn check_folder(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Which file the path stood for when it was opened. A commit to a file that was removed or
/// replaced since would succeed and be lost.
pub(super) struct Place {
    path: PathBuf,
    #[cfg(unix)]
    identity: (u64, u64),
}

impl Place {
    pub(super) fn of(path: &Path, file: &File) -> Result<Place, StoreError> {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            let failed = |error| StoreError::from_io(format!("cannot look at {}", path.display()), error);
            let metadata = file.metadata().map_err(failed)?;
            let folder = files::parent(path);
            if fs::metadata(folder).map_err(failed)?.uid() != metadata.uid() {
                return Err(StoreError::UnsafeDirectory(folder.to_owned()));
            }
            identity(&metadata)
        };
        #[cfg(not(unix))]
        let _ = file;
        Ok(Place {
            path: path.to_owned(),
            #[cfg(unix)]
            identity,
        })
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        // Windows does not let a file go that was opened like this one.
        #[cfg(unix)]
        if !fs::symlink_metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity) {
            return Err(StoreError::Gone(self.path.clone()));
        }
        Ok(())
    }

    /// Has the system forget what it keeps of the file in memory. After a sync that failed it shows what it
    /// could not write, as if that were on disk, and forgets it at a time of its own; what is read from here
    /// on is the disk's. (Linux; elsewhere the system decides.)
    pub(super) fn forget_cached(&self) {
        let Ok(file) = open(&self.path) else { return };
        // Its outcome says nothing: what could not be written before may count as written now.
        let _ = file.sync_data();
        #[cfg(target_os = "linux")]
        {
            use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
            if let Err(error) = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED) {
                tracing::warn!(%error, "what was not written may be read once more");
            }
        }
    }
}

/// Where the files of a store are.
pub(super) struct Places {
    pub(super) store: Place,
    /// Of a journal to which commits go.
    pub(super) journal: Option<Place>,
}

impl Places {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.store.check()?;
        self.journal.as_ref().map_or(Ok(()), Place::check)
    }

    /// Of the store's file alone: the journal's has one length.
    pub(super) fn size_bytes(&self) -> u64 {
        fs::metadata(&self.store.path).map_or(0, |metadata| metadata.len())
    }

    /// See [`Place::forget_cached`].
    pub(super) fn forget_cached(&self) {
        self.store.forget_cached();
        self.journal.iter().for_each(Place::forget_cached);
    }
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}
