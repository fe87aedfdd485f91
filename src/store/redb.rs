//! The store that ipcd runs on: tables in one redb file, and a journal beside it.
//!
//! A commit goes into the journal, at the price of one write and one sync. When a part of that is full, what it
//! holds goes into the tables in one transaction, beside the commits that go on in its next part: a message that
//! was read meanwhile never comes there at all. What is too large for the journal goes into the tables at once,
//! behind all that the journal holds; and each commit does where there is no journal.
//!
//! What always holds:
//! - A file comes into place complete, and one that is too new, or that its journal does not belong to, is
//!   refused before a byte of it changes.
//! - After the first failure no commit is begun: redb itself says that the file may or may not hold
//!   the commit, and only opening it again tells.

use std::sync::Arc;

use redb::StorageBackend;

use super::cells::CellWriter;
use super::checkpoint::{Checkpoint, Job};
use super::database::{self, Database, OPEN_TRIES, patiently};
use super::faults::guarded;
use super::file::{self, Found, Places};
use super::head::Head;
use super::journal::{Journal, Mark};
use super::migrate::{self, STEPS, Step, Verdict};
use super::opening::{Opened, Opener, last_counters, opener, read, recover, warn};
use super::reserve::Reserve;
use super::{Recovered, Store, StoreError, StoreOptions, opening, peek, salvage};
use crate::broker::mutation::Mutation;

/// A file larger than this, in bytes, and more than so many times its rows, is compacted at a start after an
/// orderly end: it keeps the size of its fullest day otherwise.
const COMPACT_BYTES: u64 = 16 << 20;
const COMPACT_RATIO: u64 = 4;

/// A larger row, in bytes, goes around the journal: to write it twice costs more than it saves, and where the store may
/// not grow, room that a smaller one finds.
const JOURNAL_ROW_BYTES_MAX: usize = 32 << 10;

