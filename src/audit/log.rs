//! Writes the audit log, on a thread of its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use super::record::AuditRecord;
use super::{files_in, path_of};
use crate::files;

/// Records that wait to be written; more are lost. A disk that takes none for a while is no reason to keep
/// mail waiting, or memory growing.
const RECORDS_WAITING_MAX: usize = 1024;

/// The same in bytes, for logs with bodies.
const BYTES_WAITING_MAX: usize = 8 << 20;

/// Size of a file from which on the next one is begun, and how many are kept: months of an ordinary day.
const FILE_BYTES_MAX: u64 = 10 << 20;
const FILES_MAX: usize = 3;

/// How long the end of a daemon waits for the last records.
const FINISH_WITHIN: Duration = Duration::from_secs(1);
const FINISH_RETRY: Duration = Duration::from_millis(10);

/// Hands records over. Never waits.
#[derive(Clone, Debug)]
pub struct AuditLog {
    records: SyncSender<Item>,
    waiting: Arc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    /// Records that were not taken since the last one that was.
    lost: AtomicU64,
}

enum Item {
    Record(Box<AuditRecord>),
    /// Everything before this is written, or never will be.
    Done(std::sync::mpsc::Sender<()>),
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
        let (records, received) = sync_channel(RECORDS_WAITING_MAX);
        let waiting = Arc::new(Waiting::default());
        let theirs = Arc::clone(&waiting);
        let write = move || write_all(&received, &theirs, sink);
        std::thread::Builder::new().name("audit".to_owned()).spawn(write)?;
        Ok(AuditLog { records, waiting })
    }

    pub fn add(&self, record: AuditRecord) {
        let weight = record.weight();
        let before = self.waiting.bytes.fetch_add(weight, Ordering::Relaxed);
        let taken = before + weight <= BYTES_WAITING_MAX
            && self.records.try_send(Item::Record(Box::new(record))).is_ok();
        if !taken {
            self.waiting.bytes.fetch_sub(weight, Ordering::Relaxed);
            self.waiting.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a moment for what is still to be written.
    pub fn finish(&self) {
        let (done, heard) = channel();
        let mut item = Item::Done(done);
        // A full queue is being written, or its disk hangs.
        for _ in 0..FINISH_WITHIN.as_millis() / FINISH_RETRY.as_millis() {
            match self.records.try_send(item) {
                Ok(()) => {
                    let _ = heard.recv_timeout(FINISH_WITHIN);
                    return;
                }
                Err(TrySendError::Full(back)) => item = back,
                Err(TrySendError::Disconnected(_)) => return,
            }
            std::thread::sleep(FINISH_RETRY);
        }
    }
}

/// Writes what comes, putting together what is there, until nobody can send any more.
fn write_all(received: &Receiver<Item>, waiting: &Waiting, mut sink: impl Sink) {
    let mut lines = Vec::new();
    // Records since the last that was written.
    let mut unwritten = 0;
    let mut failing = false;
    while let Ok(first) = received.recv() {
        let (mut weight, mut count, mut done) = (0, 0, Vec::new());
        for item in std::iter::once(first).chain(received.try_iter().take(RECORDS_WAITING_MAX)) {
            match item {
                Item::Record(mut record) => {
                    weight += record.weight();
                    if count == 0 {
                        unwritten += waiting.lost.swap(0, Ordering::Relaxed);
                        record.lost = unwritten;
                    }
                    count += 1;
                    if serde_json::to_writer(&mut lines, &record).is_ok() {
                        lines.push(b'\n');
                    }
                }
                Item::Done(heard) => done.push(heard),
            }
        }
        if count > 0 {
            match sink.append(&lines) {
                Ok(()) => (unwritten, failing) = (0, false),
                Err(error) => {
                    // Said once: it may be so for days.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "the audit log cannot be written; mail is not concerned");
                    }
                    unwritten += count;
                }
            }
        }
        waiting.bytes.fetch_sub(weight, Ordering::Relaxed);
        lines.clear();
        lines.shrink_to(64 << 10);
        for heard in done {
            let _ = heard.send(());
        }
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
        self.open = Some(self.open_numbered(number + 1)?);
        self.remove_old()
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
