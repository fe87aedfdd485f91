//! What is written is read, whatever the disk does meanwhile.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::log::Sink;
use super::*;
use crate::protocol::message::Body;
use crate::protocol::time::Timestamp;

fn record(number: u64) -> AuditRecord {
    AuditRecord::new(Timestamp(number), "send", Verdict::Done)
}

fn read(trail: &mut Trail) -> Vec<AuditRecord> {
    let mut records = Vec::new();
    let take = |record| {
        records.push(record);
        Ok::<(), io::Error>(())
    };
    trail.advance(take).unwrap();
    records
}

fn times(records: &[AuditRecord]) -> Vec<u64> {
    records.iter().map(|record| record.at.0).collect()
}

fn write(dir: &Path, numbers: impl IntoIterator<Item = u64>) {
    let log = AuditLog::start(dir.to_owned()).unwrap();
    numbers.into_iter().for_each(|number| log.add(record(number)));
    log.finish();
}

#[test]
fn a_reader_goes_on_where_it_was_also_in_the_next_file() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("audit");
    let mut trail = Trail::open(&dir, None);
    assert_eq!(read(&mut trail), []);
    write(&dir, 1..=3);
    assert_eq!(times(&read(&mut trail)), [1, 2, 3]);
    write(&dir, [4]);
    std::fs::rename(path_of(&dir, 1), path_of(&dir, 7)).unwrap();
    std::fs::write(path_of(&dir, 6), std::fs::read(path_of(&dir, 7)).unwrap()).unwrap();
    write(&dir, [5]);
    let mut fresh = Trail::open(&dir, None);
    assert_eq!(times(&read(&mut fresh)), [1, 2, 3, 4, 1, 2, 3, 4, 5]);
}

#[cfg(unix)]
#[test]
fn files_are_private_and_few_and_of_a_bounded_size() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("audit");
    let log = AuditLog::start(dir.clone()).unwrap();
    let body = Body("x".repeat(1 << 20).into());
    for number in 0..60 {
        log.add(AuditRecord { body: Some(body.clone()), ..record(number) });
        log.finish();
    }
    let numbers = files_in(&dir).unwrap();
    assert_eq!(numbers, [5, 6, 7], "60 MiB are more than three files of 10; the last has just begun");
    for number in numbers {
        let found = std::fs::metadata(path_of(&dir, number)).unwrap();
        assert!(found.len() <= 11 << 20, "{}", found.len());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let last = read(&mut Trail::open(&dir, None)).last().map(|record| record.at.0);
    assert_eq!(last, Some(59), "the newest are kept");
}

#[test]
fn damage_is_passed_over_and_counted() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("audit");
    write(&dir, [1]);
    let path = path_of(&dir, 1);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}no record\n{}", &text[..9])).unwrap();
    write(&dir, [2]);
    let mut trail = Trail::open(&dir, None);
    assert_eq!(times(&read(&mut trail)), [1, 2]);
    assert_eq!(trail.damaged(), 2);
    let mut trail = Trail::open(&dir, Some("1970-01-01T00:00:00.002"));
    assert_eq!(times(&read(&mut trail)), [2], "what is searched for");
}

/// A disk that does nothing until it is let, and then what it is told.
struct Slow {
    begun: Sender<usize>,
    go_on: Receiver<io::Result<()>>,
}

impl Sink for Slow {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let lines: Vec<&[u8]> = lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
        let first: AuditRecord = serde_json::from_slice(lines[0]).unwrap();
        // How many were lost before them, and how many there are.
        self.begun.send(first.lost as usize * 10_000 + lines.len()).unwrap();
        self.go_on.recv().unwrap_or(Ok(()))
    }
}

#[test]
fn nobody_waits_for_a_disk_that_hangs_and_what_it_cost_is_said() {
    let (begun, hears) = channel();
    let (lets, go_on) = channel();
    let log = AuditLog::into(Slow { begun, go_on }).unwrap();
    log.add(record(0));
    assert_eq!(hears.recv(), Ok(1), "it hangs with the first");
    (0..5000).for_each(|number| log.add(record(number)));
    lets.send(Ok(())).unwrap();
    // The queue holds 4096 of the 5000, and those that are lost come behind them.
    let waiting = hears.recv().unwrap();
    assert_eq!((waiting / 10_000, waiting % 10_000), (0, 4096));
    lets.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    log.add(record(1));
    assert_eq!(
        hears.recv(),
        Ok(5000 * 10_000 + 1),
        "those lost in the queue, and those that the disk refused"
    );
}

#[test]
fn bodies_that_wait_are_bounded_in_bytes() {
    let (begun, hears) = channel();
    let (lets, go_on) = channel();
    let log = AuditLog::into(Slow { begun, go_on }).unwrap();
    log.add(record(0));
    hears.recv().unwrap();
    let body = Body("x".repeat(1 << 20).into());
    (0..100).for_each(|number| log.add(AuditRecord { body: Some(body.clone()), ..record(number) }));
    drop(lets);
    let waiting = hears.recv().unwrap();
    assert_eq!((waiting / 10_000, waiting % 10_000), (0, 7), "8 MiB, with the facts of each");
    log.add(record(1));
    assert_eq!(hears.recv(), Ok(93 * 10_000 + 1), "the next one says how many there are no more of");
}
