//! What redb's errors, and its panics over damaged pages, are to whoever uses the store.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::StoreError;

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
