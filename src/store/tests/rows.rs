//! Rows go in and come back.

use super::*;

#[test]
fn a_new_store_is_empty_and_says_so() {
    let home = Home::new();
    let recovered = home.open();
    assert!(recovered.fresh && recovered.mutations.is_empty() && recovered.warnings.is_empty());
    assert!(recovered.store.size_bytes() > 0);
    close(recovered.store);
    assert!(!home.open().fresh);
}

#[test]
fn every_kind_of_row_comes_back_in_the_order_of_recovery() {
    for two_phase in [false, true] {
        let home = Home::new();
        let mut store = RedbStore::open(StoreOptions { two_phase, ..home.options() }).unwrap().store;
        let mut backwards = every_row();
        backwards.reverse();
        store.commit(&backwards).unwrap();
        // As after a kill: nothing is closed in order, the files are copied as they are.
        let killed = Home::new();
        fs::copy(home.path(), killed.path()).unwrap();
        fs::copy(home.head(), killed.head()).unwrap();
        if !two_phase {
            fs::copy(home.options().journal(), killed.options().journal()).unwrap();
        }
        close(store);
        for home in [home, killed] {
            let recovered = home.open();
            assert_eq!(recovered.mutations, every_row());
            assert_eq!(recovered.warnings, Vec::<String>::new());
            assert!(recovered.row_bytes > 0);
        }
    }
}

#[test]
fn drops_remove_and_the_last_put_counts() {
    let home = Home::new();
    let mut store = home.open().store;
    store.commit(&every_row()).unwrap();
    let drops: Vec<Mutation> = every_row().iter().filter_map(drop_of).collect();
    store.commit(&drops).unwrap();
    // Dropping what is not there is no error, and an empty batch no commit.
    store.commit(&drops).unwrap();
    store.commit(&[]).unwrap();
    store.commit(&[counters(11), message(12, "a"), counters(12), message(12, "b")]).unwrap();
    close(store);
    let found = home.open().mutations;
    let [Mutation::PutCounters(counters), Mutation::PutMessage(row)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((counters.last_message, &*row.content.0), (12, "b"));
}

#[test]
fn both_stores_keep_the_same_rows() {
    let mut rng = Rng(7);
    let home = Home::new();
    let mut on_disk = home.open().store;
    let memory = MemoryStore::new();
    for _ in 0..20 {
        let batch: Vec<Mutation> = (0..10).map(|_| some_mutation(&mut rng)).collect();
        on_disk.commit(&batch).unwrap();
        memory.clone().commit(&batch).unwrap();
    }
    close(on_disk);
    let mut rows = memory.recover();
    let mut found = home.open().mutations;
    // The counters walk at random here, so that the head may be ahead of them.
    for all in [&mut found, &mut rows] {
        all.retain(|mutation| !matches!(mutation, Mutation::PutCounters(_)));
    }
    assert_eq!(found, rows);
}

#[test]
fn a_memory_store_fails_when_told_and_forgets_the_batch() {
    let memory = MemoryStore::new();
    let mut store: Box<dyn Store> = Box::new(memory.clone());
    memory.fail_at(2);
    store.commit(&[message(1, "kept")]).unwrap();
    assert_eq!(store.commit(&[message(2, "lost")]).unwrap_err().refusal().code, RefusalCode::StoreFailed);
    assert!(matches!(store.commit(&[message(3, "lost")]), Err(StoreError::FailedBefore)));
    memory.reopen();
    store.commit(&[message(4, "kept")]).unwrap();
    assert_eq!(memory.recover(), rows_of(&[message(1, "kept"), message(4, "kept")]));
    assert_eq!(memory.commits(), 2);
}

/// `cargo test --lib what_each_way_to_commit_costs -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn what_each_way_to_commit_costs() {
    let homes = [Home::new(), Home::new()];
    let open = |two_phase: bool| {
        let home = &homes[usize::from(two_phase)];
        RedbStore::open(StoreOptions { two_phase, ..home.options() }).unwrap().store
    };
    let mut stores = [open(false), open(true)];
    let mut times = [Vec::new(), Vec::new()];
    for id in 1..=1000 {
        // In turn, so that what else the disk does hits both.
        for (store, times) in stores.iter_mut().zip(&mut times) {
            let start = std::time::Instant::now();
            store.commit(&[counters(id), message(id, &"x".repeat(300))]).unwrap();
            times.push(start.elapsed());
        }
    }
    for (mode, times) in ["one-phase", "two-phase"].iter().zip(&mut times) {
        times.sort_unstable();
        println!("{mode}: p50 {:?}, p99 {:?}", times[500], times[990]);
    }
}