/// A [`Store`] in a redb file.
pub struct RedbStore {
    /// Absent after a failure.
    db: Option<Arc<Database>>,
    /// Absent after a failure, where there is no room for one, and for commits of two phases.
    journal: Option<Journal>,
    /// What the tables said of the journal when they were opened; where there is none, what they say now.
    mark: Mark,
    /// Of the part of the journal that was in use before.
    checkpoint: Option<Checkpoint>,
    /// Checkpoints have a thread of their own.
    beside: bool,
    /// It was opened with a warning.
    was_warned: bool,
    cells: CellWriter,
    /// Opens it once more.
    open: Opener,
    /// Absent for backends that are no files.
    places: Option<Places>,
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
                opening::keep_journal_of_another(options, &mut warnings)?;
                database::create(path, options.two_phase, |db| migrate::bring_up(db, steps).map(drop))?;
                true
            }
            Found::Something => {
                look_into(options, steps, tries, &mut warnings)?;
                false
            }
        };
        let mut reserve = Reserve::hold(path);
        let mut read = || match read(options, steps, tries) {
            Err(StoreError::Full(_)) if reserve.give_up() => opening::read(options, steps, tries),
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
        recovered.warnings.extend(warnings);
        recovered.store.head = head;
        recovered.store.reserve = Some(reserve);
        recovered.compare_with_head();
        Ok(recovered)
    }

    /// A store over other backends, without a head: for tests that cut the power.
    pub fn with_backends<B: StorageBackend + Clone>(
        backends: [B; 2],
        two_phase: bool,
    ) -> Result<Recovered<RedbStore>, StoreError> {
        RedbStore::with_backends_that(backends, two_phase, |_| {})
    }

    /// One whose backends are to `forget` before they are opened again.
    pub(super) fn with_backends_that<B: StorageBackend + Clone>(
        backends: [B; 2],
        two_phase: bool,
        forget: impl Fn(&B) + Send + 'static,
    ) -> Result<Recovered<RedbStore>, StoreError> {
        let [store, journal] = backends.clone();
        let open = move || {
            let journal = Some(Box::new(journal.clone()) as Box<dyn StorageBackend>);
            guarded(|| recover(Database::over(store.clone(), two_phase)?, journal, STEPS, usize::MAX))
        };
        let first = open()?;
        let again = move || {
            backends.iter().for_each(&forget);
            open()
        };
        let mut recovered = first.recovered(Box::new(again));
        recovered.store.beside = false;
        Ok(recovered)
    }

    fn write(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        if let Some(places) = &self.places {
            places.store.check()?;
        }
        if self.checkpoint.as_mut().is_some_and(Checkpoint::is_done) {
            self.finish_checkpoint()?;
        }
        self.cells.write(mutations)?;
        match &self.journal {
            Some(journal) if self.is_for(journal) => self.append()?,
            Some(_) => self.go_around_the_journal()?,
            None => self.go_without_a_journal()?,
        }
        // A file that went while it was written to must not be answered for.
        self.is_in_place()
    }

    fn is_for(&self, journal: &Journal) -> bool {
        self.cells.largest_row() <= JOURNAL_ROW_BYTES_MAX && journal.is_for(self.cells.written())
    }

    fn append(&mut self) -> Result<(), StoreError> {
        if self.journal.as_ref().is_some_and(|journal| !journal.has_room_for(self.cells.written())) {
            // The part that comes next is free when the tables have what was in the one before this.
            self.finish_checkpoint()?;
            self.begin_checkpoint()?;
        }
        let journal = self.journal.as_mut().ok_or(StoreError::FailedBefore)?;
        Ok(journal.append(self.cells.written())?)
    }

    fn begin_checkpoint(&mut self) -> Result<(), StoreError> {
        let db = self.db.clone().ok_or(StoreError::FailedBefore)?;
        let journal = self.journal.as_mut().ok_or(StoreError::FailedBefore)?;
        let (cells, mark) = journal.turn();
        self.checkpoint = Some(Checkpoint::begin(Job { db, cells, mark }, self.beside)?);
        Ok(())
    }

    fn finish_checkpoint(&mut self) -> Result<(), StoreError> {
        self.checkpoint.take().map_or(Ok(()), Checkpoint::wait)
    }

    /// Commits what is too large for the journal, or is the first after a store was closed.
    fn go_around_the_journal(&mut self) -> Result<(), StoreError> {
        self.finish_checkpoint()?;
        let db = self.db.as_ref().ok_or(StoreError::FailedBefore)?;
        let journal = self.journal.as_mut().ok_or(StoreError::FailedBefore)?;
        let mark = journal.mark_around();
        db.bring_in(&[journal.held(), self.cells.written()], Some(mark))?;
        journal.go_on_at(mark);
        Ok(())
    }

    fn go_without_a_journal(&mut self) -> Result<(), StoreError> {
        let db = self.db.as_ref().ok_or(StoreError::FailedBefore)?;
        let mark = self.mark.is_in_use().then(|| self.mark.out_of_use());
        db.bring_in(&[self.cells.written()], mark)?;
        self.mark = self.mark.out_of_use();
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
        self.places.as_ref().map_or(Ok(()), Places::check)
    }

    /// Lets the file go. What failed once fails again on the way out, and was told.
    fn give_up(&mut self) {
        let _ = self.finish_checkpoint();
        let db = (self.db.take(), self.journal.take());
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

/// Refuses what cannot be opened, before a byte of it changes, and keeps a copy of what is about to change.
fn look_into(
    options: &StoreOptions,
    steps: &[Step],
    tries: u32,
    warnings: &mut Vec<String>,
) -> Result<(), StoreError> {
    let path = options.path.as_path();
    let seen = patiently(tries, || guarded(|| peek::look(database::backend(path)?.0)))?;
    let verdict = migrate::judge(seen.schema, steps)?;
    if salvage::is_under_way(path)? {
        return Err(StoreError::Damaged("what could be saved of it was not, yet".to_owned()));
    }
    opening::check_journal(&options.journal(), seen.mark)?;
    if let Verdict::Old(found) = verdict {
        file::copy_aside(path, &options.journal(), found)?;
    }
    if seen.mark.is_none() {
        // It was put back beside the journal of a later one.
        opening::keep_journal_of_another(options, warnings)?;
    }
    Ok(())
}

impl Store for RedbStore {
    fn commit(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        if mutations.is_empty() {
            return Ok(());
        }
        let room = self.hold_room_for(mutations);
        let done = room.and_then(|()| guarded(|| self.write(mutations)));
        if let Err(error) = done {
            if let (StoreError::Full(_), Some(reserve)) = (&error, &mut self.reserve) {
                reserve.give_up();
            }
            self.give_up();
            // At once: this daemon may be about to end, and the next one reads the file as it finds it.
            self.places.iter().for_each(Places::forget_cached);
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
        let Opened { db, journal, mark, places, rows, fresh, warnings, .. } = (self.open)()?;
        let found = last_counters(&rows.mutations).map_or(0, |counters| counters.last_message);
        if fresh || found < self.last_message {
            // A daemon that starts on it finds the head ahead of it, and tells everyone.
            return Err(StoreError::Damaged(format!(
                "it ends at message {found}, and message {} was stored by this daemon",
                self.last_message
            )));
        }
        match warnings.into_iter().next() {
            // What was said when it was opened first is no news.
            Some(warning) if !self.was_warned => return Err(StoreError::Damaged(warning)),
            _ => {}
        }
        (self.db, self.places) = (Some(Arc::new(db)), places);
        (self.journal, self.mark) = (journal, mark);
        Ok(rows.mutations)
    }

    fn size_bytes(&self) -> u64 {
        self.places.as_ref().map_or(0, |places| places.store.size_bytes())
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.finish_checkpoint()?;
        let RedbStore { db: Some(db), journal, .. } = *self else { return Ok(()) };
        guarded(|| {
            // A store that was closed is whole without its journal.
            if let Some(journal) = journal
                && let Some(mark) = journal.mark_closed()
            {
                db.bring_in(&[journal.held()], Some(mark))?;
            }
            // The checkpoints are done, and nobody else has it.
            Arc::into_inner(db).map_or(Ok(()), Database::close)
        })
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
        let Some(db) = self.store.db.as_mut().and_then(Arc::get_mut) else { return Ok(()) };
        guarded(|| db.compact())?;
        tracing::info!(before, after = self.store.size_bytes(), "the store was compacted");
        Ok(())
    }
}

impl Opened {
    fn recovered(self, open: Opener) -> Recovered<RedbStore> {
        let Opened { db, journal, mark, places, rows, fresh, warnings } = self;
        let last_message = last_counters(&rows.mutations).map_or(0, |counters| counters.last_message);
        Recovered {
            store: RedbStore {
                db: Some(Arc::new(db)),
                journal,
                mark,
                checkpoint: None,
                beside: true,
                was_warned: !warnings.is_empty(),
                cells: CellWriter::default(),
                open,
                places,
                head: None,
                reserve: None,
                last_message,
            },
            mutations: rows.mutations,
            row_bytes: rows.bytes,
            fresh,
            warnings,
        }
    }
}
