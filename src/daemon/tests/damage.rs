//! Bits rot and files end early. Whatever became of the file that a daemon left, in order or not, the next
//! daemon holds what was promised, or says aloud that it may not and keeps what it found.
//!
//! `IPCD_TEST_FLIPS` and `IPCD_TEST_TRUNCATIONS` ask for more (`docs/reliability.md`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::crashes::{from_env, say};
use super::play::Play;
use crate::broker::mutation::Mutation;
use crate::config::Config;
use crate::daemon::recovery::open_store;
use crate::protocol::time::{Now, Tick, Timestamp};
use crate::store::tests::disk::{Disk, Image, Rng};
use crate::store::{self, RedbStore, Rows, Store, StoreOptions};

/// Of one run, for each way in which a daemon may have ended.
const FLIPS: u64 = 60;
const TRUNCATIONS: u64 = 10;
const STEPS: u64 = 40;

/// What a daemon left behind.
struct Left {
    two_phase: bool,
    closed: bool,
    files: Image,
    head: Vec<u8>,
    promised: Rows,
    /// What was promised before, commit by commit.
    earlier: Vec<Rows>,
}

/// What became of one ruined file.
#[derive(Debug, Default)]
struct Tally {
    tried: u64,
    unharmed: u64,
    /// Kept aside, with what could be saved of it in a new store.
    saved: u64,
    /// The store before the last commits, and the note says so.
    rolled_back: u64,
    /// The store before a last commit that put no message: mail that was read comes again, flagged.
    settled_again: u64,
}

/// A life of some steps, and then the daemon is killed or ends in order.
fn life(two_phase: bool, closed: bool) -> Left {
    let mut play = Play::with(7, two_phase);
    play.start();
    let rows = |play: &Play| play.machine.log.lock().unwrap().rows.clone();
    let mut earlier = vec![rows(&play)];
    for _ in 0..STEPS {
        play.step();
        earlier.push(rows(&play));
    }
    if closed {
        assert!(play.machine.stop());
    }
    let disk = Disk::with(play.machine.left());
    if closed {
        let store = RedbStore::on(&disk, two_phase).unwrap().store;
        Box::new(store).close().unwrap();
    }
    let mut left =
        Left { two_phase, closed, files: disk.left(), head: Vec::new(), promised: rows(&play), earlier };
    let home = Home::new();
    home.put(&left);
    let opened = home.open(&left);
    assert!(opened.rows == left.promised && opened.notes.is_empty(), "{:?}", opened.notes);
    left.head = fs::read(home.options(&left).head).unwrap();
    left
}

struct Home(tempfile::TempDir);

struct Opened {
    rows: Rows,
    notes: Vec<String>,
}

impl Home {
    /// In memory where there is such a place: syncing is not what this is about.
    fn new() -> Home {
        let memory = Path::new("/dev/shm");
        let dir = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Home(dir)
    }

    fn options(&self, left: &Left) -> StoreOptions {
        let [path, head] = ["ipcd.redb", "head"].map(|name| self.0.path().join(name));
        StoreOptions { path, head, two_phase: left.two_phase }
    }

    fn put(&self, left: &Left) {
        let options = self.options(left);
        fs::write(&options.path, &left.files[0]).unwrap();
        if !left.files[1].is_empty() {
            fs::write(options.journal(), &left.files[1]).unwrap();
        }
        if !left.head.is_empty() {
            fs::write(&options.head, &left.head).unwrap();
        }
    }

    /// As a daemon that starts does.
    fn open(&self, left: &Left) -> Opened {
        let options = self.options(left);
        let now = Now { wall: Timestamp(1_795_296_428_007), tick: Tick(0) };
        let (recovered, _broker) = open_store(&options, &Config::default(), now).expect("it starts");
        let mut rows = Rows::default();
        recovered.mutations.iter().for_each(|row| rows.apply(row));
        let notes = store::notes(&options.path).into_iter().map(|(_, text)| text).collect();
        Opened { rows, notes }
    }

    /// Files beside the store that hold these very bytes.
    fn evidence(&self, bytes: &[u8]) -> usize {
        let files = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let kept = files.filter(|path| path.to_string_lossy().contains(".damaged-"));
        kept.filter(|path| fs::read(path).is_ok_and(|found| found == bytes)).count()
    }
}

