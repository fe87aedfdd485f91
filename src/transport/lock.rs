//! Locks between processes, as files.
//!
//! What always holds: the kernel lets go of a lock when its holder is gone, however it ended; the file
//! itself is never removed and says nothing about who is alive. Its note is for people and for error
//! messages.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::TransportError;
use super::platform::lockfile::{bytes_of, is_at, open, path_of, reading, try_lock};

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
            if !try_lock(&file).map_err(|e| TransportError::io("lock", path, e))? {
                return Ok(None);
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
        text.append(&mut bytes_of(&note.socket));
        text.push(b'\n');
        let file = &mut self.file;
        // Over what is there, and not after cutting it: a full disk has room for that.
        let written = file.rewind().and_then(|()| file.write_all(&text));
        let written = written.and_then(|()| file.set_len(text.len() as u64));
        written.map_err(|e| TransportError::io("write", &self.path, e))
    }
}

/// What the holder of the lock at `path`, or its last holder, said of itself.
pub fn read_note(path: &Path) -> Option<Note> {
    let file = reading().open(path).ok()?;
    let mut text = Vec::new();
    file.take(NOTE_BYTES_MAX).read_to_end(&mut text).ok()?;
    let text = text.strip_suffix(b"\n")?;
    let end = text.iter().position(|b| *b == b'\n')?;
    let pid = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some(Note { pid, socket: path_of(text[end + 1..].to_vec()) })
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::fs;

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
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
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

    #[cfg(unix)] // under wine an open file keeps its name
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

    #[cfg(unix)]
    #[test]
    fn only_a_file_of_ours_is_a_lock() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("target"), "").unwrap();
        std::os::unix::fs::symlink("target", home.path().join("link")).unwrap();
        assert!(FileLock::try_acquire(&home.path().join("link")).is_err());
        assert!(FileLock::try_acquire(home.path()).is_err());
    }
}
