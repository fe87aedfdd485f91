//! Reads the audit log, oldest first, and reads on when it has grown or a new file was begun.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::record::AuditRecord;
use super::{files_in, path_of};
use crate::files;

/// Longest line that is read, in bytes: a body of a generous configuration in JSON's longest form.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// A place in the log.
#[derive(Debug)]
pub struct Trail {
    dir: PathBuf,
    /// In lower case.
    search: Option<String>,
    /// The file that was read last, and how much of it.
    position: (u64, u64),
    damaged: u64,
}

impl Trail {
    /// At the oldest record. `search`: only records with this text somewhere, whatever the case.
    pub fn open(dir: &Path, search: Option<&str>) -> Trail {
        Trail { dir: dir.to_owned(), search: search.map(str::to_lowercase), position: (0, 0), damaged: 0 }
    }

    /// Gives `take` every record that came since it was here last. A log that does not exist is empty.
    pub fn advance<E: From<io::Error>>(
        &mut self,
        mut take: impl FnMut(AuditRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let (at, offset) = self.position;
        for number in files_in(&self.dir)?.into_iter().filter(|number| *number >= at) {
            let from = if number == at { offset } else { 0 };
            let opened = files::open(files::options().read(true), &path_of(&self.dir, number));
            let file = match opened {
                // Removed in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            self.position = (number, from);
            self.read(file, &mut take)?;
        }
        Ok(())
    }

    /// Lines so far that were no records.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    fn read<E: From<io::Error>>(
        &mut self,
        mut file: File,
        take: &mut impl FnMut(AuditRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        file.seek(SeekFrom::Start(self.position.1))?;
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut read = lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? as u64;
            if !line.ends_with(b"\n") {
                if read < LINE_BYTES_MAX {
                    // The end, perhaps within a line that is still being written.
                    return Ok(());
                }
                read += lines.skip_until(b'\n')? as u64;
            }
            self.position.1 += read;
            match serde_json::from_slice::<AuditRecord>(&line) {
                Ok(record) if self.lets_through(&line) => take(record)?,
                Ok(_) => {}
                Err(_) => self.damaged += 1,
            }
        }
    }

    fn lets_through(&self, line: &[u8]) -> bool {
        let Some(search) = &self.search else { return true };
        String::from_utf8_lossy(line).to_lowercase().contains(search)
    }
}
