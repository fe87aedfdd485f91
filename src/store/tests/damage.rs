//! What goes wrong with a disk and with a file, and what is said of it.

use super::*;

#[test]
fn a_flipped_byte_in_a_row_is_caught_and_the_row_named() {
    let home = Home::new();
    home.store(&every_row());
    home.tamper(|write| {
        let mut table = write.open_table(MESSAGES).unwrap();
        let mut row = table.get(9).unwrap().unwrap().value().to_vec();
        *row.last_mut().unwrap() ^= 1;
        table.insert(9, row.as_slice()).unwrap();
    });
    let error = home.refused();
    assert_eq!(error.to_string(), "the store is damaged: row 9 of table messages: checksum mismatch");
    assert_eq!(error.refusal().code, RefusalCode::StoreDamaged);
}

#[test]
fn a_row_under_another_key_is_caught() {
    let home = Home::new();
    home.store(&every_row());
    home.tamper(|write| {
        let mut table = write.open_table(MESSAGES).unwrap();
        let row = table.get(9).unwrap().unwrap().value().to_vec();
        table.insert(11, row.as_slice()).unwrap();
    });
    assert!(home.refused().to_string().contains("row 11 of table messages"));
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

/// Bits rot: whatever bit it is, the store says so or holds exactly what it held.
#[test]
fn no_flipped_bit_changes_what_is_read() {
    let home = Home::new();
    home.store(&every_row());
    let good = fs::read(home.path()).unwrap();
    let expected = home.open().mutations;
    // Pages that hold something: flips in free space change nothing and prove nothing.
    let used: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
    let mut rng = Rng(11);
    let mut caught = 0;
    for _ in 0..100 {
        let mut flipped = good.clone();
        flipped[used[rng.below(used.len() as u64) as usize]] ^= 1 << rng.below(8);
        match RedbStore::with_backend(Disk::new(flipped), false) {
            Ok(recovered) => assert_eq!(recovered.mutations, expected),
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
                caught += 1;
            }
        }
    }
    assert!(caught > 10, "{caught} flips were caught");
}

#[test]
fn a_failed_commit_is_reported_and_nothing_of_it_is_found_again() {
    for (kind, code) in [
        (io::ErrorKind::StorageFull, RefusalCode::StoreFull),
        (io::ErrorKind::Other, RefusalCode::StoreFailed),
    ] {
        let disk = Disk::new(Vec::new());
        let mut store = RedbStore::with_backend(disk.clone(), false).unwrap().store;
        store.commit(&[message(1, "kept")]).unwrap();
        let kept = disk.live();
        disk.fail_after(0, kind);
        assert_eq!(store.commit(&[message(2, "lost")]).unwrap_err().refusal().code, code);
        // The disk is well again, and the store does not trust itself.
        disk.fail_after(u64::MAX, kind);
        assert!(matches!(store.commit(&[message(3, "lost")]), Err(StoreError::FailedBefore)));
        close(store);
        for image in [kept, disk.image(&mut Rng(1))] {
            let recovered = RedbStore::with_backend(Disk::new(image), false).unwrap();
            let [Mutation::PutMessage(row)] = recovered.mutations.as_slice() else { panic!() };
            assert_eq!(row.id, MessageId(1));
        }
    }
}

#[test]
fn a_store_that_was_rolled_back_says_so_and_gives_no_number_twice() {
    let home = Home::new();
    home.store(&[counters(5), message(5, "old")]);
    let old = fs::read(home.path()).unwrap();
    home.store(&[counters(9), message(9, "new")]);
    fs::write(home.path(), old).unwrap();
    // Again and again, until a commit holds the higher number.
    for _ in 0..2 {
        let recovered = home.open();
        assert_eq!(recovered.warnings.len(), 1, "{:?}", recovered.warnings);
        assert!(recovered.warnings[0].contains("rolled back: it ends at message 5, and message 9"));
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
