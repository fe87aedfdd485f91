//! The store that ipcd runs on: tables in one redb file, and a journal beside it.
//!
//! A commit goes into the journal, at the price of one write and one sync. When a part of that is full, what it
//! holds goes into the tables in one transaction, beside the commits that go on in its next part: a message that
//! was read meanwhile never comes there at all. What is too large for the journal goes into the tables at once,
//! behind all that the journal holds; and each commit does where there is no journal.
//!
//! What always holds:
//! - What a commit answered for is on the disk, and in the files that have these names.
//! - After the first failure no commit is begun: redb itself says that the file may or may not hold
//!   the commit, and only opening it again tells.

use std::sync::Arc;

use super::cells::CellWriter;
use super::checkpoint::{Checkpoint, Job};
use super::database::Database;
use super::faults::guarded;
use super::file::Places;
use super::head::Head;
use super::journal::{Journal, Mark};
use super::opening::{Opened, Opener, last_counters};
use super::reserve::Reserve;
use super::{Recovered, Store, StoreError};
use crate::broker::mutation::Mutation;

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
    /// How one is begun.
    pub(super) begin: fn(Job) -> Result<Checkpoint, StoreError>,
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
    fn write(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        // What is refused since the file is gone shall not be found where it went, or in the journal.
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
        self.checkpoint = Some((self.begin)(Job { db, cells, mark })?);
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

    pub(super) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    pub(super) fn write_head(&mut self, last_message: u64) {
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
        self.places.as_ref().map_or(0, Places::size_bytes)
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

impl Opened {
    pub(super) fn recovered(
        self,
        open: Opener,
        head: Option<Head>,
        reserve: Option<Reserve>,
    ) -> Recovered<RedbStore> {
        let Opened { db, journal, mark, places, rows, fresh, warnings } = self;
        let last_message = last_counters(&rows.mutations).map_or(0, |counters| counters.last_message);
        Recovered {
            store: RedbStore {
                db: Some(Arc::new(db)),
                journal,
                mark,
                checkpoint: None,
                begin: Checkpoint::beside,
                was_warned: !warnings.is_empty(),
                cells: CellWriter::default(),
                open,
                places,
                head,
                reserve,
                last_message,
            },
            mutations: rows.mutations,
            row_bytes: rows.bytes,
            fresh,
            warnings,
        }
    }
}
