//! Whether much that was makes anything of today slower or larger; and whether many who are there do.

use std::path::Path;

use crate::figures::Size;
use crate::footprint::pss;
use crate::load::{Client, run};
use crate::mail::{CHECK, drain, fill};
use crate::places::{Place, Placed};
use crate::report::{Report, Samples};
use crate::starts::{STARTS, restart};
use crate::world::{STORED, World, send};

/// Messages that wait unread before they are read, of those of the past.
const HEAP: usize = 10_000;

/// A daemon through which much mail went, of which nothing is left, in turn with one that saw ten messages.
pub fn long_past(report: &mut Report, folder: &Path, size: &Size) {
    let mut worlds = ["young", "old"].map(|name| World::start(folder, name));
    drain_all(&worlds[0], 10);
    for _ in 0..size.past / HEAP {
        drain_all(&worlds[1], HEAP);
    }
    let title = format!("{} messages later", size.past);
    report.number(&format!("daemon, {title}: Pss"), pss(worlds[1].daemon.id()), "MiB", "at most 24");
    {
        let daemons = [worlds[0].daemon.id(), worlds[1].daemon.id()];
        let placed = Placed::put(Place::Apart, &daemons);
        if placed.is_none() {
            report.skipped(
                "two processors",
                "processes cannot be put there, and are where the kernel has them",
            );
        }
        let sends = worlds.each_ref().map(|world| world.client("one").asks(send("two"), STORED));
        compare(report, &format!("{title}: send"), size, sends);
        let reader = |world: &World| world.client("three").asks(CHECK.to_owned() + "\n", "\"messages\":[]");
        compare(report, &format!("{title}: empty check"), size, worlds.each_ref().map(reader));
    }
    let mut starts: [Samples; 2] = Default::default();
    for _ in 0..STARTS {
        for (world, samples) in worlds.iter_mut().zip(&mut starts) {
            samples.push(restart(world));
        }
    }
    ratio(report, &format!("{title}: start"), starts);
    company(report, &worlds[1], size);
}

fn compare(report: &mut Report, title: &str, size: &Size, mut clients: [Client; 2]) {
    let mut samples: [Samples; 2] = Default::default();
    for _ in 0..5 * size.repeats {
        for (client, samples) in clients.iter_mut().zip(&mut samples) {
            samples.push(client.call());
        }
    }
    ratio(report, title, samples);
}

fn ratio(report: &mut Report, title: &str, [young, old]: [Samples; 2]) {
    report.number(&format!("{title} / without them"), old.p50() / young.p50(), "", "0.9 to 1.1");
}

fn company(report: &mut Report, world: &World, size: &Size) {
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
