//! The store that ipcd runs on: one redb file, one write transaction for each commit.
//!
//! What always holds:
//! - Every write transaction begins in [`begin_write`]; its commit returns after the data was synced.
//! - A file comes into place complete, and one that is too new or damaged is refused before a byte
//!   of it changes.
//! - After the first failure nothing is written: redb itself says that the file may or may not hold
//!   the commit, and only opening it again tells.

use redb::{Database, Durability, StorageBackend, WriteTransaction};

use super::faults::guarded;
use super::file::{self, Found, Place};
use super::head::Head;
use super::migrate::{self, STEPS, Step, Verdict};
use super::opening::{OPEN_TRIES, Opened, Opener, backend, build, create, opener, patiently, read, recover};
use super::reserve::Reserve;
use super::tables::Tables;
use super::{Recovered, Store, StoreError, StoreOptions, peek};
use crate::broker::mutation::{Counters, Mutation};
use crate::planted::{Bug, planted};

/// A file larger than this, in bytes, and more than so many times its rows, is compacted at a start after an
/// orderly end: it keeps the size of its fullest day otherwise.
const COMPACT_BYTES: u64 = 16 << 20;
const COMPACT_RATIO: u64 = 4;
/// redb frees in one pass what the last one moved; so many passes find an end in practice.
const COMPACT_PASSES: u32 = 4;

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
    reserve: Option<Reserve>,
    /// The last message's number in what was found or committed: less of it is not believed again.
    last_message: u64,
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
        let mut reserve = Reserve::hold(path);
        let mut read = || match read(options, steps, tries) {
            Err(StoreError::Full(_)) if reserve.give_up() => super::opening::read(options, steps, tries),
            done => done,
        };
        let mut recovered = read()?.recovered(opener(options));
        if recovered.is_to_be_compacted()
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
        recovered.store.reserve = Some(reserve);
        recovered.compare_with_head();
        Ok(recovered)
    }

    /// A store over another backend, without a head: for tests that cut the power.
    pub fn with_backend(
        backend: impl StorageBackend + Clone,
        two_phase: bool,
    ) -> Result<Recovered<RedbStore>, StoreError> {
        RedbStore::with_backend_that(backend, two_phase, |_| {})
    }

    /// One whose backend is to `forget` before it is opened again.
    pub(super) fn with_backend_that<B: StorageBackend + Clone>(
        backend: B,
        two_phase: bool,
        forget: impl Fn(&B) + Send + 'static,
    ) -> Result<Recovered<RedbStore>, StoreError> {
        let first = guarded(|| recover(build(backend.clone())?, STEPS, two_phase))?;
        let open = move || {
            forget(&backend);
            guarded(|| recover(build(backend.clone())?, STEPS, two_phase))
        };
        Ok(first.recovered(Box::new(open)))
    }

    fn write(&self, mutations: &[Mutation]) -> Result<(), StoreError> {
        let db = self.db.as_ref().ok_or(StoreError::FailedBefore)?;
        let write = begin_write(db, self.two_phase)?;
        Tables::new(&write).apply_all(mutations)?;
        write.commit()?;
        Ok(())
    }

    /// Mail is stored only where the room is there with which it can be settled later.
    fn hold_room_for(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        match &mut self.reserve {
            Some(reserve) if mutations.iter().any(|m| matches!(m, Mutation::PutMessage(_))) => {
                reserve.hold_again()
            }
            _ => Ok(()),
        }
    }

    fn is_in_place(&self) -> Result<(), StoreError> {
        self.place.as_ref().map_or(Ok(()), Place::check)
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
        let room = self.hold_room_for(mutations);
        let done = room.and_then(|()| guarded(|| self.write(mutations)));
        // Behind the commit: a file that went while it was written to must not be answered for.
        if let Err(error) = done.and_then(|()| self.is_in_place()) {
            if let (StoreError::Full(_), Some(reserve)) = (&error, &mut self.reserve) {
                reserve.give_up();
            }
            self.give_up();
            // At once: this daemon may be about to end, and the next one reads the file as it finds it.
            self.place.iter().for_each(Place::forget_cached);
            return Err(error);
        }
        if let Some(counters) = last_counters(mutations) {
            self.last_message = counters.last_message;
            self.write_head(counters.last_message);
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<Vec<Mutation>, StoreError> {
        self.give_up();
        self.is_in_place()?;
        let Opened { db, place, rows, fresh, .. } = (self.open)()?;
        let found = last_counters(&rows.mutations).map_or(0, |counters| counters.last_message);
        if fresh || found < self.last_message {
            // A daemon that starts on it finds the head ahead of it, and tells everyone.
            return Err(StoreError::Damaged(format!(
                "it ends at message {found}, and message {} was stored by this daemon",
                self.last_message
            )));
        }
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

    /// After an unclean end the start is to be a quick one: somebody waits for it.
    fn is_to_be_compacted(&self) -> bool {
        let size = self.store.size_bytes();
        let clean = last_counters(&self.mutations).is_some_and(|counters| counters.clean);
        clean && size > COMPACT_BYTES && size > COMPACT_RATIO * self.row_bytes
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

impl Opened {
    fn recovered(self, open: Opener) -> Recovered<RedbStore> {
        let Opened { db, two_phase, place, rows, fresh } = self;
        let last_message = last_counters(&rows.mutations).map_or(0, |counters| counters.last_message);
        Recovered {
            store: RedbStore {
                db: Some(db),
                two_phase,
                open,
                place,
                head: None,
                reserve: None,
                last_message,
            },
            mutations: rows.mutations,
            row_bytes: rows.bytes,
            fresh,
            warnings: Vec::new(),
        }
    }
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
