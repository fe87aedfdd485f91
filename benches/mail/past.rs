//! Whether much that was makes anything of today slower or larger; and whether many who are there do.

use std::path::Path;

use crate::figures::Size;
use crate::footprint::pss;
use crate::load::{Client, run};
use crate::mail::{CHECK, drain, fill};
use crate::places::{Place, Placed};
use crate::report::{Report, Samples};
use crate::starts::restarts;
use crate::world::{STORED, World, send};

/// Messages that wait unread before they are read, of those of the past.
const HEAP: usize = 10_000;

/// What a daemon takes, and how quick it is, when much mail has gone through it and nothing of it is left.
pub fn long_past(report: &mut Report, folder: &Path, size: &Size) {
    let world = &mut World::start(folder, "long-past");
    let rounds = |world: &mut World| {
        let mut sender = world.client("one").asks(send("two"), STORED);
        let mut reader = world.client("three").asks(CHECK.to_owned() + "\n", "\"messages\":[]");
        let sends = run(std::slice::from_mut(&mut sender), size.repeats.max(100));
        let placed = Placed::put(Place::Together, &[world.daemon.id()]);
        let checks = run(std::slice::from_mut(&mut reader), size.repeats.max(100));
        drop(placed);
        let of = |run| {
            let mut samples = Samples::default();
            samples.add(run);
            samples.p50()
        };
        (of(sends), of(checks), restarts(world).p50())
    };
    drain_all(world, 10);
    let young = rounds(world);
    for _ in 0..size.past / HEAP {
        drain_all(world, HEAP);
    }
    report.number(
        &format!("daemon, {} messages later: Pss", size.past),
        pss(world.daemon.id()),
        "MiB",
        "at most 24",
    );
    let old = rounds(world);
    let title = format!("after {} messages / after 10", size.past);
    report.number(&format!("{title}: send"), old.0 / young.0, "", "0.9 to 1.1");
    report.number(&format!("{title}: empty check"), old.1 / young.1, "", "0.9 to 1.1");
    report.number(&format!("{title}: start"), old.2 / young.2, "", "0.9 to 1.1");
    for others in [1, 100, 500] {
        let crowd: Vec<Client> = (0..others).map(|number| world.client(&format!("by-{number}"))).collect();
        let mut sender = world.client("amid").asks(send("two"), STORED);
        let mut samples = Samples::default();
        samples.add(run(std::slice::from_mut(&mut sender), size.repeats.max(100)));
        report.row(&format!("send with {others} other sessions"), &samples);
        drop(crowd);
    }
}

/// So many messages are sent and read.
fn drain_all(world: &World, count: usize) {
    fill(world, "past", count);
    drain(&mut world.client("past"));
}
