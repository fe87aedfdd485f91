//! The audit log: who did what to whom, what became of it, and by which rule. JSON lines in private files,
//! for the person whose mailboxes these are.
//!
//! What always holds: nobody waits for it. A disk that is slow, full or gone costs records, never mail, and
//! the next record that is written says how many.

mod log;
mod reader;
mod record;
#[cfg(test)]
mod tests;

pub use log::AuditLog;
pub use reader::Trail;
pub use record::{AuditRecord, Verdict};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".jsonl";

/// The files in `dir` by their numbers, oldest first; others are not ours. A folder that is missing has none.
fn files_in(dir: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        numbers.extend(
            number.filter(|n| n.bytes().all(|b| b.is_ascii_digit())).and_then(|n| n.parse::<u64>().ok()),
        );
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Numbers only grow, so that a reader finds its place again after a rotation.
fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:06}{SUFFIX}"))
}
