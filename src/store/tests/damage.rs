//! What goes wrong with the store's file, and what is said of it.

use super::*;
use crate::store::salvage;

#[test]
fn a_flipped_byte_in_a_row_is_caught_and_the_row_named() {
    let home = Home::new();
    home.store(&every_row());
    home.tamper(|write| {
        let mut table = write.open_table(MAIL).unwrap();
        let mut row = table.get(message_key(MessageId(9))).unwrap().unwrap().value().to_vec();
        *row.last_mut().unwrap() ^= 1;
        table.insert(message_key(MessageId(9)), row.as_slice()).unwrap();
    });
    let error = home.refused();
    assert_eq!(error.to_string(), "the store is damaged: row 9 of table mail: checksum mismatch");
    assert_eq!(error.refusal().code, RefusalCode::StoreDamaged);
}

/// Each kind of row, moved to a key that its table may hold, and mail moved to another mailbox.
#[test]
fn a_row_under_another_key_is_caught_and_not_saved() {
    let moves: [(MailKey, MailKey, &str); 4] = [
        (message_key(MessageId(9)), message_key(MessageId(11)), "row 11 of table mail"),
        ((9, 1, 300), (9, 1, 1), "row 9/1/1 of table mail"),
        ((9, 1, 300), (10, 1, 300), "row 10/1/300 of table mail"),
        ((2, 2, 300), (2, 2, 1), "row 2/2/1 of table mail"),
    ];
    for (from, to, named) in moves {
        let home = Home::new();
        home.store(&every_row());
        home.tamper(|write| {
            let mut table = write.open_table(MAIL).unwrap();
            let row = table.remove(from).unwrap().unwrap().value().to_vec();
            table.insert(to, row.as_slice()).unwrap();
        });
        let moved = fs::read(home.path()).unwrap();
        assert_eq!(home.refused().to_string(), format!("the store is damaged: {named}: checksum mismatch"));
        let saved = salvage::read_backend(Disk::new(moved), &[]);
        assert_eq!(saved.len(), every_row().len() - 1);
        assert!(saved.iter().all(|row| every_row().contains(row)), "{saved:?}");
    }
}

#[test]
fn a_row_under_another_key_of_every_other_table_is_caught() {
    const MAILBOXES: TableDefinition<u64, &[u8]> = TableDefinition::new("mailboxes");
    const NAMES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("names");
    const KEYS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("keys");
    let key = [&1_u64.to_be_bytes()[..], "a key \u{0} ä".as_bytes()].concat();
    let longer = [&key[..], b"s"].concat();
    for table in ["mailboxes", "names", "keys"] {
        let home = Home::new();
        home.store(&every_row());
        home.tamper(|write| match table {
            "mailboxes" => moved(write, MAILBOXES, 1, 3),
            "names" => moved(write, NAMES, b"alice", b"alicf"),
            _ => moved(write, KEYS, &key, &longer),
        });
        let error = home.refused().to_string();
        assert!(error.contains(&format!("of table {table}: checksum mismatch")), "{error}");
    }
}

fn moved<'k, K: redb::Key + 'static>(
    write: &WriteTransaction,
    table: TableDefinition<K, &'static [u8]>,
    from: K::SelfType<'k>,
    to: K::SelfType<'k>,
) {
    let mut table = write.open_table(table).unwrap();
    let row = table.remove(from).unwrap().unwrap().value().to_vec();
    table.insert(to, row.as_slice()).unwrap();
}

#[test]
fn what_is_not_a_store_is_refused_and_left_alone() {
    let mut rng = Rng(3);
    let home = Home::new();
    home.store(&every_row());
    let good = fs::read(home.path()).unwrap();
    let mut bad: Vec<Vec<u8>> = vec![b"root:x:0:0:\n".to_vec(), vec![0; 4096], vec![0xff; 1 << 20]];
    bad.extend((0..20).map(|_| good[..1 + rng.below(good.len() as u64 - 1) as usize].to_vec()));
    for bytes in bad {
        fs::write(home.path(), &bytes).unwrap();
        let error = home.refused();
        assert_eq!(error.refusal().code, RefusalCode::StoreDamaged, "{error}");
        assert!(fs::read(home.path()).unwrap() == bytes, "the evidence was changed");
    }
    // Another program's redb file.
    fs::remove_file(home.path()).unwrap();
    let db = Database::create(home.path()).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap();
    write.commit().unwrap();
    db.close().unwrap();
    assert_eq!(home.refused().refusal().code, RefusalCode::StoreDamaged);
}

/// Flips in one run; `IPCD_TEST_FLIPS` asks for more.
fn flips() -> u64 {
    std::env::var("IPCD_TEST_FLIPS").ok().and_then(|flips| flips.parse().ok()).unwrap_or(300)
}

/// Bits rot: whatever bit it is, the store says so or holds exactly what it held; and what is saved of
/// it is nothing that it did not hold, and a store that a broker can take up.
#[test]
fn no_flipped_bit_changes_what_is_read() {
    let home = Home::new();
    home.store(&every_row());
    let good = fs::read(home.path()).unwrap();
    let expected = home.open().mutations;
    // Pages that hold something: flips in free space change nothing and prove nothing.
    let used: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
    let mut rng = Rng(11);
    let (mut tried, mut caught, mut saved) = (0, 0, 0);
    // What redb leaves in free space differs from run to run, and with it how many flips hit something.
    while tried < flips() || caught <= 10 {
        tried += 1;
        assert!(tried < 100 * flips(), "next to no flip hits anything");
        let mut flipped = good.clone();
        flipped[used[rng.below(used.len() as u64) as usize]] ^= 1 << rng.below(8);
        match RedbStore::on(&Disk::new(flipped.clone()), false) {
            Ok(recovered) => assert_eq!(recovered.mutations, expected),
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
                caught += 1;
                let rows = salvage::read_backend(Disk::new(flipped), &[]);
                assert!(rows.iter().all(|row| expected.contains(row)), "{rows:?}");
                saved += usize::from(rows.iter().any(|row| matches!(row, Mutation::PutMessage(_))));
                let (rows, _) = salvage::agreeing(rows);
                assert!(State::recover(&rows).is_ok(), "{rows:?}");
            }
        }
    }
    assert!(saved > caught / 4, "{caught} flips were caught, mail was saved of {saved}");
    said(&format!("{tried} flips, {caught} caught, mail saved of {saved}, silently wrong: 0"));
}

