//! Bringing what a part of the journal holds into the tables, while commits go on in the next.
//!
//! Where processors are few, whoever answers calls goes first: the thread gives its own up between rows, and before
//! each write of a page (`store/polite.rs`). The scheduler alone lets it run for milliseconds.
//!
//! What always holds: the rows, and the word that the tables lack them no more, are one transaction.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use redb::Database;

use super::StoreError;
use super::cells::net;
use super::faults::guarded;
use super::journal::Mark;
use super::redb::begin_write;
use super::tables::Tables;

/// Cells for the tables, and what they say of the journal then.
pub(super) struct Job {
    pub(super) db: Arc<Database>,
    pub(super) cells: Vec<u8>,
    pub(super) mark: Mark,
    pub(super) two_phase: bool,
}

impl Job {
    fn run(self) -> Result<(), StoreError> {
        guarded(|| write(&self.db, &[&self.cells], Some(self.mark), self.two_phase))
    }
}

/// One that was begun. It ends before this does.
pub(super) struct Checkpoint(Progress);

enum Progress {
    /// On a thread of its own: it takes as long as many commits.
    Beside(JoinHandle<Result<(), StoreError>>),
    /// When the store has asked so often whether it is done: for tests, in which each call of the disk has its
    /// turn.
    Later {
        job: Job,
        asked: u32,
    },
    Done,
}

/// How often one that comes later is asked for.
const LATER: u32 = 3;

impl Checkpoint {
    pub(super) fn begin(job: Job, beside: bool) -> Result<Checkpoint, StoreError> {
        if !beside {
            return Ok(Checkpoint(Progress::Later { job, asked: 0 }));
        }
        let thread = thread::Builder::new().name("checkpoint".to_owned());
        let running = thread.spawn(move || job.run());
        running
            .map(|running| Checkpoint(Progress::Beside(running)))
            .map_err(|error| StoreError::failed("cannot start a thread", error))
    }

    pub(super) fn is_done(&mut self) -> bool {
        match &mut self.0 {
            Progress::Beside(running) => running.is_finished(),
            Progress::Later { asked, .. } => {
                *asked += 1;
                *asked > LATER
            }
            Progress::Done => true,
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The tables may have the rows or not; the journal has them still.
    pub(super) fn wait(mut self) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.0, Progress::Done) {
            // It was guarded.
            Progress::Beside(running) => running.join().unwrap_or_else(|_| Err(StoreError::FailedBefore)),
            Progress::Later { job, .. } => job.run(),
            Progress::Done => Ok(()),
        }
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        if let Progress::Beside(running) = std::mem::replace(&mut self.0, Progress::Done) {
            // The store fails for another reason, or ends unclosed: the next one reads the journal.
            let _ = running.join();
        }
    }
}

/// Rows between two times at which others are let go first, if they wait for a processor: some 20 µs.
const ROWS_IN_ONE_GO: usize = 8;

/// Brings cells into the tables, and says with them what they lack of the journal from now on, if that changes.
pub(super) fn write(
    db: &Database,
    cells: &[&[u8]],
    mark: Option<Mark>,
    two_phase: bool,
) -> Result<(), StoreError> {
    let write = begin_write(db, two_phase)?;
    let mut tables = Tables::new(&write);
    for some in net(cells)?.chunks(ROWS_IN_ONE_GO) {
        thread::yield_now();
        some.iter().try_for_each(|cell| tables.apply(cell))?;
    }
    if let Some(mark) = mark {
        tables.put_mark(mark)?;
    }
    drop(tables);
    Ok(write.commit()?)
}
