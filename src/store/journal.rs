//! The journal: a file of fixed length beside the store, to which a commit is one write and one sync. What it
//! holds is not in the tables yet, and goes into them many commits at a time (`store/checkpoint.rs`).
//!
//! The file has three parts, which are used in turn: while what one holds goes into the tables, commits go into
//! the next. Each use of a part has a number, one more than the last. The tables say with a [`Mark`] from where on
//! they lack what the journal holds; what stands before it means nothing, and so one word of theirs empties a part.
//!
//! Records (`store/record.rs`) stand one behind the other from the beginning of their part.
//!
//! What always holds:
//! - A record is written only when the sync of the one before it was done, and records are counted without end; a
//!   commit that goes around the journal counts as one. So a record that does not check out was torn, unless a
//!   later one stands behind it: then it rotted, or the tables are not those of this journal, and that is damage.
//!   Commits without a journal, of two phases or for want of room, are not counted, and it cannot miss them.
//! - A part is written to again only when the tables have what it held, and what the one after it held. Should the
//!   tables lose what was last brought into them, the journal still has it.
//! - The first number is a random one: bytes that somebody sent, and that a torn record left behind, pass for none,
//!   and no journal for that of another store.

use std::hash::{BuildHasher, RandomState};
use std::io;

use redb::StorageBackend;
use serde::{Deserialize, Serialize};

use super::record::{self, Record};
use crate::planted::{Bug, planted};

const PARTS: usize = 3;
/// Bytes of a part: some hundred messages, which take a millisecond or two to bring into the tables. On a full disk
/// two of them must fit there with what is held in reserve. Little in tests, so that they see it full.
const PART_BYTES: usize = if cfg!(test) { 8 << 10 } else { 256 << 10 };
/// Bytes of the file. A store says how long its own is, so that another release may have another.
pub(super) const JOURNAL_BYTES: usize = PARTS * PART_BYTES;
/// Bytes of a payload that may go into it: what a hundred calls at once bring. A larger one costs the tables no
/// more than the way through here.
const PAYLOAD_BYTES_MAX: usize = PART_BYTES / 2;
/// Numbers behind that of a part that are later ones of the same journal.
const LATER: u64 = 1 << 32;

/// What the tables say of the journal: the place of the first record that they lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Number of the part.
    pub(super) part: u64,
    /// Number of the record.
    pub(super) next: u64,
    /// Bytes of the journal's file; 0 when none is in use: there is nothing that the tables lack.
    pub(super) bytes: u64,
}

impl Mark {
    /// Of a new store. Nobody can foresee it.
    pub(super) fn first() -> Mark {
        Mark { part: RandomState::new().hash_one("journal"), next: 0, bytes: 0 }
    }

    pub(super) fn is_in_use(self) -> bool {
        self.bytes > 0
    }

    pub(super) fn out_of_use(self) -> Mark {
        Mark { bytes: 0, ..self }
    }

    fn next_part(self) -> Mark {
        Mark { part: self.part.wrapping_add(1), ..self }
    }

    /// Whether a part is that of the mark, or a later one.
    fn reaches(self, part: u64) -> bool {
        part.wrapping_sub(self.part) < LATER
    }
}

/// The journal of an opened store.
pub(super) struct Journal {
    file: Box<dyn StorageBackend>,
    /// Where the next record goes.
    at: Mark,
    /// Bytes of the part that are taken.
    end: usize,
    /// The payloads that the part holds, one behind the other.
    held: Vec<u8>,
    /// The record that is being put together.
    record: Vec<u8>,
}

impl Journal {
    /// Takes a file for the journal that goes on at `mark`, where nothing is, and gives it its length, should it not
    /// have it.
    pub(super) fn new(file: Box<dyn StorageBackend>, mark: Mark) -> io::Result<Journal> {
        let length = file.len()?;
        if length < JOURNAL_BYTES as u64 {
            // Written, and not only claimed: a write into it then changes nothing but its bytes, and a sync
            // has nothing else to take to the disk.
            let filled = file.write(length, &vec![0; JOURNAL_BYTES - length as usize]);
            filled.and_then(|()| file.sync_data()).inspect_err(|_| {
                // Half a journal is no use, and takes room that may be wanted.
                let _ = file.set_len(length);
            })?;
        } else {
            // Whoever made it so long may have been killed before the sync.
            file.sync_data()?;
        }
        // One of another length is begun anew with the next commit.
        let at = if mark.bytes == JOURNAL_BYTES as u64 { mark } else { mark.out_of_use() };
        Ok(Journal { file, at, end: 0, held: Vec::new(), record: Vec::new() })
    }

    /// What the part in use holds.
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    /// Whether it takes this at all, be it in another part.
    pub(super) fn is_for(&self, payload: &[u8]) -> bool {
        self.at.is_in_use() && payload.len() <= PAYLOAD_BYTES_MAX
    }

    pub(super) fn has_room_for(&self, payload: &[u8]) -> bool {
        self.end + record::bytes_with(payload.len()) <= PART_BYTES
    }

