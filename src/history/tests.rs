//! The history from its writer to its reader, over real files.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::protocol::message::{Body, Data, MessageId, SharedSender};
use crate::protocol::name::Name;
use crate::protocol::time::Timestamp;

const NONE: [u64; 0] = [];
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Noon, 2026-11-21.
const NOON: Timestamp = Timestamp(1_795_262_400_000);

struct Home {
    temp: tempfile::TempDir,
    writer: HistoryWriter,
    copies: Copies,
}

impl Home {
    fn new() -> Home {
        let temp = tempfile::tempdir().unwrap();
        let copies = Copies::new(temp.path().join("copies"));
        let writer = HistoryWriter::new(temp.path().join("history"), copies.clone());
        Home { temp, writer, copies }
    }

    fn dir(&self) -> PathBuf {
        self.temp.path().join("history")
    }

    /// Three days of three records, 1 to 9.
    fn three_days(&self) {
        let records: Vec<HistoryRecord> = (0..9).map(|n| record(n + 1, day(n / 3))).collect();
        self.writer.append(&records).unwrap();
    }

    fn open(&self, filter: Filter, last: Option<usize>) -> Records {
        Records::open(&self.dir(), filter, last).unwrap()
    }

    fn all(&self) -> Vec<u64> {
        ids(&mut self.open(Filter::default(), None))
    }

    fn append_raw(&self, day: &str, bytes: &[u8]) {
        let path = self.dir().join(day);
        fs::create_dir_all(self.dir()).unwrap();
        fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
    }
}

fn day(number: u64) -> Timestamp {
    NOON.plus(DAY * number as u32)
}

fn record(id: u64, at: Timestamp) -> HistoryRecord {
    HistoryRecord {
        at,
        id: MessageId(id),
        from: Name::parse("Alice").unwrap(),
        to: Name::parse("bob").unwrap(),
        sent_at: NOON,
        outcome: Outcome::Read,
        summary: None,
        content: Body(format!("content {id}\nÄ").into()),
        data: None,
        reply_to: None,
        thread: None,
        sender: SharedSender::default(),
    }
}

fn ids(records: &mut Records) -> Vec<u64> {
    records.map(|record| record.unwrap().id.0).collect()
}

#[test]
fn a_record_comes_back_as_it_was() {
    let home = Home::new();
    let written = HistoryRecord {
        outcome: Outcome::Dead,
        summary: Some("in \"short\"".to_owned()),
        data: Some(Data(
            serde_json::value::RawValue::from_string("{\"n\": 1e400}".to_owned()).unwrap().into(),
        )),
        reply_to: Some(MessageId(3)),
        thread: Some(MessageId(2)),
        ..record(1, NOON)
    };
    home.writer.append(std::slice::from_ref(&written)).unwrap();
    let read: Vec<HistoryRecord> = home.open(Filter::default(), None).map(Result::unwrap).collect();
    assert_eq!(read, [written]);
    let line = fs::read_to_string(home.dir().join("2026-11-21.jsonl")).unwrap();
    assert!(
        line.ends_with("}\n") && line.lines().count() == 1 && line.contains("\"outcome\":\"dead\""),
        "{line}"
    );
}

#[test]
fn records_go_to_their_days_and_come_newest_last() {
    let home = Home::new();
    assert_eq!(home.all(), NONE);
    home.three_days();
    assert_eq!(fs::read_dir(home.dir()).unwrap().count(), 3);
    assert_eq!(home.all(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[cfg(unix)]
#[test]
fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.three_days();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(home.dir()), mode(home.dir().join("2026-11-21.jsonl"))), (0o700, 0o600));
    // A planted link is not followed.
    let target = home.temp.path().join("target");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, home.dir().join("2026-11-30.jsonl")).unwrap();
    home.writer.append(&[record(10, day(9))]).unwrap_err();
    assert_eq!(fs::read(&target).unwrap(), b"");
}

#[test]
fn the_last_ones_are_the_last_ones() {
    let home = Home::new();
    home.three_days();
    for last in 0..12 {
        let expected: Vec<u64> = (1..=9).skip(9_usize.saturating_sub(last)).collect();
        assert_eq!(ids(&mut home.open(Filter::default(), Some(last))), expected, "the last {last}");
    }
}

#[test]
fn filters_let_through_what_was_asked_for() {
    let home = Home::new();
    home.three_days();
    let summary = Some("A SHORT word".to_owned());
    home.writer.append(&[HistoryRecord { summary, ..record(10, day(3)) }]).unwrap();
    let search = |text: &str, last| {
        ids(&mut home.open(Filter { search: Some(text.to_owned()), ..Filter::default() }, last))
    };
    assert_eq!(search("CONTENT 4", None), [4]);
    assert_eq!(search("short W", None), [10]);
    assert_eq!(search("alice", Some(2)), [9, 10]);
    assert_eq!(search("BOB", None).len(), 10);
    assert_eq!(search("ä", Some(1)), [10]);
    assert_eq!(search("content 1", Some(1)), [10]);
    assert_eq!(search("content 1", Some(9)), [1, 10]);
    assert_eq!(search("nowhere", Some(3)), NONE);
    let since = |since| ids(&mut home.open(Filter { since: Some(since), ..Filter::default() }, None));
    assert_eq!(since(day(2)), [7, 8, 9, 10]);
    assert_eq!(since(Timestamp(day(2).0 + 1)), [10]);
    assert_eq!(since(day(4)), NONE);
    let reply = |id, thread| HistoryRecord { thread: Some(MessageId(thread)), ..record(id, day(3)) };
    home.writer.append(&[reply(11, 4), reply(12, 5), reply(13, 4)]).unwrap();
    let only = |filter| ids(&mut home.open(filter, None));
    assert_eq!(only(Filter { thread: Some(MessageId(4)), ..Filter::default() }), [4, 11, 13]);
    assert_eq!(only(Filter { id: Some(MessageId(12)), ..Filter::default() }), [12]);
}

