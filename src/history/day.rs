//! The days of the history and the names of their files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::protocol::time::Timestamp;

const SUFFIX: &str = ".jsonl";
const DATE_BYTES: usize = "2026-11-21".len();

/// A day in UTC, as `YYYY-MM-DD`; days compare as their dates do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(String);

impl Day {
    pub(super) fn of(at: Timestamp) -> Day {
        let mut date = at.to_string();
        date.truncate(DATE_BYTES);
        Day(date)
    }

    /// The days that have a file in `dir`, oldest first. Other files are not ours; a folder that is
    /// missing has none.
    pub(super) fn all(dir: &Path) -> io::Result<Vec<Day>> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut days = Vec::new();
        for entry in entries {
            days.extend(entry?.file_name().to_str().and_then(Day::of_file));
        }
        days.sort();
        Ok(days)
    }

    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}{SUFFIX}", self.0))
    }

    fn of_file(name: &str) -> Option<Day> {
        let date = name.strip_suffix(SUFFIX)?;
        let form =
            |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
        (date.len() == DATE_BYTES && date.bytes().enumerate().all(form)).then(|| Day(date.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_compare_as_dates_and_other_files_are_no_days() {
        let day = Day::of(Timestamp(1_795_296_428_007));
        assert_eq!(day.path(Path::new("/h")), Path::new("/h/2026-11-21.jsonl"));
        assert_eq!(Day::of_file("2026-11-21.jsonl"), Some(day.clone()));
        assert!(Day::of(Timestamp(0)) < day && day < Day::of(Timestamp(u64::MAX)));
        for other in
            ["2026-11-21", "x2026-11-21.jsonl", "2026-11-2x.jsonl", "2026_11_21.jsonl", ".jsonl", "ä"]
        {
            assert_eq!(Day::of_file(other), None, "{other}");
        }
    }
}
