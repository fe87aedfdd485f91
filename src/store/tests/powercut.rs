//! Power cuts over the store: whatever moment the power goes, and goes again during recovery, what
//! was committed is there, and a commit under way is there as a whole or not at all.

use std::hash::{BuildHasher, RandomState};
use std::io;

use super::*;

/// Crash images for each way to commit: what a test run can afford.
const IMAGES: u32 = 100;
/// Commits before the power goes, at most.
const COMMITS: u64 = 24;
/// The calls of the disk among which the cut falls. A commit makes two of them, or as many as twenty when it has
/// to do with the tables.
const CUT_AFTER: u64 = 120;

#[test]
fn one_phase_commits_survive_power_cuts() {
    survive_power_cuts(false);
}

#[test]
fn two_phase_commits_survive_power_cuts() {
    survive_power_cuts(true);
}

fn survive_power_cuts(two_phase: bool) {
    let given = std::env::var("IPCD_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    #[expect(clippy::print_stdout, reason = "a failed test shows how to play it again")]
    {
        println!("IPCD_TEST_SEED={seed}");
    }
    let mut rng = Rng(seed);
    let mut cut = 0;
    for image in 0..IMAGES {
        cut += u32::from(one_life(&mut rng, two_phase, image));
    }
    assert!(cut > IMAGES / 2, "only {cut} of {IMAGES} lives ended in a power cut");
}

/// From a new store through commits, a cut and cuts during recovery to a store that must hold what
/// it promised. True when the power was cut while it ran.
fn one_life(rng: &mut Rng, two_phase: bool, image: u32) -> bool {
    let disk = Disk::new(Vec::new());
    let mut store = RedbStore::on(&disk, two_phase).unwrap().store;
    disk.fail_after(1 + rng.below(CUT_AFTER), io::ErrorKind::Other);

    let mut promised = Rows::default();
    let mut under_way = None;
    for _ in 0..COMMITS {
        let batch: Vec<Mutation> = (0..1 + rng.below(6)).map(|_| some_mutation(rng)).collect();
        let mut after = promised.clone();
        batch.iter().for_each(|mutation| after.apply(mutation));
        match store.commit(&batch) {
            Ok(()) => promised = after,
            Err(_) => {
                under_way = Some(after);
                break;
            }
        }
    }
    drop(store);

    let mut left_behind = disk.image(rng);
    for _ in 0..rng.below(3) {
        let disk = Disk::with(left_behind);
        disk.fail_after(1 + rng.below(12), io::ErrorKind::Other);
        let opened = RedbStore::on(&disk, two_phase);
        assert!(
            !matches!(opened, Err(StoreError::Damaged(_))),
            "image {image}: a cut during recovery is no damage"
        );
        drop(opened);
        left_behind = disk.image(rng);
    }
    let recovered = RedbStore::on(&Disk::with(left_behind), two_phase)
        .unwrap_or_else(|error| panic!("image {image} cannot be opened: {error}"));
    let found = recovered.mutations;
    let whole = under_way.as_ref().map(Rows::mutations);
    assert!(
        found == promised.mutations() || Some(&found) == whole.as_ref(),
        "image {image} holds other rows"
    );
    under_way.is_some()
}
