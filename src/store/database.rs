//! The tables' database: redb as the store uses it.
//!
//! Where processors are few, whoever answers calls goes first: what brings rows in gives its processor up between
//! them, and before each write of a page (`store/polite.rs`). The scheduler alone lets it run for milliseconds.
//!
//! What always holds:
//! - redb opens a file with all its checks, or not at all.
//! - Every write transaction begins in [`Database::begin_write`]; its commit returns after the data was synced.
//! - The same transaction that brings in the last of the journal's rows says that the tables lack them no more.

use std::path::Path;
use std::thread;
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{Builder, Durability, ReadTransaction, ReadableDatabase, StorageBackend, WriteTransaction};

use super::StoreError;
use super::cells::net;
use super::faults::guarded;
use super::file::{self, Place};
use super::journal::Mark;
use super::polite::Polite;
use super::tables::Tables;
use crate::planted::{Bug, planted};

/// Bytes of pages that redb keeps in memory. All mail is in the broker's memory already: the cache
/// serves the upper pages of the trees. redb's own default is 1 GiB.
const CACHE_BYTES: usize = 4 << 20;

/// How often and how long apart an open is tried while another process holds the file, 5 s in all:
/// a daemon that was killed holds it until the kernel has done away with it.
pub(super) const OPEN_TRIES: u32 = 500;
const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// redb frees in one pass what the last one moved; so many passes find an end in practice.
const COMPACT_PASSES: u32 = 4;

/// Rows between two times at which others are let go first, if they wait for a processor: some 20 µs.
const ROWS_IN_ONE_GO: usize = 8;

pub(super) struct Database {
    db: redb::Database,
    /// How it commits: see [`StoreOptions`](super::StoreOptions).
    pub(super) two_phase: bool,
}

impl Database {
    pub(super) fn over(backend: impl StorageBackend, two_phase: bool) -> Result<Database, StoreError> {
        let db = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .set_repair_callback(|session| {
                tracing::debug!(progress = session.progress(), "checking the store");
            })
            .create_with_backend(Polite(backend))?;
        Ok(Database { db, two_phase })
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, StoreError> {
        Ok(self.db.begin_read()?)
    }

    /// The only place where a write transaction begins, so that no commit is of another kind.
    pub(super) fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        let mut write = self.db.begin_write()?;
        let sync = !planted(Bug::NoSync);
        write.set_durability(if sync { Durability::Immediate } else { Durability::None })?;
        // Implies two phases, and saves the walk over the file that they would need after a crash.
        write.set_quick_repair(self.two_phase);
        Ok(write)
    }

    /// Brings cells into the tables, and says with them what these lack of the journal from now on, if that changes.
    pub(super) fn bring_in(&self, cells: &[&[u8]], mark: Option<Mark>) -> Result<(), StoreError> {
        self.bring_in_by(usize::MAX, cells, mark)
    }

    /// The same with so many rows in one commit, or fewer. The word comes with the last: what ends it half way leaves
    /// rows that the next one makes the same once more.
    pub(super) fn bring_in_by(
        &self,
        rows_max: usize,
        cells: &[&[u8]],
        mark: Option<Mark>,
    ) -> Result<(), StoreError> {
        let rows = net(cells)?;
        let mut rest = rows.as_slice();
        loop {
            let (piece, later) = rest.split_at(rest.len().min(rows_max));
            let write = self.begin_write()?;
            let mut tables = Tables::new(&write);
            for some in piece.chunks(ROWS_IN_ONE_GO) {
                thread::yield_now();
                some.iter().try_for_each(|cell| tables.apply(cell))?;
            }
            if later.is_empty()
                && let Some(mark) = mark
            {
                tables.put_mark(mark)?;
            }
            drop(tables);
            write.commit()?;
            if later.is_empty() {
                return Ok(());
            }
            rest = later;
        }
    }

    pub(super) fn compact(&mut self) -> Result<(), StoreError> {
        for _ in 0..COMPACT_PASSES {
            if !self.db.compact()? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn close(self) -> Result<(), StoreError> {
        Ok(self.db.close()?)
    }
}

/// The file at a path, as redb has it.
pub(super) fn backend(path: &Path) -> Result<(FileBackend, Place), StoreError> {
    let file = file::open(path)?;
    let place = Place::of(path, &file)?;
    Ok((FileBackend::new(file)?, place))
}

/// Puts a new file with what `fill` makes of it in place of whatever is at `path`.
pub(super) fn create(
    path: &Path,
    two_phase: bool,
    fill: impl FnOnce(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    file::create(path, |file| {
        guarded(|| {
            let db = Database::over(FileBackend::new(file)?, two_phase)?;
            fill(&db)?;
            db.close()
        })
    })
}

/// Opens what another process may be about to let go.
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