    /// Goes on in the next part, the tables having what the others held. Returns what the one until now holds, and
    /// what the tables are to say when they have it.
    pub(super) fn turn(&mut self) -> (Vec<u8>, Mark) {
        (self.at, self.end) = (self.at.next_part(), 0);
        (std::mem::take(&mut self.held), self.at)
    }

    /// What the tables are to say with a commit that goes around the journal, and has with it what that holds. It
    /// counts as a record, so that the journal alone does not pass for all.
    pub(super) fn mark_around(&self) -> Mark {
        Mark { next: self.at.next + 1, bytes: JOURNAL_BYTES as u64, ..self.at.next_part() }
    }

    /// What the tables are to say when they have what it holds, and nothing comes after that. `None`: they do.
    pub(super) fn mark_closed(&self) -> Option<Mark> {
        self.at.is_in_use().then(|| self.at.next_part().out_of_use())
    }

    /// The tables say this, and have what it held.
    pub(super) fn go_on_at(&mut self, mark: Mark) {
        (self.at, self.end) = (mark, 0);
        self.held.clear();
    }

    /// Makes `payload` durable. It must be for it, and there must be room.
    ///
    /// # Errors
    /// It is there as a whole or not at all, and only the file tells: nothing may be added to it any more.
    pub(super) fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        self.record.clear();
        Record { part: self.at.part, number: self.at.next, payload }.write(&mut self.record);
        let offset = place(self.at.part, PART_BYTES) + self.end;
        self.file.write(offset as u64, &self.record)?;
        if !planted(Bug::NoSync) {
            self.file.sync_data()?;
        }
        self.end += self.record.len();
        self.at.next += 1;
        self.held.extend_from_slice(payload);
        Ok(())
    }
}

/// Where the part of a number begins.
fn place(part: u64, part_bytes: usize) -> usize {
    (part % PARTS as u64) as usize * part_bytes
}

/// The bytes of a journal's file.
pub(super) fn read(file: &dyn StorageBackend) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.len()?.min(READ_BYTES_MAX) as usize];
    file.read(0, &mut bytes)?;
    Ok(bytes)
}

/// Bytes that are read of a file that says it is a journal: more than any has.
const READ_BYTES_MAX: u64 = 64 << 20;

/// What the tables lack.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outstanding {
    /// The payloads of the records, one behind the other.
    pub(super) payloads: Vec<u8>,
    /// Where the journal goes on when the tables have them.
    pub(super) after: Mark,
    /// There are records, and not all of them, from the first that the tables lack.
    pub(super) damaged: bool,
}

/// Looks through a journal's file for what stands there from `mark` on.
pub(super) fn outstanding(bytes: &[u8], mark: Mark) -> Outstanding {
    let records = records(bytes, Some(mark));
    let mut after = mark;
    let mut damaged = !mark.is_in_use() && !records.is_empty();
    for record in &records {
        damaged |= record.number != after.next;
        after = Mark { part: record.part, next: record.number.wrapping_add(1), ..mark };
    }
    if !records.is_empty() {
        after = after.next_part();
    }
    Outstanding { payloads: payloads(&records), after, damaged }
}

/// All that checks out in a journal's file, in the order in which it was written, be there gaps or not: from
/// `mark` on, where there is one.
pub(super) fn salvage(bytes: &[u8], mark: Option<Mark>) -> Vec<u8> {
    payloads(&records(bytes, mark))
}

/// Whether any record stands in a file.
pub(super) fn holds_records(bytes: &[u8]) -> bool {
    !records(bytes, None).is_empty()
}

fn records(bytes: &[u8], mark: Option<Mark>) -> Vec<Record<'_>> {
    let length = mark.filter(|mark| mark.is_in_use()).map_or(bytes.len() as u64, |mark| mark.bytes);
    let part_bytes = length as usize / PARTS;
    record::find(bytes, |at, part| {
        at.checked_div(part_bytes) == Some(place(part, 1)) && mark.is_none_or(|mark| mark.reaches(part))
    })
}

