//! Writes the audit log, on a thread of its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::record::AuditRecord;
use super::{files_in, path_of};
use crate::files;
use crate::json;

/// Records that wait to be written; more are lost. A disk that takes none for a while is no reason to keep
/// mail waiting, or memory growing.
const RECORDS_WAITING_MAX: usize = 4096;

/// The same in bytes, for logs with bodies. Those that are being written count.
const BYTES_WAITING_MAX: usize = 8 << 20;

/// What comes so long after a first record is written together with it. To wake the writer costs the
/// sender more than all else about a record, and this way it is done fifty times a second at most.
const GATHER_FOR: Duration = Duration::from_millis(20);

/// With so many there is no gathering.
const RECORDS_GATHERED_MAX: usize = 1024;

/// Size of a file from which on the next one is begun, and how many are kept: months of an ordinary day.
const FILE_BYTES_MAX: u64 = 10 << 20;
const FILES_MAX: usize = 3;

/// How long the end of a daemon waits for the last records.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// Hands records over. Never waits for the disk.
#[derive(Clone, Debug)]
pub struct AuditLog(Arc<Handle>);

/// Ends the writer when the last of those who add is gone.
#[derive(Debug)]
struct Handle(Arc<Shared>);

/// Between those who add and the one who writes.
#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// The writer has something to look at.
    stirred: Condvar,
    /// What was there is written, or never will be.
    settled: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    records: Vec<AuditRecord>,
    bytes: usize,
    /// Records that were not taken since the last one that was.
    lost: u64,
    /// Some were taken out and are not written yet.
    writing: bool,
    /// Somebody waits for what is there.
    urgent: bool,
    /// Nobody will add anything.
    closed: bool,
}

/// What the writer takes out at a time.
struct Batch {
    records: Vec<AuditRecord>,
    bytes: usize,
}

/// Where lines end up.
pub(super) trait Sink: Send + 'static {
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;
}

impl AuditLog {
    /// Writes into files in `dir`, which are made with the first record.
    pub fn start(dir: PathBuf) -> io::Result<AuditLog> {
        AuditLog::into(Files { dir, open: None })
    }

    pub(super) fn into(sink: impl Sink) -> io::Result<AuditLog> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || write_all(&theirs, sink))?;
        Ok(AuditLog(Arc::new(Handle(shared))))
    }

    pub fn add(&self, mut record: AuditRecord) {
        let shared = &self.0.0;
        let mut queue = shared.lock();
        let bytes = queue.bytes + record.weight();
        if bytes > BYTES_WAITING_MAX || queue.records.len() >= RECORDS_WAITING_MAX {
            queue.lost += 1;
            return;
        }
        queue.bytes = bytes;
        record.lost = std::mem::take(&mut queue.lost);
        queue.records.push(record);
        let count = queue.records.len();
        drop(queue);
        if count == 1 || count == RECORDS_GATHERED_MAX {
            shared.stirred.notify_one();
        }
    }

    /// Waits a moment for what is still to be written.
    pub fn finish(&self) {
        let shared = &self.0.0;
        let mut queue = shared.lock();
        queue.urgent = true;
        shared.stirred.notify_one();
        let unwritten = |queue: &mut Queue| queue.writing || !queue.records.is_empty();
        let waited = shared.settled.wait_timeout_while(queue, FINISH_WITHIN, unwritten);
        waited.unwrap_or_else(PoisonError::into_inner).0.urgent = false;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.stirred.notify_one();
    }
}

impl Shared {
    /// A queue is whole at every moment: whoever panicked with it in hand left nothing half done.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for records, and a moment for those that follow. `None`: there will be no more.
    fn take(&self) -> Option<Batch> {
        let idle = |queue: &mut Queue| queue.records.is_empty() && !queue.closed;
        let queue = self.stirred.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let few =
            |queue: &mut Queue| queue.records.len() < RECORDS_GATHERED_MAX && !queue.urgent && !queue.closed;
        let gathered = self.stirred.wait_timeout_while(queue, GATHER_FOR, few);
        let mut queue = gathered.unwrap_or_else(PoisonError::into_inner).0;
        if queue.records.is_empty() {
            return None;
        }
        queue.writing = true;
        let records = std::mem::take(&mut queue.records);
        Some(Batch { records, bytes: queue.bytes })
    }

    fn written(&self, bytes: usize) {
        let mut queue = self.lock();
        queue.bytes -= bytes;
        queue.writing = false;
        drop(queue);
        self.settled.notify_all();
    }
}

/// Writes what comes, until nobody can add any more.
fn write_all(shared: &Shared, mut sink: impl Sink) {
    let mut lines = Vec::new();
    // Records since the last that was written.
    let mut unwritten = 0;
    let mut failing = false;
    while let Some(Batch { mut records, bytes }) = shared.take() {
        records[0].lost += unwritten;
        for record in &records {
            if json::append(&mut lines, record).is_ok() {
                lines.push(b'\n');
            }
        }
        match sink.append(&lines) {
            Ok(()) => (unwritten, failing) = (0, false),
            Err(error) => {
                // Said once: it may be so for days.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "the audit log cannot be written; mail is not concerned");
                }
                unwritten = records.iter().map(|record| record.lost + 1).sum();
            }
        }
        lines.clear();
        lines.shrink_to(64 << 10);
        shared.written(bytes);
    }
}

/// Files of a bounded size, a bounded number of them.
struct Files {
    dir: PathBuf,
    open: Option<(u64, File)>,
}

impl Sink for Files {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.write(lines);
        if written.is_err() {
            // The next try begins anew: the file or its folder may be gone.
            self.open = None;
        }
        written
    }
}

impl Files {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let (number, mut file) = match self.open.take() {
            Some(open) => open,
            None => self.open_last()?,
        };
        file.write_all(lines)?;
        if file.metadata()?.len() < FILE_BYTES_MAX {
            self.open = Some((number, file));
            return Ok(());
        }
        // What is left undone here is tried again with the next lines, which is no loss of these.
        self.open = self.open_numbered(number + 1).ok();
        let _ = self.remove_old();
        Ok(())
    }

    fn open_last(&self) -> io::Result<(u64, File)> {
        let last = files_in(&self.dir)?.last().copied();
        let (number, mut file) = self.open_numbered(last.unwrap_or(1))?;
        if ends_within_a_line(&mut file)? {
            // A write that was cut short once: its line stays apart from those that follow.
            file.write_all(b"\n")?;
        }
        Ok((number, file))
    }

    fn open_numbered(&self, number: u64) -> io::Result<(u64, File)> {
        let path = path_of(&self.dir, number);
        let open = || files::open(files::options().read(true).append(true).create(true), &path);
        let file = open().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => files::create_dir(&self.dir).and_then(|()| open()),
            _ => Err(error),
        })?;
        Ok((number, file))
    }

    fn remove_old(&self) -> io::Result<()> {
        let numbers = files_in(&self.dir)?;
        let too_many = numbers.len().saturating_sub(FILES_MAX);
        numbers.iter().take(too_many).try_for_each(|number| std::fs::remove_file(path_of(&self.dir, *number)))
    }
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
