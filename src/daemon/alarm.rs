//! A damaged store, until a person knows of it: what the notes beside the store say.
//!
//! The notes are the memory of it: they outlive daemons, and whoever removes one has read it.

use std::path::PathBuf;

use crate::store;

#[derive(Debug)]
pub struct Alarm {
    /// The store, which the notes stand beside.
    pub store: PathBuf,
}

impl Alarm {
    /// What the notes say, newest first, and how to silence it; `None` when there are none.
    pub fn text(&self) -> Option<String> {
        let notes = store::notes(&self.store);
        let (last, text) = notes.last()?;
        let more = match notes.len() {
            1 => String::new(),
            n => format!(" ({} more such notes are beside it)", n - 1),
        };
        Some(format!("{text}; this is said until `{}` is removed{more}", last.display()))
    }
}
