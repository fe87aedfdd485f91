//! Bringing what a part of the journal holds into the tables, while commits go on in the next.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::StoreError;
use super::database::Database;
use super::faults::guarded;
use super::journal::Mark;

/// Cells for the tables, and what they say of the journal then.
pub(super) struct Job {
    pub(super) db: Arc<Database>,
    pub(super) cells: Vec<u8>,
    pub(super) mark: Mark,
}

impl Job {
    fn run(self) -> Result<(), StoreError> {
        guarded(|| self.db.bring_in(&[&self.cells], Some(self.mark)))
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
