//! Durability: what the broker was promised to find again.
//!
//! The port is [`Store`], and its language is [`Mutation`]: a batch goes in, and is on disk as a
//! whole or not at all when [`Store::commit`] has returned. At the next start the rows come back as
//! the same mutations ([`Recovered`]). Only this module knows redb.
//!
//! What always holds:
//! - What a commit answered `Ok` for is there after a kill at any moment and after a power cut.
//! - Nothing that cannot be trusted is passed on: the pages have checksums, which are verified at
//!   every start, and each row has one of its own, which holds in its own place alone.
//! - A store that fails once refuses from then on; it is opened again before it is believed again.

mod cells;
mod checkpoint;
mod database;
mod evidence;
mod faults;
mod file;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod head;
mod journal;
mod layout;
mod memory;
mod migrate;
mod opening;
mod peek;
mod polite;
mod reading;
mod record;
mod redb;
mod reserve;
mod rows;
mod salvage;
mod start;
mod tables;
mod uncached;

#[cfg(all(test, any(unix, windows)))]
pub(crate) mod tests;

use std::error::Error;
use std::io;
use std::path::PathBuf;

pub use self::evidence::{leave_note, notes};
#[cfg(feature = "fuzzing")]
pub use self::fuzz::fuzz_row;
pub use self::memory::MemoryStore;
#[cfg(all(test, unix))]
pub(crate) use self::memory::Rows;
pub use self::redb::RedbStore;
pub use self::salvage::{Salvaged, replace};
use crate::broker::mutation::Mutation;
use crate::protocol::refusal::{Refusal, RefusalCode};

/// Where durable changes go. Owned by one thread; every call may block on the disk.
pub trait Store: Send {
    /// Makes all of `mutations` durable, in order, or none of them. Of several
    /// [`Mutation::PutCounters`] the last one counts.
    ///
    /// # Errors
    /// The batch is not there as far as is known: after a power cut or a restart the whole of it may
    /// be found all the same, never a part. Every later commit fails too, until [`Store::reopen`].
    fn commit(&mut self, mutations: &[Mutation]) -> Result<(), StoreError>;

    /// Gives up what failed, opens the same store anew with all checks, and returns what it holds, in the
    /// order of [`Recovered::mutations`]: the batch that failed is among it as a whole or not at all.
    ///
    /// # Errors
    /// The store is not usable; [`StoreError::Gone`] when it is another one by now.
    fn reopen(&mut self) -> Result<Vec<Mutation>, StoreError>;

    /// What the store takes on disk, in bytes; 0 where that has no meaning.
    fn size_bytes(&self) -> u64;

    /// Ends in order, so that the next start is a quick one.
    ///
    /// # Errors
    /// Nothing that was committed is lost by them.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// Where a store is and how it commits.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The store's file, in an existing folder that only its owner can write to.
    pub path: PathBuf,
    /// The file that remembers the last message's number, beside it.
    pub head: PathBuf,
    /// Slower commits that also tell rotten bits from a commit that a power cut tore.
    pub two_phase: bool,
}

/// An opened store and all that it held.
pub struct Recovered<S> {
    pub store: S,
    /// Every stored row: the counters, then mailboxes, names, each message with its deliveries and
    /// receipts, keys.
    /// What a row refers to comes before it.
    pub mutations: Vec<Mutation>,
    /// Bytes of these rows as they are stored, without what the file needs around them.
    pub row_bytes: u64,
    /// There was no store before.
    pub fresh: bool,
    /// What a person should know: each was also logged as an error.
    pub warnings: Vec<String>,
}

/// Why a store could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no room left on the disk of the store")]
    Full(#[source] io::Error),
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error("the store has schema {found}, and this ipcd knows schemas up to {known}")]
    TooNew { found: u64, known: u64 },
    #[error("others can write to {}, the folder of the store", .0.display())]
    UnsafeDirectory(PathBuf),
    #[error("the store is open in another process")]
    InUse,
    #[error("{} was removed or replaced while ipcd ran", .0.display())]
    Gone(PathBuf),
    #[error("an earlier commit failed")]
    FailedBefore,
    #[error("{doing}")]
    Failed {
        doing: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreOptions {
    /// What was committed and is not in the store's file yet.
    pub fn journal(&self) -> PathBuf {
        file::beside(&self.path, "journal")
    }
}

impl StoreError {
    fn failed(doing: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Failed { doing: doing.into(), source: source.into() }
    }

    /// An error of the file system, told apart by what a person can do about it.
    fn from_io(doing: impl Into<String>, error: io::Error) -> StoreError {
        match error.kind() {
            // The last one is a file that may not grow further: the same to whoever sends.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StoreError::Full(error)
            }
            _ => StoreError::failed(doing, error),
        }
    }

    /// The error as an answer to the calls that it hit.
    pub fn refusal(&self) -> Refusal {
        use StoreError::*;
        let (code, hint) = match self {
            Full(_) => (RefusalCode::StoreFull, "free some disk space, then try again"),
            Damaged(_) => (
                RefusalCode::StoreDamaged,
                "move the file and its journal aside, keep them, and start ipcd again without them",
            ),
            TooNew { .. } => (RefusalCode::StoreTooNew, "start the newer ipcd that wrote it"),
            UnsafeDirectory(_) => (
                RefusalCode::UnsafeDirectory,
                "take write permission from group and others, or own the folder",
            ),
            InUse => (RefusalCode::StoreFailed, "stop the other ipcd daemon, then try again"),
            Gone(_) => (RefusalCode::StoreFailed, "put the file back or restart ipcd, then try again"),
            FailedBefore | Failed { .. } => {
                (RefusalCode::StoreFailed, "try again; repeating is safe with a key")
            }
        };
        let cause = match self.source() {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        };
        Refusal::new(code, cause).hint(hint)
    }
}
