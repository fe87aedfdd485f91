//! Reads the history, newest last, one line at a time, and reads on when it has grown.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::day::Day;
use super::record::HistoryRecord;
use crate::files;
use crate::protocol::message::MessageId;
use crate::protocol::time::Timestamp;

/// Longest line that is read, in bytes: the largest message of a generous configuration in JSON's
/// longest form. It bounds what a reader keeps in memory.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those with this text in a name, the summary or the content, whatever the case.
    pub search: Option<String>,
    /// Only those that ended at this time or later.
    pub since: Option<Timestamp>,
    /// Only this message.
    pub id: Option<MessageId>,
    /// Only the conversation that this message began.
    pub thread: Option<MessageId>,
}

/// The records of the history that a [`Filter`] lets through, newest last.
///
/// `None` means that all is read that was there when it last looked; [`Records::look_again`] goes on
/// from there, so that nothing is left out and nothing comes twice.
pub struct Records {
    dir: PathBuf,
    filter: Filter,
    /// What is still to be read.
    parts: VecDeque<Part>,
    current: Option<Current>,
    /// Up to where everything was read.
    position: Option<(Day, u64)>,
    /// Matches that are passed over, so that the last ones remain.
    skip: usize,
    damaged: u64,
}

/// One day's file as long as it was when it was looked at.
#[derive(Clone)]
struct Part {
    day: Day,
    from: u64,
    until: u64,
    /// The newest day, which may end within a line that is still being written.
    growing: bool,
}

struct Current {
    lines: BufReader<io::Take<File>>,
    part: Part,
}

enum Line {
    Whole(Vec<u8>),
    /// It has no end yet.
    Unfinished,
    TooLong,
    End,
}

impl Records {
    /// Begins at the oldest record, or so that `last` matches remain. A history that does not exist
    /// is an empty one.
    pub fn open(dir: &Path, filter: Filter, last: Option<usize>) -> io::Result<Records> {
        let search = filter.search.map(|text| text.to_lowercase());
        let mut records = Records {
            dir: dir.to_owned(),
            filter: Filter { search, ..filter },
            parts: VecDeque::new(),
            current: None,
            position: None,
            skip: 0,
            damaged: 0,
        };
        records.look_again()?;
        if let Some(last) = last {
            records.keep_last(last);
        }
        Ok(records)
    }

    /// Finds what was appended since.
    pub fn look_again(&mut self) -> io::Result<()> {
        let since = self.filter.since.map(Day::of);
        let mut parts = VecDeque::new();
        for day in Day::all(&self.dir)? {
            let read = match &self.position {
                Some((at, _)) if day < *at => continue,
                Some((at, offset)) if day == *at => *offset,
                _ => 0,
            };
            if since.as_ref().is_some_and(|since| day < *since) {
                continue;
            }
            let until = match fs::metadata(day.path(&self.dir)) {
                Ok(metadata) => metadata.len(),
                // Pruned in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // A file that shrank is another one.
            let from = if read <= until { read } else { 0 };
            parts.push_back(Part { day, from, until, growing: false });
        }
        if let Some(newest) = parts.back_mut() {
            newest.growing = true;
        }
        (self.parts, self.current) = (parts, None);
        Ok(())
    }

    /// Lines so far that were no records.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Counts matches from the newest day back until there are enough, and begins there: days are
    /// read twice rather than kept in memory.
    fn keep_last(&mut self, last: usize) {
        let mut wanted = last;
        let mut begin = 0;
        for (number, part) in self.parts.iter().enumerate().rev() {
            let matches = self.only(part.clone()).filter(Result::is_ok).count();
            if matches >= wanted {
                (begin, self.skip) = (number, matches - wanted);
                break;
            }
            wanted -= matches;
        }
        self.parts.drain(..begin);
        self.position = self.parts.front().map(|part| (part.day.clone(), part.from));
    }

    fn only(&self, part: Part) -> Records {
        Records {
            dir: self.dir.clone(),
            filter: self.filter.clone(),
            parts: VecDeque::from([part]),
            current: None,
            position: None,
            skip: 0,
            damaged: 0,
        }
    }

    /// The file to read from, `None` when there is no more.
    fn current(&mut self) -> io::Result<Option<&mut Current>> {
        while self.current.is_none() {
            let Some(part) = self.parts.pop_front() else { return Ok(None) };
            let mut file = match files::open(files::options().read(true), &part.day.path(&self.dir)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            file.seek(SeekFrom::Start(part.from))?;
            self.position = Some((part.day.clone(), part.from));
            self.current = Some(Current { lines: BufReader::new(file.take(part.until - part.from)), part });
        }
        Ok(self.current.as_mut())
    }

    /// One line further: its record, if it is one. Breaks when there is nothing left.
    fn step(&mut self) -> io::Result<ControlFlow<(), Option<HistoryRecord>>> {
        let Some(current) = self.current()? else { return Ok(ControlFlow::Break(())) };
        let (line, bytes) = read_line(&mut current.lines)?;
        let record = match line {
            Line::End => {
                self.current = None;
                return Ok(ControlFlow::Continue(None));
            }
            // It may be whole when somebody looks again.
            Line::Unfinished if current.part.growing => {
                self.current = None;
                return Ok(ControlFlow::Continue(None));
            }
            Line::Unfinished | Line::TooLong => None,
            Line::Whole(line) => serde_json::from_slice(&line).ok(),
        };
        if let Some((_, offset)) = &mut self.position {
            *offset += bytes;
        }
        self.damaged += u64::from(record.is_none());
        Ok(ControlFlow::Continue(record))
    }
}

impl Iterator for Records {
    type Item = io::Result<HistoryRecord>;

    fn next(&mut self) -> Option<io::Result<HistoryRecord>> {
        loop {
            match self.step() {
                Ok(ControlFlow::Break(())) => return None,
                Ok(ControlFlow::Continue(Some(record))) if self.filter.lets_through(&record) => {
                    if self.skip == 0 {
                        return Some(Ok(record));
                    }
                    self.skip -= 1;
                }
                Ok(ControlFlow::Continue(_)) => {}
                Err(error) => {
                    // The next call goes on with the next day: an error does not repeat for ever.
                    self.current = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Filter {
    /// The text to search for is in lower case already.
    fn lets_through(&self, record: &HistoryRecord) -> bool {
        if self.since.is_some_and(|since| record.at < since) {
            return false;
        }
        if self.id.is_some_and(|id| record.id != id) {
            return false;
        }
        if self.thread.is_some_and(|first| record.id != first && record.thread != Some(first)) {
            return false;
        }
        let Some(search) = &self.search else { return true };
        let summary = record.summary.as_deref().unwrap_or_default();
        [record.from.as_str(), record.to.as_str(), summary, &record.content.0]
            .iter()
            .any(|text| text.to_lowercase().contains(search))
    }
}

/// One line and how many bytes it took.
fn read_line(lines: &mut impl BufRead) -> io::Result<(Line, u64)> {
    let mut line = Vec::new();
    let read = lines.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)? as u64;
    if read == 0 {
        return Ok((Line::End, 0));
    }
    if line.ends_with(b"\n") {
        return Ok((Line::Whole(line), read));
    }
    if read < LINE_BYTES_MAX as u64 {
        return Ok((Line::Unfinished, read));
    }
    Ok((Line::TooLong, read + lines.skip_until(b'\n')? as u64))
}