impl Left {
    /// At some time; but for the numbers that go on behind the ones that the head knows.
    fn was_promised(&self, rows: &Rows) -> bool {
        let rows = but_for_counters(rows);
        self.earlier.iter().any(|earlier| but_for_counters(earlier) == rows)
    }

    /// Starts a daemon on a ruined file and looks what it makes of it.
    fn ruined(&self, files: Image, tally: &mut Tally) {
        let home = Home::new();
        let ruined =
            Left { files, head: self.head.clone(), promised: Rows::default(), earlier: Vec::new(), ..*self };
        home.put(&ruined);
        let opened = home.open(&ruined);
        tally.tried += 1;
        let said = opened.notes.join("; ");
        if said.contains("the store is damaged") {
            for file in ruined.files.iter().filter(|file| !file.is_empty()) {
                assert_eq!(home.evidence(file), 1, "the evidence is kept: {said}");
            }
            let known =
                |row: &Mutation| self.earlier.iter().chain([&self.promised]).any(|rows| holds(rows, row));
            assert!(
                opened.rows.mutations().iter().filter(|row| is_message(row)).all(known),
                "a message of nobody"
            );
            tally.saved += 1;
        } else if said.contains("was rolled back") || said.contains("the journal of the store is gone") {
            assert!(self.was_promised(&opened.rows), "rows that were never promised: {said}");
            tally.rolled_back += 1;
        } else if opened.rows == self.promised {
            assert_eq!(said, "", "nothing is wrong");
            tally.unharmed += 1;
        } else {
            assert!(!self.two_phase && !self.closed, "silently wrong");
            assert!(self.was_promised(&opened.rows), "rows that were never promised: {said}");
            let rows = opened.rows.mutations();
            let missing = self.promised.mutations().into_iter().find(|row| {
                matches!(row, Mutation::PutMessage(message) if !rows.iter().any(|r| matches!(r, Mutation::PutMessage(m) if m == message)))
            });
            assert_eq!(missing, None, "silently missing");
            tally.settled_again += 1;
        }
    }
}

fn but_for_counters(rows: &Rows) -> Vec<Mutation> {
    let mut rows = rows.mutations();
    rows.retain(|row| !matches!(row, Mutation::PutCounters(_)));
    rows
}

fn is_message(row: &Mutation) -> bool {
    matches!(row, Mutation::PutMessage(_))
}

fn holds(rows: &Rows, row: &Mutation) -> bool {
    rows.mutations().contains(row)
}

#[test]
fn a_ruined_file_is_never_silently_wrong() {
    let flips = from_env("IPCD_TEST_FLIPS").unwrap_or(FLIPS);
    let truncations = from_env("IPCD_TEST_TRUNCATIONS").unwrap_or(TRUNCATIONS);
    for (two_phase, closed) in [(false, true), (false, false), (true, true), (true, false)] {
        let left = life(two_phase, closed);
        // Pages that hold something: in free space a flip changes nothing and proves nothing.
        let of = |file: usize| (0..left.files[file].len()).map(move |at| (file, at));
        let used: Vec<_> = of(0).chain(of(1)).filter(|(file, at)| left.files[*file][*at] != 0).collect();
        let mut rng = Rng(11);
        let (mut flipped, mut cut) = (Tally::default(), Tally::default());
        for _ in 0..flips {
            let mut files = left.files.clone();
            let (file, at) = used[rng.below(used.len() as u64) as usize];
            files[file][at] ^= 1 << rng.below(8);
            left.ruined(files, &mut flipped);
        }
        for _ in 0..truncations {
            let mut files = left.files.clone();
            let length = rng.below(files[0].len() as u64) as usize;
            files[0].truncate(length);
            left.ruined(files, &mut cut);
        }
        let stop = if closed { "closed in order" } else { "killed" };
        let phases = if two_phase { "two phases" } else { "one phase" };
        for (what, tally) in [("flips", &flipped), ("truncations", &cut)] {
            say(&format!(
                "{stop}, {phases}: {what}={} unharmed={} saved={} rolled_back={} settled_again={} silently_wrong=0 silently_missing=0 evidence_lost=0",
                tally.tried, tally.unharmed, tally.saved, tally.rolled_back, tally.settled_again
            ));
        }
        assert_eq!(cut.saved, cut.tried, "a file that ends early is noticed: {cut:?}");
    }
}
