//! Locks between processes, as files.
//!
//! What always holds: the kernel lets go of a lock when its holder is gone, however it ended; the file
//! itself is never removed and says nothing about who is alive. Its note is for people and for error
//! messages.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;
use tokio::time::Instant;

use super::{TransportError, own_uid};

/// Between two tries for a lock that somebody holds: short beside the start of a daemon.
const RETRY: Duration = Duration::from_millis(10);

/// Bytes of a note: a pid and the longest path.
const NOTE_BYTES_MAX: u64 = 4200;

/// Held until it is dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

/// What the holder of a lock says of itself. It may be left from an earlier holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub pid: u32,
    pub socket: PathBuf,
}

impl FileLock {
    /// Takes the lock at `path`; `None` if somebody holds it. The file is created for the owner alone.
    pub fn try_acquire(path: &Path) -> Result<Option<FileLock>, TransportError> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(TransportError::io("lock", path, e)),
            }
            // A file that was removed meanwhile locks nobody out.
            if is_at(&file, path) {
                return Ok(Some(FileLock { file, path: path.to_owned() }));
            }
        }
    }

    /// Takes the lock at `path`, waiting for it until `deadline`; `None` if somebody holds it still.
    pub async fn acquire_until(path: &Path, deadline: Instant) -> Result<Option<FileLock>, TransportError> {
        loop {
            if let Some(lock) = FileLock::try_acquire(path)? {
                return Ok(Some(lock));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Says who holds the lock.
    pub fn write_note(&mut self, note: &Note) -> Result<(), TransportError> {
        let mut text = format!("{}\n", note.pid).into_bytes();
        text.extend_from_slice(note.socket.as_os_str().as_bytes());
        text.push(b'\n');
        let file = &mut self.file;
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&text));
        written.map_err(|e| TransportError::io("write", &self.path, e))
    }
}

/// What the holder of the lock at `path`, or its last holder, said of itself.
pub fn read_note(path: &Path) -> Option<Note> {
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).ok()?;
    let mut text = Vec::new();
    file.take(NOTE_BYTES_MAX).read_to_end(&mut text).ok()?;
    let text = text.strip_suffix(b"\n")?;
    let end = text.iter().position(|b| *b == b'\n')?;
    let pid = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some(Note { pid, socket: PathBuf::from(std::ffi::OsString::from_vec(text[end + 1..].to_vec())) })
}

fn open(path: &Path) -> Result<File, TransportError> {
    let error = |e| TransportError::io("open the lock", path, e);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(error)?;
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

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |found: io::Result<fs::Metadata>| found.ok().map(|found| (found.dev(), found.ino()));
    identity(file.metadata()) == identity(fs::symlink_metadata(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holds_and_the_next_waits() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lock");
        let held = FileLock::try_acquire(&path).unwrap().unwrap();
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        assert!(FileLock::acquire_until(&path, Instant::now()).await.unwrap().is_none());
        let next = tokio::spawn({
            let path = path.clone();
            async move { FileLock::acquire_until(&path, Instant::now() + Duration::from_secs(30)).await }
        });
        drop(held);
        assert!(next.await.unwrap().unwrap().is_some());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_note_is_read_while_the_lock_is_held() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lock");
        assert_eq!(read_note(&path), None);
        let mut lock = FileLock::try_acquire(&path).unwrap().unwrap();
        assert_eq!(read_note(&path), None);
        let long = Note { pid: 4_000_000, socket: "/run/user/1000/ipcd/ipcd.sock".into() };
        let short = Note { pid: 7, socket: "/a b".into() };
        for note in [long, short] {
            lock.write_note(&note).unwrap();
            assert_eq!(read_note(&path), Some(note));
        }
    }

    #[test]
    fn a_lock_whose_file_was_removed_does_not_count() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lock");
        let old = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&old, &path));
        let _new = FileLock::try_acquire(&path).unwrap().unwrap();
        assert!(!is_at(&old, &path));
    }

    #[test]
    fn only_a_file_of_ours_is_a_lock() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("target"), "").unwrap();
        std::os::unix::fs::symlink("target", home.path().join("link")).unwrap();
        assert!(FileLock::try_acquire(&home.path().join("link")).is_err());
        assert!(FileLock::try_acquire(home.path()).is_err());
    }
}
