//! Some room on the store's disk, held by a file that means nothing, for the time when there is no other:
//! with it a daemon starts on a full disk, and mail that was read is settled there.
//!
//! What always holds: the room is given up only for what stores no message, and until it is held again no
//! message is stored.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::file::beside;
use crate::files;

/// What it takes to bring a journal into the tables (`opening.rs`), with it some commits that put no message, and
/// some lines of the log beside the store.
const RESERVE_BYTES: usize = 1536 << 10;

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
    file.set_len(0)?;
    file.write_all(&filling())?;
    file.sync_all()
}

/// Bytes that take their room: a hole takes none, and what repeats itself little where the file system
/// compresses (SplitMix64).
fn filling() -> Vec<u8> {
    let mut state = 0_u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    });
    words.take(RESERVE_BYTES / 8).flat_map(u64::to_le_bytes).collect()
}
