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
    pub(super) fn run(self) -> Result<(), StoreError> {
        guarded(|| self.db.bring_in(&[&self.cells], Some(self.mark)))
    }
}

/// One that was begun.
pub(super) struct Checkpoint(pub(super) Box<dyn Running>);

/// Where it runs. It ends before this does.
pub(super) trait Running: Send {
    fn is_done(&mut self) -> bool;

    /// Waits for its end, and says how it ended the first time.
    fn end(&mut self) -> Result<(), StoreError>;
}

impl Checkpoint {
    /// Begins one beside, on a thread of its own: it takes as long as many commits.
    pub(super) fn beside(job: Job) -> Result<Checkpoint, StoreError> {
        let thread = thread::Builder::new().name("checkpoint".to_owned());
        let running = thread.spawn(move || job.run());
        running
            .map(|running| Checkpoint(Box::new(Thread(Some(running)))))
            .map_err(|error| StoreError::failed("cannot start a thread", error))
    }

    pub(super) fn is_done(&mut self) -> bool {
        self.0.is_done()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The tables may have the rows or not; the journal has them still.
    pub(super) fn wait(mut self) -> Result<(), StoreError> {
        self.0.end()
    }
}

struct Thread(Option<JoinHandle<Result<(), StoreError>>>);

impl Running for Thread {
    fn is_done(&mut self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn end(&mut self) -> Result<(), StoreError> {
        // It was guarded.
        self.0.take().map_or(Ok(()), |running| running.join().unwrap_or(Err(StoreError::FailedBefore)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // The store fails for another reason, or ends unclosed: the next one reads the journal.
        let _ = self.end();
    }
}
