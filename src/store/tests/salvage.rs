//! What is saved of a damaged store, and where its files are kept.

use super::*;
use crate::store::{leave_note, notes, salvage};

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
    home.spoil(13);
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

/// What was kept before is evidence, too.
#[test]
fn nothing_is_kept_in_the_place_of_something_else() {
    for suffix in ["", ".journal"] {
        let home = Home::new();
        home.store(&every_row());
        home.spoil(11);
        let kept = home.0.path().join(format!("ipcd.redb.damaged-1970-01-01T000000.001Z{suffix}"));
        fs::write(&kept, "kept before").unwrap();
        let error = salvage::replace(&home.options(), Timestamp(1)).map(|saved| saved.evidence).unwrap_err();
        assert!(error.refusal().message.contains("cannot keep"), "{error}");
        assert_eq!(fs::read(&kept).unwrap(), b"kept before");
        assert_eq!(home.refused().refusal().code, RefusalCode::StoreDamaged);
        fs::remove_file(kept).unwrap();
        assert!(salvage::replace(&home.options(), Timestamp(2)).unwrap().rows > 5);
    }
}

/// What is read after `begun` readings that did not come to an end: rows, and files kept.
fn salvaged_after(begun: u32) -> (usize, usize) {
    let home = Home::new();
    home.store(&every_row());
    home.spoil(11);
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

#[test]
fn a_salvage_that_was_killed_is_begun_again_and_given_up_only_after_some() {
    let (rows, kept) = salvaged_after(0);
    assert!(rows > 5 && kept == 1, "{rows} rows, {kept} kept");
    assert_eq!([1, 2].map(salvaged_after), [(rows, 1); 2]);
    assert_eq!(salvaged_after(3), (0, 1), "the file has ended three readers");
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
    let begin = first_record(&journal);
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
    assert_eq!(messages(&rows), [1, 3, 4]);
}

/// A disk that is full lets no new store take the damaged one's place; once there is room, what can be
/// saved is.
#[test]
fn a_salvage_that_found_no_room_saves_all_of_it_later() {
    let home = Home::new();
    home.store(&every_row());
    home.spoil(11);
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

/// Names beside the store that something else has taken.
#[test]
fn what_stands_in_the_way_of_reserve_and_readings_costs_no_mail() {
    let home = Home::new();
    for name in ["ipcd.redb.reserve", "ipcd.redb.readings"] {
        fs::create_dir(home.0.path().join(name)).unwrap();
    }
    home.store(&every_row());
    home.store(&[message(12, "stored all the same")]);
    home.spoil(13);
    assert!(salvage::replace(&home.options(), Timestamp(1)).unwrap().rows > 5);
}

#[test]
fn a_note_stands_until_it_is_removed_and_is_not_said_twice() {
    let home = Home::new();
    assert!(notes(&home.path()).is_empty());
    for (at, text) in [(1, "first"), (2, "first"), (2, "second")] {
        leave_note(&home.path(), Timestamp(at), text).unwrap();
    }
    let left = notes(&home.path());
    assert_eq!(left.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    fs::remove_file(&left[0].0).unwrap();
    assert_eq!(notes(&home.path()).len(), 1);
}
