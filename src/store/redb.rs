//! The store that ipcd runs on: one redb file, one write transaction for each commit.
//!
//! What always holds:
//! - Every write transaction begins in [`begin_write`]; its commit returns after the data was synced.
//! - A file comes into place complete, and one that is too new or damaged is refused before a byte
//!   of it changes.
//! - After the first failure nothing is written: redb itself says that the file may or may not hold
//!   the commit, and only opening it again tells.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{Builder, Database, Durability, ReadableDatabase, StorageBackend, WriteTransaction};

use super::file::{self, Found, Place};
use super::head::Head;
use super::migrate::{self, STEPS, Step, Verdict};
use super::tables::{Rows, Tables};
use super::{Recovered, Store, StoreError, StoreOptions, peek};
use crate::broker::mutation::{Counters, Mutation};
use crate::planted::{Bug, planted};

/// Bytes of pages that redb keeps in memory. All mail is in the broker's memory already: the cache
/// serves the upper pages of the trees. redb's own default is 1 GiB.
const CACHE_BYTES: usize = 4 << 20;

/// How often and how long apart an open is tried while another process holds the file, 5 s in all:
/// a daemon that was killed holds it until the kernel has done away with it.
const OPEN_TRIES: u32 = 100;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// A file larger than this, in bytes, and more than so many times its rows, is compacted at start:
/// it keeps the size of its fullest day otherwise.
const COMPACT_BYTES: u64 = 16 << 20;
const COMPACT_RATIO: u64 = 4;
/// redb frees in one pass what the last one moved; so many passes find an end in practice.
const COMPACT_PASSES: u32 = 4;

type Opener = Box<dyn Fn() -> Result<Opened, StoreError> + Send>;

/// A [`Store`] in a redb file.
pub struct RedbStore {
    /// Absent after a failure.
    db: Option<Database>,
    two_phase: bool,
    /// Opens it once more.
    open: Opener,
    /// Absent for a backend that is no file.
    place: Option<Place>,
    head: Option<Head>,
}

impl RedbStore {
    /// Opens the store, or creates it, and reads all of it. Takes up to 5 s while another process
    /// holds the file.
    ///
    /// # Errors
    /// Any [`StoreError`] but `FailedBefore` and `Gone`. After `TooNew` and after most of `Damaged`
    /// the file is as it was before.
    pub fn open(options: StoreOptions) -> Result<Recovered<RedbStore>, StoreError> {
        RedbStore::open_with(&options, STEPS, OPEN_TRIES)
    }

    pub(super) fn open_with(
        options: &StoreOptions,
        steps: &[Step],
        tries: u32,
    ) -> Result<Recovered<RedbStore>, StoreError> {
        let path = options.path.as_path();
        file::check_folder(path)?;
        let mut warnings = Vec::new();
        let head = Head::open(&options.head)
            .inspect_err(|error| {
                warn(&mut warnings, format!("cannot use {}: {error}", options.head.display()));
            })
            .ok();
        let created = match file::look(path)? {
            Found::Empty if head.as_ref().is_some_and(|head| head.last().is_some()) => {
                return Err(StoreError::Damaged(format!("{} is empty and was not before", path.display())));
            }
            Found::Empty | Found::Nothing => {
                create(path, steps, options.two_phase)?;
                true
            }
            Found::Something => {
                let schema = patiently(tries, || guarded(|| peek::schema(backend(path)?.0)))?;
                if let Verdict::Old(found) = migrate::judge(schema, steps)? {
                    file::copy_aside(path, found)?;
                }
                false
            }
        };
        let read = || read(options, steps, tries);
        let mut recovered = read()?.recovered(opener(options));
        if recovered.is_sparse()
            && let Err(error) = recovered.compact()
        {
            // A full disk, most likely: it is no reason not to start.
            tracing::warn!(%error, "cannot compact the store; going on without it");
            drop(recovered);
            recovered = read()?.recovered(opener(options));
        }
        recovered.fresh |= created;
        recovered.warnings = warnings;
        recovered.store.head = head;
        recovered.compare_with_head();
        Ok(recovered)
    }

