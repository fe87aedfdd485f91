//! Some room on the store's disk, held by a file that means nothing, for the time when there is no other:
//! with it a daemon starts on a full disk, and mail that was read is settled there.
//!
//! What always holds: the room is given up only for what makes the store no larger, and until it is held
//! again no message is stored.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::file::beside;
use crate::files;

/// What a few commits that put no message need, and what a start writes beside the store: the lock's note
/// and some lines of the log.
const RESERVE_BYTES: usize = 256 << 10;

pub(super) struct Reserve {
    path: PathBuf,
    held: bool,
    /// It cannot be held for another reason than a full disk.
    hopeless: bool,
}

impl Reserve {
    /// Takes the room, if the disk has it.
    pub(super) fn hold(store: &Path) -> Reserve {
        let mut reserve = Reserve { path: beside(store, "reserve"), held: false, hopeless: false };
        if let Err(error) = reserve.hold_again() {
            tracing::warn!(%error, "no room is held in reserve");
        }
        reserve
    }

    /// Takes the room again, unless it is held. What stands in its place, if not a full disk, is no reason
    /// to refuse mail.
    pub(super) fn hold_again(&mut self) -> Result<(), StoreError> {
        if self.held || self.hopeless {
            return Ok(());
        }
        let Err(error) = make(&self.path) else {
            self.held = true;
            return Ok(());
        };
        let _ = fs::remove_file(&self.path);
        match StoreError::from_io(format!("cannot write {}", self.path.display()), error) {
            full @ StoreError::Full(_) => Err(full),
            error => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no room is held in reserve");
                self.hopeless = true;
                Ok(())
            }
        }
    }

    /// Gives the room up. False: it was not held.
    pub(super) fn give_up(&mut self) -> bool {
        let held = std::mem::take(&mut self.held) && fs::remove_file(&self.path).is_ok();
        if held {
            tracing::warn!("the disk is full: the room that was held in reserve is given up");
        }
        held
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut file = files::open(files::options().write(true).create(true), path)?;
    if file.metadata()?.len() == RESERVE_BYTES as u64 {
        return Ok(());
    }
    // Written, and not only said to be so long: a hole takes no room.
    file.set_len(0)?;
    file.write_all(&vec![b'.'; RESERVE_BYTES])?;
    file.sync_all()
}
