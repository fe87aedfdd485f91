//! From a file to a database that can be believed, and what it holds; and new files in its place.
//!
//! What always holds: redb opens a file with all its checks, or not at all.

use std::path::Path;
use std::thread;
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, StorageBackend};

use super::faults::guarded;
use super::file::{self, Place};
use super::migrate::{self, STEPS, Step, Verdict};
use super::redb::begin_write;
use super::tables::{Rows, Tables};
use super::{StoreError, StoreOptions};
use crate::broker::mutation::Mutation;

/// Bytes of pages that redb keeps in memory. All mail is in the broker's memory already: the cache
/// serves the upper pages of the trees. redb's own default is 1 GiB.
const CACHE_BYTES: usize = 4 << 20;

/// How often and how long apart an open is tried while another process holds the file, 5 s in all:
/// a daemon that was killed holds it until the kernel has done away with it.
pub(super) const OPEN_TRIES: u32 = 500;
const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// Opens one store again.
pub(super) type Opener = Box<dyn Fn() -> Result<Opened, StoreError> + Send>;

pub(super) fn build(backend: impl StorageBackend) -> Result<Database, StoreError> {
    let db = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .set_repair_callback(|session| {
            tracing::debug!(progress = session.progress(), "checking the store");
        })
        .create_with_backend(backend)?;
    Ok(db)
}

pub(super) fn backend(path: &Path) -> Result<(FileBackend, Place), StoreError> {
    let file = file::open(path)?;
    let place = Place::of(path, &file)?;
    Ok((FileBackend::new(file)?, place))
}

pub(super) fn create(path: &Path, steps: &[Step], two_phase: bool) -> Result<(), StoreError> {
    file::create(path, |file| {
        guarded(|| {
            let db = build(FileBackend::new(file)?)?;
            migrate::bring_up(&db, steps, two_phase)?;
            Ok(db.close()?)
        })
    })
}

/// Puts a new store that holds `rows` in place of whatever is at `path`.
pub(super) fn create_with(path: &Path, rows: &[Mutation], two_phase: bool) -> Result<(), StoreError> {
    file::create(path, |file| {
        guarded(|| {
            let db = build(FileBackend::new(file)?)?;
            migrate::bring_up(&db, STEPS, two_phase)?;
            let write = begin_write(&db, two_phase)?;
            Tables::new(&write).apply_all(rows)?;
            write.commit()?;
            Ok(db.close()?)
        })
    })
}

/// A database that was opened, and what it holds.
pub(super) struct Opened {
    pub(super) db: Database,
    pub(super) two_phase: bool,
    pub(super) place: Option<Place>,
    pub(super) rows: Rows,
    pub(super) fresh: bool,
}

pub(super) fn opener(options: &StoreOptions) -> Opener {
    let options = options.clone();
    Box::new(move || read(&options, STEPS, OPEN_TRIES))
}

/// Opens an existing file and reads it.
pub(super) fn read(options: &StoreOptions, steps: &[Step], tries: u32) -> Result<Opened, StoreError> {
    let (db, place) = patiently(tries, || {
        let (backend, place) = backend(&options.path)?;
        Ok((guarded(|| build(backend))?, place))
    })?;
    let opened = guarded(|| recover(db, steps, options.two_phase))?;
    Ok(Opened { place: Some(place), ..opened })
}

pub(super) fn recover(db: Database, steps: &[Step], two_phase: bool) -> Result<Opened, StoreError> {
    let fresh = migrate::bring_up(&db, steps, two_phase)? == Verdict::Fresh;
    let rows = Rows::read(&db.begin_read()?)?;
    Ok(Opened { db, two_phase, place: None, rows, fresh })
}

pub(super) fn patiently<T>(
    tries: u32,
    mut open: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    for _ in 1..tries {
        match open() {
            Err(StoreError::InUse) => thread::sleep(OPEN_PAUSE),
            other => return other,
        }
    }
    open()
}
