//! Appends to the history and takes old days away.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::copies::Copies;
use super::day::Day;
use super::record::HistoryRecord;
use crate::files;
use crate::protocol::time::Timestamp;

/// The history's one writer. It keeps no file open, so that days come and go under it; what it
/// writes is not synced.
pub struct HistoryWriter {
    dir: PathBuf,
    copies: Copies,
}

impl HistoryWriter {
    /// `dir` holds the day files, and is made when it is first needed.
    pub fn new(dir: PathBuf, copies: Copies) -> HistoryWriter {
        HistoryWriter { dir, copies }
    }

    /// Appends `records` to their days, with one write for each day.
    ///
    /// # Errors
    /// Some records may be missing from the history then; no mail is lost by it.
    pub fn append(&self, records: &[HistoryRecord]) -> io::Result<()> {
        let mut days: BTreeMap<Day, Vec<u8>> = BTreeMap::new();
        for record in records {
            let lines = days.entry(Day::of(record.at)).or_default();
            serde_json::to_writer(&mut *lines, record)?;
            lines.push(b'\n');
        }
        days.iter().try_for_each(|(day, lines)| self.append_to(day, lines))
    }

    fn append_to(&self, day: &Day, lines: &[u8]) -> io::Result<()> {
        let path = day.path(&self.dir);
        let open = || files::open(files::options().read(true).append(true).create(true), &path);
        let mut file = open().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => files::create_dir(&self.dir).and_then(|()| open()),
            _ => Err(error),
        })?;
        if ends_within_a_line(&mut file)? {
            // A write that was cut short once: its line stays apart from those that follow.
            return file.write_all(&[b"\n", lines].concat());
        }
        file.write_all(lines)
    }

    /// Removes the days and the copies of large messages that ended more than `keep` before `now`,
    /// as far as it can.
    ///
    /// # Errors
    /// The first one that was met.
    pub fn prune(&self, now: Timestamp, keep: Duration) -> io::Result<()> {
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        let oldest = Timestamp(now.0.saturating_sub(keep));
        let days = self.prune_days(&Day::of(oldest));
        let copies = self.copies.remove_older_than(oldest);
        days.and(copies)
    }

    fn prune_days(&self, first_kept: &Day) -> io::Result<()> {
        let mut result = Ok(());
        for day in Day::all(&self.dir)?.iter().take_while(|day| *day < first_kept) {
            result = result.and(remove(&day.path(&self.dir)));
        }
        result
    }
}

fn ends_within_a_line(file: &mut fs::File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Removes a file; that it is gone already is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