#[test]
fn damaged_lines_are_counted_and_passed_over() {
    let home = Home::new();
    home.append_raw("2026-11-20.jsonl", b"\xff\xfe\n{}\n\n[1]\n{\"at\":");
    home.append_raw("notes.txt", b"not ours");
    home.three_days();
    let mut records = home.open(Filter::default(), None);
    assert_eq!(ids(&mut records), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(records.damaged(), 5);
    // An outcome that a later version writes is no damage.
    let line = serde_json::to_string(&record(10, day(3))).unwrap().replace("\"read\"", "\"vanished\"");
    home.append_raw("2026-11-24.jsonl", format!("{line}\n").as_bytes());
    let last = home.open(Filter::default(), Some(1)).next().unwrap().unwrap();
    assert_eq!((last.id.0, last.outcome), (10, Outcome::Other));
}

#[test]
fn a_line_without_an_end_does_not_fill_the_memory_or_hide_the_next() {
    let home = Home::new();
    home.append_raw("2026-11-21.jsonl", &vec![b'x'; (16 << 20) + 5]);
    home.append_raw("2026-11-21.jsonl", b"\n");
    home.three_days();
    let mut records = home.open(Filter::default(), None);
    assert_eq!(ids(&mut records).len(), 9);
    assert_eq!(records.damaged(), 1);
}

#[test]
fn a_write_that_was_cut_short_costs_its_own_line_only() {
    let home = Home::new();
    home.append_raw("2026-11-21.jsonl", b"{\"at\":\"2026-");
    home.three_days();
    assert_eq!(home.all(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn looking_again_leaves_nothing_out_and_brings_nothing_twice() {
    let home = Home::new();
    let mut records = home.open(Filter::default(), Some(0));
    assert_eq!(ids(&mut records), NONE);
    home.writer.append(&[record(1, day(0))]).unwrap();
    // Appended, and not seen until the reader looks again.
    assert_eq!(ids(&mut records), NONE);
    records.look_again().unwrap();
    assert_eq!(ids(&mut records), [1]);

    // Half a line is read when it is whole.
    let line = format!("{}\n", serde_json::to_string(&record(2, day(0))).unwrap());
    let (half, rest) = line.split_at(30);
    home.append_raw("2026-11-21.jsonl", half.as_bytes());
    records.look_again().unwrap();
    assert_eq!(ids(&mut records), NONE);
    home.append_raw("2026-11-21.jsonl", rest.as_bytes());
    home.writer.append(&[record(3, day(0)), record(4, day(1))]).unwrap();
    records.look_again().unwrap();
    assert_eq!(ids(&mut records), [2, 3, 4]);

    // In the middle, too: what was not read yet still comes.
    home.writer.append(&[record(5, day(1)), record(6, day(2))]).unwrap();
    records.look_again().unwrap();
    assert_eq!(records.next().unwrap().unwrap().id.0, 5);
    home.writer.append(&[record(7, day(2))]).unwrap();
    records.look_again().unwrap();
    assert_eq!(ids(&mut records), [6, 7]);
    assert_eq!(records.damaged(), 0);
}

#[test]
fn following_from_now_shows_only_what_is_new() {
    let home = Home::new();
    home.three_days();
    let mut records = home.open(Filter::default(), Some(0));
    records.look_again().unwrap();
    assert_eq!(ids(&mut records), NONE);
    home.writer.append(&[record(10, day(2))]).unwrap();
    records.look_again().unwrap();
    assert_eq!(ids(&mut records), [10]);
}

#[test]
fn a_day_that_is_removed_while_it_is_read_is_no_error() {
    let home = Home::new();
    home.three_days();
    let mut records = home.open(Filter::default(), None);
    assert_eq!(records.next().unwrap().unwrap().id.0, 1);
    home.writer.prune(day(2), Duration::ZERO).unwrap();
    let rest = ids(&mut records);
    assert!(rest.ends_with(&[7, 8, 9]), "{rest:?}");
    records.look_again().unwrap();
    assert_eq!(ids(&mut records), NONE);
}

#[test]
fn only_days_that_are_old_as_a_whole_are_removed() {
    let home = Home::new();
    home.three_days();
    home.append_raw("2020-01-01.txt", b"not ours");
    home.copies.write(1, MessageId(1), crate::protocol::message::WholeFormat::Text, b"new").unwrap();
    home.writer.prune(day(2), DAY * 3).unwrap();
    assert_eq!(home.all().len(), 9);
    // Half of the first day is older than two days, half of it is not.
    home.writer.prune(day(2), DAY * 2).unwrap();
    assert_eq!(home.all().len(), 9);
    home.writer.prune(day(2), DAY).unwrap();
    assert_eq!(home.all(), [4, 5, 6, 7, 8, 9]);
    home.writer.prune(day(9), DAY).unwrap();
    assert_eq!(home.all(), NONE);
    assert!(home.dir().join("2020-01-01.txt").exists());
    home.writer.prune(Timestamp(5), Duration::MAX).unwrap();
}