fn payloads(records: &[Record<'_>]) -> Vec<u8> {
    records.iter().flat_map(|record| record.payload.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::tests::disk::Disk;

    const fn mark(part: u64, next: u64) -> Mark {
        Mark { part, next, bytes: JOURNAL_BYTES as u64 }
    }

    fn journal(disk: &Disk, part: u64) -> Journal {
        Journal::new(Box::new(disk.clone()), mark(part, 0)).unwrap()
    }

    fn found(disk: &Disk, mark: Mark) -> Outstanding {
        outstanding(&disk.live(), mark)
    }

    fn holds(payloads: &[u8], after: Mark) -> Outstanding {
        Outstanding { payloads: payloads.to_vec(), after, damaged: false }
    }

    #[test]
    fn records_are_found_from_a_mark_on() {
        let disk = Disk::new(Vec::new());
        let mut journal = journal(&disk, 7);
        assert_eq!(disk.live().len(), JOURNAL_BYTES);
        assert!(!holds_records(&disk.live()));
        for payload in ["one", "", "three"] {
            journal.append(payload.as_bytes()).unwrap();
        }
        assert_eq!(journal.held(), b"onethree");
        assert_eq!(found(&disk, mark(7, 0)), holds(b"onethree", mark(8, 3)));
        assert_eq!(found(&disk, mark(9, 0)), holds(b"", mark(9, 0)));
        assert!(holds_records(&disk.live()));
        // The tables have them by now, or are about to.
        assert_eq!(journal.turn(), (b"onethree".to_vec(), mark(8, 3)));
        assert_eq!(found(&disk, mark(8, 3)), holds(b"", mark(8, 3)));
        journal.append(b"four").unwrap();
        assert_eq!(found(&disk, mark(7, 0)), holds(b"onethreefour", mark(9, 4)));
        assert_eq!(found(&disk, mark(8, 3)), holds(b"four", mark(9, 4)));
        journal.turn();
        journal.append(b"five").unwrap();
        // The tables may have lost their last commit, and the one before.
        assert_eq!(found(&disk, mark(7, 0)), holds(b"onethreefourfive", mark(10, 5)));
        // The first part again: what it held is gone, and tables that lack it are damaged.
        journal.turn();
        journal.append(b"six").unwrap();
        assert_eq!(found(&disk, mark(8, 3)), holds(b"fourfivesix", mark(11, 6)));
        assert!(found(&disk, mark(7, 0)).damaged);
        // What was not overwritten yet is saved, too: it is older than the rest, and comes before it.
        assert_eq!(salvage(&disk.live(), Some(mark(7, 0))), b"threefourfivesix");
        assert_eq!(salvage(&disk.live(), Some(mark(8, 3))), b"fourfivesix");
        // And so are those that say that they lack nothing.
        assert!(found(&disk, mark(8, 3).out_of_use()).damaged);
        assert!(!found(&disk, mark(11, 6).out_of_use()).damaged);
        assert!(!found(&disk, Mark::first()).damaged, "another store's");
    }

    #[test]
    fn a_commit_around_the_journal_is_missed_when_it_is_lost() {
        let disk = Disk::new(Vec::new());
        let mut journal = journal(&disk, 7);
        journal.append(b"one").unwrap();
        journal.go_on_at(journal.mark_around());
        journal.append(b"three").unwrap();
        assert_eq!(found(&disk, mark(8, 2)), holds(b"three", mark(9, 3)));
        let without = found(&disk, mark(7, 0));
        assert!(without.damaged && without.payloads == b"onethree");
    }

    #[test]
    fn it_is_full_at_its_end_and_takes_nothing_before_it_is_in_use() {
        let disk = Disk::new(Vec::new());
        let unused = Journal::new(Box::new(disk.clone()), mark(9, 0).out_of_use()).unwrap();
        assert!(!unused.is_for(b""));
        let mut journal = journal(&disk, 9);
        assert!(!journal.is_for(&vec![0; PAYLOAD_BYTES_MAX + 1]));
        let payload = vec![1; PAYLOAD_BYTES_MAX];
        assert!(journal.is_for(&payload));
        let mut records = 0;
        while journal.has_room_for(&payload) {
            journal.append(&payload).unwrap();
            records += 1;
        }
        assert_eq!(records, PART_BYTES / record::bytes_with(PAYLOAD_BYTES_MAX));
        assert!(disk.live()[PART_BYTES..].iter().all(|byte| *byte == 0));
        assert_eq!(found(&disk, mark(9, 0)).payloads, vec![1; records * PAYLOAD_BYTES_MAX]);
    }

    #[test]
    fn one_of_another_length_is_read_and_begun_anew() {
        let disk = Disk::new(Vec::new());
        journal(&disk, 9).append(b"one").unwrap();
        let short = &disk.live()[..6 << 10];
        let said = Mark { part: 9, next: 0, bytes: short.len() as u64 };
        let read = outstanding(short, said);
        assert_eq!((read.payloads.as_slice(), read.damaged), (&b"one"[..], false));
        let journal = Journal::new(Box::new(Disk::new(Vec::new())), read.after).unwrap();
        assert!(!journal.is_for(b""));
        assert_eq!(journal.mark_around(), mark(11, 2));
    }

    #[test]
    fn a_torn_end_is_an_end_and_rot_before_it_is_damage() {
        let disk = Disk::new(Vec::new());
        let mut journal = journal(&disk, 9);
        for letter in b'a'..=b'c' {
            journal.append(&[letter; 600]).unwrap();
        }
        let whole = disk.live();
        for (record, left) in ["bc", "ac", "ab"].into_iter().enumerate() {
            let mut bytes = whole.clone();
            bytes[record * 1024 + 40] ^= 1;
            let mut found = outstanding(&bytes, mark(9, 0));
            found.payloads.dedup();
            assert_eq!((found.payloads.as_slice(), found.damaged), (left.as_bytes(), record < 2));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..PAYLOAD_BYTES_MAX),
            length: u64,
        ) {
            let any = Mark { part: 9, next: 0, bytes: length };
            prop_assert_eq!(outstanding(&bytes, any), holds(b"", any));
            let mut last = Vec::new();
            Record { part: 9, number: u64::MAX, payload: &bytes }.write(&mut last);
            prop_assert_eq!(outstanding(&last, mark(9, u64::MAX)).payloads, bytes);
        }
    }
}