/// For a run that shows its output.
#[expect(clippy::print_stdout, reason = "a measurement")]
fn said(text: &str) {
    println!("{text}");
}

/// A store that was never closed: rot in its last commit looks as if a power cut had torn that commit.
/// One phase takes the commit before it, which the head notices; two phases refuse.
#[test]
fn rot_after_a_crash_is_refused_or_noticed() {
    for two_phase in [false, true] {
        let disk = Disk::new(Vec::new());
        let mut store = RedbStore::on(&disk, two_phase).unwrap().store;
        let mut promised: Vec<Vec<Mutation>> = vec![Vec::new()];
        for id in 1..=6 {
            let mut rows = vec![counters(id)];
            rows.extend((1..=id).map(|id| message(id, "kept")));
            store.commit(&rows).unwrap();
            promised.push(rows);
        }
        let killed = disk.left();
        let head = 6;
        let of = |file: usize| (0..killed[file].len()).map(move |at| (file, at));
        let used: Vec<_> = of(0).chain(of(1)).filter(|(file, at)| killed[*file][*at] != 0).collect();
        let mut rng = Rng(12);
        let (mut same, mut refused, mut rolled_back) = (0, 0, 0);
        for _ in 0..flips() {
            let mut flipped = killed.clone();
            let (file, at) = used[rng.below(used.len() as u64) as usize];
            flipped[file][at] ^= 1 << rng.below(8);
            match RedbStore::on(&Disk::with(flipped), two_phase) {
                Ok(found) if found.mutations == promised[6] => same += 1,
                Ok(found) => {
                    let ends = promised.iter().position(|rows| *rows == found.mutations);
                    assert!(ends.is_some_and(|ends| ends < head), "rows that were never promised");
                    rolled_back += 1;
                }
                Err(error) => {
                    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
                    refused += 1;
                }
            }
        }
        assert!(two_phase == (rolled_back == 0), "{rolled_back} rolled back");
        said(&format!(
            "two phases: {two_phase}: unharmed {same}, refused {refused}, rolled back and noticed {rolled_back}, silently wrong 0"
        ));
    }
}

#[test]
fn a_store_that_was_rolled_back_says_so_and_gives_no_number_twice() {
    let home = Home::new();
    home.store(&[counters(5), message(5, "old")]);
    let old = fs::read(home.path()).unwrap();
    home.store(&[counters(9), message(9, "new")]);
    fs::write(home.path(), old).unwrap();
    fs::remove_file(home.options().journal()).unwrap();
    // Again and again, until a commit holds the higher number.
    for _ in 0..2 {
        let recovered = home.open();
        let said = recovered.warnings.join("; ");
        assert!(said.contains("rolled back: it ends at message 5, and message 9"), "{said}");
        let Mutation::PutCounters(counters) = recovered.mutations[0] else { panic!() };
        assert_eq!((counters.last_message, counters.last_mailbox), (9, 2));
        close(recovered.store);
    }
    home.store(&[counters(10)]);
    assert!(home.open().warnings.is_empty());
}

#[test]
fn a_store_that_vanished_is_said_and_an_emptied_one_refused() {
    let home = Home::new();
    home.store(&[counters(5)]);
    fs::write(home.path(), b"").unwrap();
    assert_eq!(home.refused().refusal().code, RefusalCode::StoreDamaged);
    fs::remove_file(home.path()).unwrap();
    let recovered = home.open();
    assert!(
        recovered.fresh && recovered.warnings[0].contains("the store is new"),
        "{:?}",
        recovered.warnings
    );
    // Without a head an empty file is what a first start left behind.
    let new = Home::new();
    fs::write(new.path(), b"").unwrap();
    assert!(new.open().fresh);
}

#[test]
fn a_bad_head_is_no_reason_to_refuse() {
    let home = Home::new();
    home.store(&[counters(5)]);
    fs::write(home.head(), b"what a power cut left").unwrap();
    assert!(home.open().warnings.is_empty());
    fs::remove_file(home.head()).unwrap();
    fs::create_dir(home.head()).unwrap();
    assert_eq!(home.open().warnings.len(), 1);
}

/// Elsewhere a commit looks where its file is (`files.rs`); Windows keeps it where it is.
#[cfg(windows)]
#[test]
fn a_store_in_use_can_be_neither_removed_nor_moved_nor_replaced() {
    let home = Home::new();
    let mut store = home.open().store;
    let [moved, other] = ["moved", "other"].map(|name| home.0.path().join(name));
    fs::write(&other, "another").unwrap();
    assert!(fs::remove_file(home.path()).is_err());
    assert!(fs::rename(home.path(), &moved).is_err());
    assert!(fs::rename(&other, home.path()).is_err());
    store.commit(&[message(1, "kept")]).unwrap();
    close(store);
    assert_eq!(home.open().mutations.len(), 1);
    fs::rename(home.path(), &moved).unwrap();
}
