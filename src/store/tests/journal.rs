//! A journal beside tables that it belongs to, or does not: what was lost, cut, put back or left.

use super::*;
use crate::store::salvage;

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

/// What a daemon leaves that is killed: its first message is in the tables, three are in the journal.
fn killed() -> [Vec<u8>; 2] {
    let home = Home::new();
    let mut store = home.open().store;
    for id in 1..=4 {
        store.commit(&[counters(id), message(id, "kept")]).unwrap();
    }
    drop(store);
    [home.path(), home.options().journal()].map(|path| fs::read(path).unwrap())
}

fn home_with([store, journal]: [&[u8]; 2]) -> Home {
    let home = Home::new();
    fs::write(home.path(), store).unwrap();
    fs::write(home.options().journal(), journal).unwrap();
    home
}

#[test]
fn what_a_journal_held_that_is_gone_or_cut_is_missed_until_somebody_can_have_heard_of_it() {
    let [store, journal] = killed();
    let cut_at = |length: usize| home_with([&store, &journal[..length]]);
    assert_eq!(messages(&cut_at(journal.len()).open().mutations), [1, 2, 3, 4]);
    let begin = first_record(&journal);
    for (length, left) in [(0, 1), (begin + 24, 1), (begin + 1024, 2), (journal.len() - 1, 4)] {
        let cut = cut_at(length).open();
        assert!(cut.warnings[0].contains("journal of the store is gone"), "{:?}", cut.warnings);
        assert_eq!(messages(&cut.mutations).len(), left, "{length} bytes");
    }
    // Whoever starts after a kill before the first commit is told so, too; and after that commit nobody.
    let home = cut_at(begin + 24);
    for _ in 0..2 {
        assert_eq!(home.open().warnings.len(), 1);
    }
    let mut store = home.open().store;
    store.commit(&[counters(5)]).unwrap();
    drop(store);
    assert_eq!(home.open().warnings.len(), 0);
}

/// A record that is missing in its midst is told from a last one that was torn.
#[test]
fn a_journal_that_rots_before_its_end_is_damage_and_kept() {
    let [store, journal] = killed();
    let begin = first_record(&journal);
    let rotten = |at: usize| {
        let mut journal = journal.clone();
        journal[begin + at] ^= 1;
        (home_with([&store, &journal]), journal)
    };
    // As if it had been torn: no more is known of it than that.
    let (home, _) = rotten(2048 + 40);
    assert_eq!(messages(&home.open().mutations), [1, 2, 3]);
    let (home, journal) = rotten(1024 + 40);
    let error = home.refused();
    assert_eq!(error.refusal().code, RefusalCode::StoreDamaged, "{error}");
    assert!(fs::read(home.path()).unwrap() == store, "the evidence was changed");
    let saved = salvage::replace(&home.options(), Timestamp(1)).unwrap();
    assert!(fs::read(file::beside(&saved.evidence, "journal")).unwrap() == journal);
    // The messages are in no mailbox, here; but for the numbers of all of them nothing is given again.
    let Mutation::PutCounters(counters) = home.open().mutations[0] else { panic!() };
    assert_eq!(counters.last_message, 4);
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

/// None is made for commits of two phases, nor missed; what a daemon left in one that committed in one phase is theirs.
#[test]
fn commits_of_two_phases_have_no_journal() {
    let home = Home::new();
    let path = home.options().journal();
    let open = || RedbStore::open(StoreOptions { two_phase: true, ..home.options() }).unwrap();
    let mut store = open().store;
    store.commit(&[message(1, "in the tables")]).unwrap();
    drop(store);
    assert!(!path.exists());
    let mut store = home.open().store;
    store.commit(&[message(2, "in the tables")]).unwrap();
    store.commit(&[message(3, "in the journal")]).unwrap();
    drop(store);
    let found = open();
    assert_eq!(messages(&found.mutations), [1, 2, 3]);
    fs::remove_file(&path).unwrap();
    let mut store = found.store;
    store.commit(&[message(4, "in the tables")]).unwrap();
    assert_eq!(messages(&store.reopen().unwrap()), [1, 2, 3, 4]);
    drop(store);
    let found = open();
    assert_eq!((messages(&found.mutations), found.warnings), (vec![1, 2, 3, 4], vec![]));
    assert!(!path.exists());
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
