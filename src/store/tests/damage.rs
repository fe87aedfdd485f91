//! What goes wrong with a disk and with a file, and what is said of it.

use super::*;

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
        match RedbStore::with_backends(Disk::new(flipped.clone()).files(), false) {
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
        let mut store = RedbStore::with_backends(disk.files(), two_phase).unwrap().store;
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
            match RedbStore::with_backends(Disk::with(flipped).files(), two_phase) {
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
fn a_failure_of_any_write_or_sync_is_survived_in_place() {
    for two_phase in [false, true] {
        for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
            // Until the commit needs fewer calls than that.
            for call in 0.. {
                assert!(call < 200, "there is an end to a commit");
                let disk = Disk::new(Vec::new());
                let mut store = RedbStore::with_backends(disk.files(), two_phase).unwrap().store;
                store.commit(&[message(1, "kept")]).unwrap();
                disk.fail_after(call, kind);
                let done = store.commit(&[message(2, "in doubt"), message(3, "with it")]);
                disk.fail_after(u64::MAX, kind);
                if done.is_ok() {
                    break;
                }
                let rows = store.reopen().unwrap();
                assert!([1, 3].contains(&rows.len()), "all of the batch or nothing: {rows:?}");
                store.commit(&[message(4, "after")]).unwrap();
                assert_eq!(store.reopen().unwrap().len(), rows.len() + 1);
                close(store);
            }
        }
    }
}

/// After a sync that failed the system shows what it did not write, and forgets it later. What was found
/// so must not be answered for: the store is read from the disk.
#[test]
fn what_a_failed_sync_did_not_write_is_not_found_in_place() {
    let mut seen = [0; 2];
    for seed in 0..8 {
        // Until the commit needs fewer calls than that.
        for call in 0.. {
            let disk = Disk::new(Vec::new());
            let opened = RedbStore::with_backends_that(disk.files(), false, Disk::forget_cached);
            let mut store = opened.unwrap().store;
            store.commit(&[counters(1), message(1, "kept")]).unwrap();
            disk.lose_what_is_not_synced(Rng(seed));
            disk.fail_after(call, io::ErrorKind::Other);
            let done = store.commit(&[counters(2), message(2, "in doubt")]);
            disk.fail_after(u64::MAX, io::ErrorKind::Other);
            if done.is_ok() {
                break;
            }
            let found = store.reopen().unwrap();
            seen[usize::from(found.len() == 3)] += 1;
            // What is found now is there after a power cut, too.
            let image = disk.image(&mut Rng(seed));
            let after = RedbStore::with_backends(Disk::with(image).files(), false).unwrap();
            assert_eq!(after.mutations, found, "seed {seed}, call {call}");
            store.commit(&[counters(3), message(3, "after")]).unwrap();
            assert_eq!(store.reopen().unwrap().len(), found.len() + 1, "seed {seed}, call {call}");
            close(store);
        }
    }
    assert!(seen.iter().all(|times| *times > 0), "it reached the disk, or did not: {seen:?}");
}

#[test]
fn a_store_that_lost_mail_under_a_daemon_is_not_taken_up_in_place() {
    let disk = Disk::new(Vec::new());
    let mut store = RedbStore::with_backends(disk.files(), false).unwrap().store;
    store.commit(&[counters(5), message(5, "old")]).unwrap();
    close(store);
    // Yesterday's file, and one without a byte in it.
    for image in [disk.left(), [Vec::new(), Vec::new()]] {
        let put = move |disk: &Disk| disk.put(image.clone());
        let mut store = RedbStore::with_backends_that(disk.files(), false, put).unwrap().store;
        store.commit(&[counters(9), message(9, "new")]).unwrap();
        let error = store.reopen().unwrap_err();
        assert_eq!(error.refusal().code, RefusalCode::StoreDamaged, "{error}");
        assert!(error.to_string().contains("message 9 was stored by this daemon"), "{error}");
        assert!(matches!(store.commit(&[counters(10)]), Err(StoreError::FailedBefore)));
    }
}

#[test]
fn a_damaged_store_is_kept_aside_and_what_can_be_read_is_in_a_new_one() {
    let home = Home::new();
    home.store(&every_row());
    home.tamper(|write| {
        let mut table = write.open_table(MAIL).unwrap();
        let mut row = table.get(message_key(MessageId(10))).unwrap().unwrap().value().to_vec();
        *row.last_mut().unwrap() ^= 1;
        table.insert(message_key(MessageId(10)), row.as_slice()).unwrap();
        table.insert(message_key(MessageId(11)), b"no row".as_slice()).unwrap();
    });
    let damaged = fs::read(home.path()).unwrap();
    let at = Timestamp(1_795_296_428_007);
    let saved = salvage::replace(&home.options(), at).unwrap();
    assert_eq!(saved.evidence.file_name().unwrap(), "ipcd.redb.damaged-2026-11-21T212708.007Z");
    assert!(fs::read(&saved.evidence).unwrap() == damaged, "the evidence was changed");
    let found = home.open();
    let Some(Mutation::PutCounters(counters)) = found.mutations.first() else { panic!() };
    assert!(counters.last_message == 10 && counters.last_mailbox > 300 && !counters.clean);
    // Message 10 is lost, message 9 is with bob.
    let names = |row: &&Mutation| matches!(row, Mutation::PutName(..));
    assert_eq!(found.mutations.iter().filter(names).count(), 3, "bob's own is made again");
    let mail: Vec<u64> = found
        .mutations
        .iter()
        .filter_map(|row| match row {
            Mutation::PutDelivery(MailboxId(300), id, _) => Some(id.0),
            _ => None,
        })
        .collect();
    assert_eq!(mail, [9]);
    assert!(State::recover(&found.mutations).is_ok());
    assert_eq!(saved.rows, found.mutations.len());
}

/// What is read after `begun` readings that did not come to an end: rows, and files kept.
fn salvaged_after(begun: u32) -> (usize, usize) {
    let home = Home::new();
    home.store(&every_row());
    home.tamper(|write| {
        let mut table = write.open_table(MAIL).unwrap();
        table.insert(message_key(MessageId(11)), b"no row".as_slice()).unwrap();
    });
    let readings = home.0.path().join("ipcd.redb.readings");
    for number in 1..=begun {
        // Killed as it read: the evidence is there, and the count.
        let kept = home.0.path().join("ipcd.redb.damaged-2026-11-21T212708.007Z");
        let _ = fs::hard_link(home.path(), kept);
        fs::write(&readings, number.to_string()).unwrap();
    }
    let saved = salvage::replace(&home.options(), Timestamp(1_795_296_428_008)).unwrap();
    assert!(!readings.exists(), "a later salvage begins anew");
    let all = fs::read_dir(home.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let kept = all.filter(|name| name.to_string_lossy().contains(".damaged-"));
    let kept = kept.filter(|name| !name.to_string_lossy().ends_with(".journal")).count();
    close(home.open().store);
    (saved.rows, kept)
}

/// Names beside the store that something else has taken.
#[test]
fn what_stands_in_the_way_of_reserve_and_readings_costs_no_mail() {
    let home = Home::new();
    for name in ["ipcd.redb.reserve", "ipcd.redb.readings"] {
        fs::create_dir(home.0.path().join(name)).unwrap();
    }
    home.store(&every_row());
    home.store(&[message(12, "stored all the same")]);
    home.tamper(|write| {
        let mut table = write.open_table(MAIL).unwrap();
        table.insert(message_key(MessageId(13)), b"no row".as_slice()).unwrap();
    });
    assert!(salvage::replace(&home.options(), Timestamp(1)).unwrap().rows > 5);
}

#[test]
fn a_salvage_that_was_killed_is_begun_again_and_given_up_only_after_some() {
    let (rows, kept) = salvaged_after(0);
    assert!(rows > 5 && kept == 1, "{rows} rows, {kept} kept");
    assert_eq!([1, 2].map(salvaged_after), [(rows, 1); 2]);
    assert_eq!(salvaged_after(3), (0, 1), "the file has ended three readers");
}

/// A disk that is full lets no new store take the damaged one's place; once there is room, what can be
/// saved is.
#[test]
fn a_salvage_that_found_no_room_saves_all_of_it_later() {
    let home = Home::new();
    home.store(&every_row());
    home.tamper(|write| {
        let mut table = write.open_table(MAIL).unwrap();
        table.insert(message_key(MessageId(11)), b"no row".as_slice()).unwrap();
    });
    // Nothing can be written where the new store is made.
    let new = home.0.path().join("ipcd.redb.new");
    fs::create_dir(&new).unwrap();
    for at in 0..5 {
        assert!(salvage::replace(&home.options(), Timestamp(at)).is_err());
    }
    fs::remove_dir(&new).unwrap();
    let saved = salvage::replace(&home.options(), Timestamp(9)).unwrap();
    assert!(saved.rows > 5, "{} rows", saved.rows);
    assert_eq!(home.open().mutations.len(), saved.rows);
}

#[test]
fn what_is_no_store_at_all_is_kept_aside_too() {
    let home = Home::new();
    let everything: &[&dyn Fn()] = &[
        &|| fs::write(home.path(), b"root:x:0:0:\n").unwrap(),
        &|| fs::create_dir(home.path()).unwrap(),
        #[cfg(unix)]
        &|| std::os::unix::fs::symlink("/etc/passwd", home.path()).unwrap(),
        &|| fs::write(home.path(), vec![0xff; 1 << 20]).unwrap(),
    ];
    for (number, make) in everything.iter().enumerate() {
        make();
        let saved = salvage::replace(&home.options(), Timestamp(number as u64)).unwrap();
        assert_eq!(saved.rows, 0);
        assert!(fs::symlink_metadata(&saved.evidence).is_ok());
        assert!(home.open().mutations.is_empty());
        fs::remove_file(home.path()).unwrap();
    }
}

#[test]
fn a_note_stands_until_it_is_removed_and_is_not_said_twice() {
    let home = Home::new();
    assert!(salvage::notes(&home.path()).is_empty());
    for (at, text) in [(1, "first"), (2, "first"), (2, "second")] {
        salvage::leave_note(&home.path(), Timestamp(at), text).unwrap();
    }
    let notes = salvage::notes(&home.path());
    assert_eq!(notes.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    fs::remove_file(&notes[0].0).unwrap();
    assert_eq!(salvage::notes(&home.path()).len(), 1);
}

#[test]
fn a_failed_commit_is_reported_and_nothing_of_it_is_found_again() {
    for (kind, code) in [
        (io::ErrorKind::StorageFull, RefusalCode::StoreFull),
        (io::ErrorKind::Other, RefusalCode::StoreFailed),
    ] {
        let disk = Disk::new(Vec::new());
        let mut store = RedbStore::with_backends(disk.files(), false).unwrap().store;
        store.commit(&[message(1, "kept")]).unwrap();
        let kept = disk.left();
        disk.fail_after(0, kind);
        assert_eq!(store.commit(&[message(2, "lost")]).unwrap_err().refusal().code, code);
        // The disk is well again, and the store does not trust itself.
        disk.fail_after(u64::MAX, kind);
        assert!(matches!(store.commit(&[message(3, "lost")]), Err(StoreError::FailedBefore)));
        close(store);
        for image in [kept, disk.image(&mut Rng(1))] {
            let recovered = RedbStore::with_backends(Disk::with(image).files(), false).unwrap();
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

/// The tables as they were before the journal was last brought in, and before that: nothing is lost.
#[test]
fn what_tables_lack_that_lost_their_last_commits_is_in_the_journal_still() {
    let home = Home::new();
    let mut store = home.open().store;
    store.commit(&[counters(0)]).unwrap();
    let old = fs::read(home.path()).unwrap();
    for id in 1..=20 {
        store.commit(&[counters(id), message(id, "kept")]).unwrap();
    }
    drop(store);
    assert!(fs::read(home.path()).unwrap() != old, "a part was full, and the tables have it");
    fs::write(home.path(), old).unwrap();
    let recovered = home.open();
    assert!(recovered.warnings.is_empty(), "{:?}", recovered.warnings);
    let [_, rest @ ..] = recovered.mutations.as_slice() else { panic!() };
    assert_eq!(rest, (1..=20).map(|id| message(id, "kept")).collect::<Vec<_>>());
}

/// Yesterday's tables beside today's journal: it is noticed, whether they were closed or not and whether mail is
/// missing or was only settled; and their numbers do not meet again.
#[test]
fn tables_and_a_journal_that_do_not_belong_together_are_noticed() {
    for is_closed in [false, true] {
        let home = Home::new();
        let mut store = home.open().store;
        store.commit(&[counters(1), message(1, "old")]).unwrap();
        store.commit(&[counters(2)]).unwrap();
        if is_closed {
            close(store);
            store = home.open().store;
        }
        let old = fs::read(home.path()).unwrap();
        for _ in 0..80 {
            store.commit(&[counters(2), message(2, "came"), message(3, "went")]).unwrap();
            store
                .commit(&[Mutation::DropMessage(MessageId(2)), Mutation::DropMessage(MessageId(3))])
                .unwrap();
        }
        drop(store);
        fs::write(home.path(), &old).unwrap();
        let error = home.refused();
        assert!(error.to_string().contains("between it and its journal"), "closed {is_closed}: {error}");
        assert!(fs::read(home.path()).unwrap() == old, "the evidence was changed");
    }
}

#[test]
fn a_salvage_that_was_interrupted_is_ended_before_anything_else() {
    let home = Home::new();
    let mut store = home.open().store;
    let bob = MailboxRow { name: name("bob"), holder: None, merged: Vec::new() };
    store.commit(&[counters(0), Mutation::PutMailbox(MailboxId(1), Arc::new(bob))]).unwrap();
    for id in 1..=4 {
        let delivery = Mutation::PutDelivery(MailboxId(1), MessageId(id), DeliveryRow::default());
        store.commit(&[counters(id), message(id, "kept"), delivery]).unwrap();
    }
    drop(store);
    let mut journal = fs::read(home.options().journal()).unwrap();
    let begin = journal.iter().position(|byte| *byte != 0).unwrap() / 512 * 512;
    journal[begin + 1024 + 40] ^= 1;
    fs::write(home.options().journal(), &journal).unwrap();
    let before = fs::read(home.path()).unwrap();
    // Nothing can be written where the new store is made, and then the daemon is killed.
    let new = home.0.path().join("ipcd.redb.new");
    fs::create_dir(&new).unwrap();
    assert!(salvage::replace(&home.options(), Timestamp(1)).is_err());
    fs::remove_dir(&new).unwrap();
    // Each start is told so, and none takes the store for a sound one.
    assert_eq!(home.refused().refusal().code, RefusalCode::StoreDamaged);
    let saved = salvage::replace(&home.options(), Timestamp(2)).unwrap();
    assert!(fs::read(&saved.evidence).unwrap() == before);
    assert!(fs::read(file::beside(&saved.evidence, "journal")).unwrap() == journal);
    let rows = home.open().mutations;
    let ids = rows.iter().filter_map(|row| match row {
        Mutation::PutMessage(row) => Some(row.id.0),
        _ => None,
    });
    assert_eq!(ids.collect::<Vec<_>>(), [1, 3, 4]);
}

/// Killed between the new store and the end: its journal is the evidence's, under another name.
#[test]
fn a_journal_that_is_evidence_is_not_written_to() {
    let home = Home::new();
    home.store(&every_row());
    let evidence = home.0.path().join("ipcd.redb.damaged-2026-11-21T212708.007Z");
    fs::write(&evidence, b"was damaged").unwrap();
    let kept = file::beside(&evidence, "journal");
    let journal = fs::read(home.options().journal()).unwrap();
    fs::hard_link(home.options().journal(), &kept).unwrap();
    let mut store = home.open().store;
    for id in 20..40 {
        store.commit(&[counters(id), message(id, "new")]).unwrap();
    }
    close(store);
    assert!(fs::read(kept).unwrap() == journal);
}

#[test]
fn the_journal_of_a_store_that_was_removed_is_kept() {
    let home = Home::new();
    let mut store = home.open().store;
    store.commit(&[counters(1)]).unwrap();
    store.commit(&[counters(2), message(2, "in the journal alone")]).unwrap();
    drop(store);
    let journal = fs::read(home.options().journal()).unwrap();
    fs::remove_file(home.path()).unwrap();
    let found = home.open();
    assert!(found.fresh && found.warnings[0].contains("ipcd.redb.journal.left-1"), "{:?}", found.warnings);
    close(found.store);
    assert!(fs::read(file::beside(&home.options().journal(), "left-1")).unwrap() == journal);
}

/// What the journal held last is gone with it; and a journal that lost a record in its midst is told from one
/// whose last record was torn.
#[test]
fn a_journal_that_is_gone_cut_or_rotten_is_noticed() {
    let home = Home::new();
    let mut store = home.open().store;
    for id in 1..=4 {
        store.commit(&[counters(id), message(id, "kept")]).unwrap();
    }
    drop(store);
    let files = [home.path(), home.options().journal()].map(|path| fs::read(path).unwrap());
    let put = |journal: &[u8]| {
        let home = Home::new();
        fs::write(home.path(), &files[0]).unwrap();
        fs::write(home.options().journal(), journal).unwrap();
        home
    };
    let messages =
        |rows: &[Mutation]| rows.iter().filter(|row| matches!(row, Mutation::PutMessage(_))).count();
    assert_eq!(messages(&put(&files[1]).open().mutations), 4);
    let begin = (0..files[1].len()).find(|at| files[1][*at] != 0).unwrap() / 512 * 512;
    for (length, left) in [(0, 1), (begin + 24, 1), (begin + 1024, 2), (files[1].len() - 1, 4)] {
        let cut = put(&files[1][..length]).open();
        assert!(cut.warnings[0].contains("journal of the store is gone"), "{:?}", cut.warnings);
        assert_eq!(messages(&cut.mutations), left, "{length} bytes");
    }
    // Whoever starts after a kill before the first commit is told so, too; and after that commit nobody.
    let home = put(&files[1][..begin + 24]);
    for _ in 0..2 {
        assert_eq!(home.open().warnings.len(), 1);
    }
    let mut store = home.open().store;
    store.commit(&[counters(5)]).unwrap();
    drop(store);
    assert_eq!(home.open().warnings.len(), 0);
    let rotten = |at: usize| {
        let mut journal = files[1].clone();
        journal[begin + at] ^= 1;
        put(&journal)
    };
    // The last record, as if it had been torn: no more is known of it than that.
    assert_eq!(messages(&rotten(2048 + 40).open().mutations), 3);
    let home = rotten(1024 + 40);
    let before = fs::read(home.path()).unwrap();
    let error = home.refused();
    assert_eq!(error.refusal().code, RefusalCode::StoreDamaged, "{error}");
    assert!(fs::read(home.path()).unwrap() == before, "the evidence was changed");
    let journal = fs::read(home.options().journal()).unwrap();
    let saved = salvage::replace(&home.options(), Timestamp(1)).unwrap();
    assert!(fs::read(file::beside(&saved.evidence, "journal")).unwrap() == journal);
    // The messages are in no mailbox, here; but for the numbers of all of them nothing is given again.
    let Mutation::PutCounters(counters) = home.open().mutations[0] else { panic!() };
    assert_eq!(counters.last_message, 4);
}

#[test]
fn what_a_damaged_store_has_in_its_journal_is_saved_with_it() {
    let home = Home::new();
    home.store(&every_row());
    let mut store = home.open().store;
    store.commit(&[counters(11)]).unwrap();
    store.commit(&[counters(12), message(12, "newest")]).unwrap();
    store.commit(&[drop_of(&message(10, "")).unwrap()]).unwrap();
    drop(store);
    let journal = fs::read(home.options().journal()).unwrap();
    home.tamper(|write| {
        let mut table = write.open_table(MAIL).unwrap();
        table.insert(message_key(MessageId(13)), b"no row".as_slice()).unwrap();
    });
    let saved = salvage::read_backend(Disk::new(fs::read(home.path()).unwrap()), &journal);
    let mut expected = every_row();
    expected.retain(|row| *row != message(10, ""));
    expected[0] = counters(12);
    expected.insert(expected.len() - 1, message(12, "newest"));
    assert_eq!(saved, expected);
    // Tables that cannot say what the journal is to them may be the newer.
    let unmarked = Home::new();
    fs::copy(home.path(), unmarked.path()).unwrap();
    unmarked.tamper(|write| {
        write.open_table(META).unwrap().insert(b"journal".as_slice(), b"no row".as_slice()).unwrap();
    });
    let saved = salvage::read_backend(Disk::new(fs::read(unmarked.path()).unwrap()), &journal);
    let mut expected = every_row();
    expected[0] = counters(11);
    expected.insert(expected.len() - 1, message(12, "newest"));
    assert_eq!(saved, expected);
    // Of tables that nothing can be read of the journal has what came last.
    let saved = salvage::read_backend(Disk::new(b"no store".to_vec()), &journal);
    assert_eq!(saved, [counters(12), message(12, "newest")]);
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
