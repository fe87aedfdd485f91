//! A file that is written past the cache of the system, where that can be done, each write durable when it
//! returns: what the journal is. A record is read again only after a crash, so that to copy it into pages, to keep
//! account of them and to look for them at the sync is work for nothing.
//!
//! What always holds: what was written before a sync returns is durable, whichever way it went. A write past the
//! cache counts as synced on file systems alone whose sources say so; a server behind FUSE or 9p may take the flags for
//! a hint.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::StoreError;

/// A file to write to in whole sectors.
pub(super) struct Uncached {
    cached: FileBackend,
    /// Absent where the file system knows of no such thing.
    direct: Option<direct::File>,
    /// The file system, or the disk with its larger sectors, refused a write.
    was_refused: AtomicBool,
    /// Nothing was written through the cache since the last sync.
    is_synced: AtomicBool,
}

impl Uncached {
    /// `file` is the one at `path`.
    ///
    /// # Errors
    /// Those of redb's backend.
    pub(super) fn new(path: &Path, file: File) -> Result<Uncached, StoreError> {
        Ok(Uncached {
            direct: direct::File::open(path, &file),
            cached: FileBackend::new(file)?,
            was_refused: AtomicBool::new(false),
            // Not by whoever had it before.
            is_synced: AtomicBool::new(false),
        })
    }

    /// `None`: it cannot be done here.
    fn write_directly(&self, offset: u64, data: &[u8]) -> Option<io::Result<()>> {
        let direct = self.direct.as_ref().filter(|_| !self.was_refused.load(Ordering::Relaxed))?;
        match direct.write(offset, data) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                tracing::debug!(%error, "the journal is written through the cache from now on");
                self.was_refused.store(true, Ordering::Relaxed);
                None
            }
            done => Some(done),
        }
    }
}

impl StorageBackend for Uncached {
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_directly(offset, data).unwrap_or_else(|| {
            self.is_synced.store(false, Ordering::Relaxed);
            self.cached.write(offset, data)
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.cached.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.cached.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.is_synced.store(false, Ordering::Relaxed);
        self.cached.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if !self.is_synced.load(Ordering::Relaxed) {
            self.cached.sync_data()?;
            self.is_synced.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl fmt::Debug for Uncached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uncached")
    }
}

#[cfg(target_os = "linux")]
mod direct {
    use std::io;
    use std::os::unix::fs::{FileExt, OpenOptionsExt};
    use std::path::Path;

    use nix::sys::statfs::{
        BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, F2FS_SUPER_MAGIC, FsType, XFS_SUPER_MAGIC, fstatfs,
    };

    use crate::files;

    /// Where a direct, synchronous write ends with what a sync ends with. The first is that of ext2 and ext3, too.
    const TRUSTED: [FsType; 4] = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC];

    /// What memory has to be a multiple of, for any disk.
    const ALIGNMENT: usize = 4096;

    /// Opened once more, for direct and synchronous writes.
    pub(super) struct File(std::fs::File);

    impl File {
        pub(super) fn open(path: &Path, same: &std::fs::File) -> Option<File> {
            let kind = fstatfs(same).ok()?.filesystem_type();
            if !TRUSTED.contains(&kind) {
                return None;
            }
            let flags = files::FLAGS | libc::O_DIRECT | libc::O_DSYNC;
            let file = files::open(files::options().write(true).custom_flags(flags), path).ok()?;
            // Not what somebody put there meanwhile.
            files::are_same(&file, same).then_some(File(file))
        }

        /// # Errors
        /// `InvalidInput` where it cannot be written like this.
        pub(super) fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            let mut room = vec![0; data.len() + ALIGNMENT];
            let begin = room.as_ptr().align_offset(ALIGNMENT);
            let aligned = &mut room[begin..begin + data.len()];
            aligned.copy_from_slice(data);
            self.0.write_all_at(aligned, offset)
        }
    }
}

/// No other system has both, for a file that is also written in the ordinary way.
#[cfg(not(target_os = "linux"))]
mod direct {
    use std::io;
    use std::path::Path;

    pub(super) enum File {}

    impl File {
        pub(super) fn open(_path: &Path, _same: &std::fs::File) -> Option<File> {
            None
        }

        pub(super) fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file;

    #[test]
    fn what_was_written_is_read_whichever_way_it_went() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let open = || Uncached::new(&path, file::open_or_create(&path).unwrap()).unwrap();
        let file = open();
        file.write(0, &[1; 4096]).unwrap();
        // No disk takes this as it is: from here on, all goes through the cache.
        file.write(4000, &[2; 100]).unwrap();
        file.write(512, &[3; 512]).unwrap();
        file.sync_data().unwrap();
        for file in [file, open()] {
            let mut found = [0; 4100];
            file.read(0, &mut found).unwrap();
            let at = [0, 511, 512, 1023, 1024, 3999, 4000, 4099].map(|at| found[at]);
            assert_eq!(at, [1, 1, 3, 3, 1, 1, 2, 2]);
        }
    }

    #[test]
    fn a_file_that_took_the_place_of_another_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let file = file::open_or_create(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file::open_or_create(&path).unwrap();
        assert!(Uncached::new(&path, file).unwrap().direct.is_none());
    }
}
