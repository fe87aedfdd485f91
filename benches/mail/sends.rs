//! Durable sends, by one client and by many, each beside what it cannot cost less than and beside the rivals.
//!
//! One client takes its calls in turn with all else, call by call: where the kernel has put whom, and what the disk
//! does, holds for the next call of each. Of many clients each system has a run in turn.

use std::collections::BTreeMap;
use std::path::Path;

use crate::CONTENT;
use crate::floors::{Commit, Echo, Sync};
use crate::load::{Client, Run, run};
use crate::report::{Report, Samples};
use crate::rivals::Rival;
use crate::world::{FrontEnds, World};

const CLIENTS: [usize; 4] = [1, 4, 16, 64];

/// Front ends at once: each is a process of its own, and more of them would measure the machine.
const FRONT_ENDS_MAX: usize = 16;

const NAMES: [(&str, &str); 7] = [
    ("sync", "fdatasync of a page"),
    ("echo", "socket round trip"),
    ("commit", "redb commit"),
    ("ipcd", "ipcd, over the socket"),
    ("mcp", "ipcd, through MCP stdio"),
    ("redis", "redis, appendfsync always"),
    ("beanstalkd", "beanstalkd -f 0"),
];

/// All that is measured, and what was.
struct Sends {
    world: World,
    front_ends: BTreeMap<usize, FrontEnds>,
    sync: Sync,
    commit: Commit,
    echo: Echo,
    rivals: Vec<(&'static str, Rival)>,
    samples: BTreeMap<(usize, &'static str), Samples>,
}

pub fn measure(report: &mut Report, folder: &Path, rounds: usize) {
    let world = World::start(folder, "sends");
    let few = CLIENTS.into_iter().filter(|clients| *clients <= FRONT_ENDS_MAX);
    let mut sends = Sends {
        front_ends: few.map(|clients| (clients, world.front_ends(clients))).collect(),
        world,
        sync: Sync::start(folder),
        commit: Commit::start(folder),
        echo: Echo::start(folder),
        rivals: rivals(report, folder),
        samples: BTreeMap::new(),
    };
    for _ in 0..rounds {
        for clients in CLIENTS {
            // About the same time for each.
            let each = (200 / clients).max(20);
            if clients == 1 { sends.alone(each) } else { sends.together(clients, each) }
        }
    }
    for clients in CLIENTS {
        report.title(&format!("{CONTENT}-byte messages, {clients} at once, {rounds} rounds in turn"));
        report.head();
        for (name, title) in NAMES {
            if let Some(samples) = sends.samples.get(&(clients, name)) {
                report.row(&format!("{title}, {clients}"), samples);
            }
        }
    }
    sends.ratios(report);
    std::mem::take(&mut sends.front_ends).into_values().for_each(FrontEnds::end);
}

fn rivals(report: &mut Report, folder: &Path) -> Vec<(&'static str, Rival)> {
    let mut found = Vec::new();
    for (name, rival) in [("redis", Rival::redis(folder)), ("beanstalkd", Rival::beanstalkd(folder))] {
        match rival {
            Some(rival) => found.push((name, rival)),
            None => report.skipped(name, "it is not installed"),
        }
    }
    found
}

impl Sends {
    fn add(&mut self, clients: usize, name: &'static str, run: Run) {
        self.samples.entry((clients, name)).or_default().add(run);
    }

    fn alone(&mut self, calls: usize) {
        let mut clients: Vec<(&str, Vec<Client>)> =
            vec![("ipcd", self.world.clients(1)), ("echo", vec![self.echo.client()])];
        clients.extend(self.rivals.iter().map(|(name, rival)| (*name, rival.clients(1))));
        for _ in 0..calls {
            let (sync, commit) = (self.sync.run(1), self.commit.run(1, 1));
            self.add(1, "sync", sync);
            self.add(1, "commit", commit);
            for (name, client) in &mut clients {
                self.add(1, name, run(client, 1));
            }
            self.through_mcp(1, 1);
        }
    }

    fn together(&mut self, clients: usize, each: usize) {
        let commit = self.commit.run(clients, each.min(50));
        self.add(clients, "commit", commit);
        self.add(clients, "ipcd", run(&mut self.world.clients(clients), each));
        let rivals = self.rivals.iter().map(|(name, rival)| (*name, run(&mut rival.clients(clients), each)));
        for (name, run) in rivals.collect::<Vec<_>>() {
            self.add(clients, name, run);
        }
        self.through_mcp(clients, each.min(50));
    }

    fn through_mcp(&mut self, clients: usize, each: usize) {
        if let Some(front_ends) = self.front_ends.get_mut(&clients) {
            let run = run(&mut front_ends.clients, each);
            self.add(clients, "mcp", run);
        }
    }

    fn ratios(&self, report: &mut Report) {
        report.title("Ratios");
        let of = |clients, name, what: fn(&Samples) -> f64| {
            self.samples.get(&(clients, name)).map_or(f64::NAN, what)
        };
        let p50 = |name| of(1, name, Samples::p50);
        let rate = |clients, name| of(clients, name, Samples::rate);
        let floor = p50("commit") + p50("echo");
        report.number("send / (commit + echo), 1 client", p50("ipcd") / floor, "", "at most 1.25");
        report.number("send / redis, 1 client", p50("ipcd") / p50("redis"), "", "at most 1.15");
        for (clients, rival, goal) in [
            (16, "redis", "at least 1.0"),
            (64, "redis", "at least 0.8"),
            (16, "beanstalkd", "at least 3"),
            (64, "beanstalkd", "at least 5"),
        ] {
            let ratio = rate(clients, "ipcd") / rate(clients, rival);
            report.number(&format!("rate / {rival}'s, {clients} clients"), ratio, "", goal);
        }
        let crowd = rate(16, "ipcd") / rate(1, "ipcd");
        report.number("rate of 16 clients / of 1", crowd, "", "at least 5");
        let over = (p50("mcp") - p50("ipcd")) / p50("echo");
        report.number("(send through MCP - send) / echo", over, "", "at most 3");
    }
}