    /// A store over another backend, without a head: for tests that cut the power.
    pub fn with_backend(
        backend: impl StorageBackend + Clone,
        two_phase: bool,
    ) -> Result<Recovered<RedbStore>, StoreError> {
        let open = move || guarded(|| recover(build(backend.clone())?, STEPS, two_phase));
        Ok(open()?.recovered(Box::new(open)))
    }

    fn write(&self, mutations: &[Mutation]) -> Result<(), StoreError> {
        let db = self.db.as_ref().ok_or(StoreError::FailedBefore)?;
        let write = begin_write(db, self.two_phase)?;
        Tables::new(&write).apply_all(mutations)?;
        write.commit()?;
        Ok(())
    }

    /// Lets the file go. What failed once fails again on the way out, and was told.
    fn give_up(&mut self) {
        let db = self.db.take();
        let _ = guarded(|| {
            drop(db);
            Ok(())
        });
    }

    fn write_head(&mut self, last_message: u64) {
        if let Some(head) = &mut self.head
            && let Err(error) = head.write(last_message)
        {
            // It only helps to notice damage later: no reason to refuse what is durable.
            tracing::warn!(%error, "cannot write the head of the store; going on without it");
            self.head = None;
        }
    }
}

impl Store for RedbStore {
    fn commit(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        if mutations.is_empty() {
            return Ok(());
        }
        let place = self.place.as_ref().map_or(Ok(()), Place::check);
        let done = place.and_then(|()| guarded(|| self.write(mutations)));
        if let Err(error) = done {
            self.give_up();
            return Err(error);
        }
        if let Some(counters) = last_counters(mutations) {
            self.write_head(counters.last_message);
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<Vec<Mutation>, StoreError> {
        self.give_up();
        self.place.as_ref().map_or(Ok(()), Place::check)?;
        let Opened { db, place, rows, .. } = (self.open)()?;
        (self.db, self.place) = (Some(db), place);
        Ok(rows.mutations)
    }

    fn size_bytes(&self) -> u64 {
        self.place.as_ref().map_or(0, Place::size_bytes)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        let Some(db) = self.db else { return Ok(()) };
        guarded(|| Ok(db.close()?))
    }
}

impl Recovered<RedbStore> {
    /// Says so when the store ends before the head does, and never gives the numbers between them
    /// again: readers may have seen the messages that bore them.
    fn compare_with_head(&mut self) {
        let stored = last_counters(&self.mutations).map_or(0, |counters| counters.last_message);
        let head = self.store.head.as_ref().and_then(Head::last).unwrap_or(0);
        if stored < head {
            let what = if self.fresh { "is new" } else { "was rolled back" };
            warn(
                &mut self.warnings,
                format!(
                    "the store {what}: it ends at message {stored}, and message {head} was stored once; unread mail may be lost"
                ),
            );
            let mut counters = last_counters(&self.mutations).copied().unwrap_or_default();
            counters.last_message = head;
            self.mutations.retain(|mutation| !matches!(mutation, Mutation::PutCounters(_)));
            self.mutations.insert(0, Mutation::PutCounters(counters));
        }
        self.store.write_head(stored.max(head));
    }

    fn is_sparse(&self) -> bool {
        let size = self.store.size_bytes();
        size > COMPACT_BYTES && size > COMPACT_RATIO * self.row_bytes
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        let before = self.store.size_bytes();
        let Some(db) = &mut self.store.db else { return Ok(()) };
        guarded(|| {
            for _ in 0..COMPACT_PASSES {
                if !db.compact()? {
                    break;
                }
            }
            Ok(())
        })?;
        tracing::info!(before, after = self.store.size_bytes(), "the store was compacted");
        Ok(())
    }
}

/// The only place where a write transaction begins, so that no commit is of another kind.
pub(super) fn begin_write(db: &Database, two_phase: bool) -> Result<WriteTransaction, StoreError> {
    let mut write = db.begin_write()?;
    let sync = !planted(Bug::NoSync);
    write.set_durability(if sync { Durability::Immediate } else { Durability::None })?;
    // Implies two phases, and saves the walk over the file that they would need after a crash.
    write.set_quick_repair(two_phase);
    Ok(write)
}

fn build(backend: impl StorageBackend) -> Result<Database, StoreError> {
    let db = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .set_repair_callback(|session| {
            tracing::debug!(progress = session.progress(), "checking the store");
        })
        .create_with_backend(backend)?;
    Ok(db)
}

fn backend(path: &Path) -> Result<(FileBackend, Place), StoreError> {
    let file = file::open(path)?;
    let place = Place::of(path, &file)?;
    Ok((FileBackend::new(file)?, place))
}

fn create(path: &Path, steps: &[Step], two_phase: bool) -> Result<(), StoreError> {
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
struct Opened {
    db: Database,
    two_phase: bool,
    place: Option<Place>,
    rows: Rows,
    fresh: bool,
}

impl Opened {
    fn recovered(self, open: Opener) -> Recovered<RedbStore> {
        let Opened { db, two_phase, place, rows, fresh } = self;
        Recovered {
            store: RedbStore { db: Some(db), two_phase, open, place, head: None },
            mutations: rows.mutations,
            row_bytes: rows.bytes,
            fresh,
            warnings: Vec::new(),
        }
    }
}

fn opener(options: &StoreOptions) -> Opener {
    let options = options.clone();
    Box::new(move || read(&options, STEPS, OPEN_TRIES))
}

/// Opens an existing file and reads it.
fn read(options: &StoreOptions, steps: &[Step], tries: u32) -> Result<Opened, StoreError> {
    let (db, place) = patiently(tries, || {
        let (backend, place) = backend(&options.path)?;
        Ok((guarded(|| build(backend))?, place))
    })?;
    let opened = guarded(|| recover(db, steps, options.two_phase))?;
    Ok(Opened { place: Some(place), ..opened })
}

fn recover(db: Database, steps: &[Step], two_phase: bool) -> Result<Opened, StoreError> {
    let fresh = migrate::bring_up(&db, steps, two_phase)? == Verdict::Fresh;
    let rows = Rows::read(&db.begin_read()?)?;
    Ok(Opened { db, two_phase, place: None, rows, fresh })
}

fn last_counters(mutations: &[Mutation]) -> Option<&Counters> {
    mutations.iter().rev().find_map(|mutation| match mutation {
        Mutation::PutCounters(counters) => Some(counters),
        _ => None,
    })
}

fn warn(warnings: &mut Vec<String>, warning: String) {
    tracing::error!("{warning}");
    warnings.push(warning);
}

fn patiently<T>(tries: u32, mut open: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for _ in 1..tries {
        match open() {
            Err(StoreError::InUse) => thread::sleep(OPEN_PAUSE),
            other => return other,
        }
    }
    open()
}

/// Turns a panic of redb over damaged pages into an error. What the panic left half done is not used
/// again: an open gives its database up, and a commit marks its store as failed.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(StoreError::Damaged(format!("redb panicked: {what}")))
    })
}

macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> StoreError {
                classify(error.into())
            }
        }
    )*};
}

from_redb!(DatabaseError TransactionError TableError StorageError CommitError CompactionError SetDurabilityError);

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> StoreError {
        classify(redb::Error::Io(error))
    }
}

fn classify(error: redb::Error) -> StoreError {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};

    use redb::Error::*;
    match error {
        DatabaseAlreadyOpen | LockProtocolMismatch => StoreError::InUse,
        Corrupted(what) => StoreError::Damaged(what),
        Io(error) if matches!(error.kind(), InvalidData | UnexpectedEof) => {
            StoreError::Damaged(error.to_string())
        }
        Io(error) => StoreError::from_io("cannot read or write the store", error),
        error @ (RepairAborted
        | UpgradeRequired(_)
        | TableTypeMismatch { .. }
        | TypeDefinitionChanged { .. }
        | TableIsMultimap(_)
        | TableDoesNotExist(_)) => StoreError::Damaged(error.to_string()),
        error => StoreError::failed("cannot use the store", error),
    }
}
