//! A disk that answers with errors, and the store that is opened again in place.

use super::*;

#[test]
fn a_failed_commit_is_reported_and_nothing_of_it_is_found_again() {
    for (kind, code) in [
        (io::ErrorKind::StorageFull, RefusalCode::StoreFull),
        (io::ErrorKind::Other, RefusalCode::StoreFailed),
    ] {
        let disk = Disk::new(Vec::new());
        let mut store = RedbStore::on(&disk, false).unwrap().store;
        store.commit(&[message(1, "kept")]).unwrap();
        let kept = disk.left();
        disk.fail_after(0, kind);
        assert_eq!(store.commit(&[message(2, "lost")]).unwrap_err().refusal().code, code);
        // The disk is well again, and the store does not trust itself.
        disk.fail_after(u64::MAX, kind);
        assert!(matches!(store.commit(&[message(3, "lost")]), Err(StoreError::FailedBefore)));
        close(store);
        for image in [kept, disk.image(&mut Rng(1))] {
            let recovered = RedbStore::on(&Disk::with(image), false).unwrap();
            let [Mutation::PutMessage(row)] = recovered.mutations.as_slice() else { panic!() };
            assert_eq!(row.id, MessageId(1));
        }
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
                let mut store = RedbStore::on(&disk, two_phase).unwrap().store;
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
            let opened = RedbStore::on_one_that(&disk, false, Disk::forget_cached);
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
            let after = RedbStore::on(&Disk::with(image), false).unwrap();
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
    let mut store = RedbStore::on(&disk, false).unwrap().store;
    store.commit(&[counters(5), message(5, "old")]).unwrap();
    close(store);
    // Yesterday's file, and one without a byte in it.
    for image in [disk.left(), [Vec::new(), Vec::new()]] {
        let put = move |disk: &Disk| disk.put(image.clone());
        let mut store = RedbStore::on_one_that(&disk, false, put).unwrap().store;
        store.commit(&[counters(9), message(9, "new")]).unwrap();
        let error = store.reopen().unwrap_err();
        assert_eq!(error.refusal().code, RefusalCode::StoreDamaged, "{error}");
        assert!(error.to_string().contains("message 9 was stored by this daemon"), "{error}");
        assert!(matches!(store.commit(&[counters(10)]), Err(StoreError::FailedBefore)));
    }
}
