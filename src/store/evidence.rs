//! What is kept of a damaged store beside the new one: its file, its journal, and a note for people, which stands until
//! somebody takes it away.
//!
//! What always holds: no byte of a file that is kept changes, it is never removed, and nothing takes its place.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{StoreError, StoreOptions, file};
use crate::files;
use crate::protocol::time::Timestamp;

/// Bytes of a note that are read: one line.
const NOTE_BYTES_MAX: u64 = 4096;

/// Keeps a damaged store and its journal, unless a salvage that was interrupted has done so, and returns where the
/// store's file is then.
pub(super) fn keep(options: &StoreOptions, at: Timestamp) -> Result<PathBuf, StoreError> {
    let (store, journal) = (&options.path, options.journal());
    let before = kept(store)?.into_iter().find(|kept| files::same(kept, store));
    let evidence = before.unwrap_or_else(|| beside(store, at, ""));
    if !files::same(store, &evidence) {
        keep_as(store, &evidence)?;
    }
    let kept = journal_of(&evidence);
    if fs::symlink_metadata(&journal).is_ok() && !files::same(&journal, &kept) {
        keep_as(&journal, &kept)?;
    }
    Ok(evidence)
}

/// The journal of a damaged store that is kept, if it had one.
pub(super) fn journal_of(evidence: &Path) -> PathBuf {
    file::beside(evidence, "journal")
}

/// Takes the journal away from where the new store has its own. What is evidence keeps its other name.
pub(super) fn take_journal_away(journal: &Path) -> Result<(), StoreError> {
    match fs::remove_file(journal) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::from_io(format!("cannot remove {}", journal.display()), error))
        }
        _ => Ok(()),
    }
}

/// Whether a salvage was begun, and no new store has taken the place of the damaged one yet. Where one has, it
/// ends the salvage: a journal that is evidence must not be written to.
pub(super) fn is_under_way(store: &Path) -> Result<bool, StoreError> {
    let kept = kept(store)?;
    let journal = file::beside(store, "journal");
    if kept.iter().any(|kept| files::same(kept, store)) {
        return Ok(true);
    }
    if kept.iter().any(|kept| files::same(&journal_of(kept), &journal)) {
        take_journal_away(&journal)?;
    }
    Ok(false)
}

/// Leaves a note beside the store that stands until a person removes it. One that says the same is left
/// as it is.
pub fn leave_note(store: &Path, at: Timestamp, text: &str) -> io::Result<()> {
    if notes(store).iter().any(|(_, said)| said == text) {
        return Ok(());
    }
    let path = beside(store, at, ".txt");
    let mut note = files::open(files::options().write(true).create(true).truncate(true), &path)?;
    writeln!(note, "{text}")?;
    note.sync_all()?;
    files::sync_dir(files::parent(store))
}

/// The notes that nobody has taken away, oldest first: where each is, and what it says.
pub fn notes(store: &Path) -> Vec<(PathBuf, String)> {
    let of = |path: PathBuf| {
        let mut text = Vec::new();
        files::open(files::options().read(true), &path)
            .ok()?
            .take(NOTE_BYTES_MAX)
            .read_to_end(&mut text)
            .ok()?;
        Some((path, String::from_utf8_lossy(&text).trim_end().to_owned()))
    };
    let all = siblings(store).unwrap_or_default();
    all.into_iter().filter(|path| path.extension().is_some_and(|e| e == "txt")).filter_map(of).collect()
}

/// Gives a file a second name that nothing has; on a file system without such names it is copied, so that its
/// path is never empty. What is no regular file is moved.
fn keep_as(path: &Path, kept: &Path) -> Result<(), StoreError> {
    let done = match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => fs::hard_link(path, kept)
            .or_else(|_| file::copy(path, kept, files::options().write(true).create_new(true))),
        _ if fs::symlink_metadata(kept).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        _ => fs::rename(path, kept),
    };
    done.and_then(|()| files::sync_dir(files::parent(path))).map_err(|error| {
        StoreError::from_io(format!("cannot keep {} as {}", path.display(), kept.display()), error)
    })
}

/// Damaged files that were kept before.
fn kept(store: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut all = siblings(store)
        .map_err(|e| StoreError::from_io(format!("cannot list {}", files::parent(store).display()), e))?;
    all.retain(|path| path.extension().is_none_or(|e| e != "txt" && e != "journal"));
    Ok(all)
}

fn siblings(store: &Path) -> io::Result<Vec<PathBuf>> {
    let prefix = format!("{}.damaged-", store.file_name().unwrap_or_default().to_string_lossy());
    let mut found: Vec<PathBuf> = fs::read_dir(files::parent(store))?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found)
}

fn beside(store: &Path, at: Timestamp, suffix: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(format!(".damaged-{}{suffix}", at.to_string().replace(':', "")));
    name.into()
}
