//! What a durable message costs, beside what it cannot cost less than and beside what others take for it:
//! on the same disk, in the same run, in turn, round by round.
//!
//! `cargo bench` prints tables; `cargo bench -- --long` takes some minutes for the figures that need
//! numbers; `--json` prints one object. Nothing here passes or fails: read the ratios, not the times.

mod figures;
mod floors;
mod load;
mod report;
mod rivals;
mod world;

use std::collections::BTreeMap;
use std::path::Path;

use figures::Size;
use floors::{Commit, Echo, Sync};
use load::run;
use report::{Report, Samples};
use rivals::Rival;
use world::{FrontEnds, World};

/// A message of an ordinary size, in bytes.
const CONTENT: usize = 300;

const CLIENTS: [usize; 4] = [1, 4, 16, 64];

/// Front ends at once: each is a process of its own, and more of them would measure the machine.
const FRONT_ENDS_MAX: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [echo, path] = arguments.as_slice()
        && echo == floors::ECHO
    {
        return Echo::serve(Path::new(path));
    }
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let long = asked("--long");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder on the disk of the target");
    let mut report = Report::new(asked("--json"));
    let sizes = match long {
        true => Size { repeats: 1000, past: 300_000, idle: 60 },
        false => Size { repeats: 200, past: 20_000, idle: 5 },
    };
    if !asked("--figures") {
        sending(&mut report, &folder, if long { 24 } else { 8 });
    }
    if !asked("--sends") {
        others(&mut report, &folder, &sizes);
    }
    report.end();
    let _ = std::fs::remove_dir_all(&folder);
}

/// Durable sends, by as many clients as there are columns in the issue of it, each in turn with all else.
fn sending(report: &mut Report, folder: &Path, rounds: usize) {
    let world = World::start(folder, "sends");
    let (sync, mut commit, echo) = (Sync::start(folder), Commit::start(folder), Echo::start(folder));
    let rivals = [("redis", Rival::redis(folder)), ("beanstalkd", Rival::beanstalkd(folder))];
    let few = CLIENTS.into_iter().filter(|clients| *clients <= FRONT_ENDS_MAX);
    let mut front_ends: BTreeMap<usize, FrontEnds> =
        few.map(|clients| (clients, world.front_ends(clients))).collect();
    let mut samples: BTreeMap<(usize, &str), Samples> = BTreeMap::new();
    for _ in 0..rounds {
        for clients in CLIENTS {
            // About the same time for each.
            let each = (200 / clients).max(20);
            let mut add = |name, run| samples.entry((clients, name)).or_default().add(run);
            if clients == 1 {
                add("sync", sync.run(each));
                add("echo", run(std::slice::from_mut(&mut echo.client()), each));
            }
            add("commit", commit.run(clients, each.min(50)));
            add("ipcd", run(&mut world.clients(clients), each));
            for (name, rival) in &rivals {
                if let Some(rival) = rival {
                    add(name, run(&mut rival.clients(clients), each));
                }
            }
            if let Some(front_ends) = front_ends.get_mut(&clients) {
                add("mcp", run(&mut front_ends.clients, each.min(50)));
            }
        }
    }
    front_ends.into_values().for_each(FrontEnds::end);
    for (name, rival) in &rivals {
        if rival.is_none() {
            report.skipped(name, "it is not installed");
        }
    }
    let names = [
        ("sync", "fdatasync of a page"),
        ("echo", "socket round trip"),
        ("commit", "redb commit"),
        ("ipcd", "ipcd, over the socket"),
        ("mcp", "ipcd, through MCP stdio"),
        ("redis", "redis, appendfsync always"),
        ("beanstalkd", "beanstalkd -f 0"),
    ];
    for clients in CLIENTS {
        report.title(&format!("{CONTENT}-byte messages, {clients} at once, {rounds} rounds in turn"));
        report.head();
        for (name, title) in names {
            if let Some(samples) = samples.get(&(clients, name)) {
                report.row(&format!("{title}, {clients}"), samples);
            }
        }
    }
    ratios(report, &samples);
}

fn ratios(report: &mut Report, samples: &BTreeMap<(usize, &str), Samples>) {
    report.title("Ratios");
    let p50 = |clients, name| samples.get(&(clients, name)).map_or(f64::NAN, Samples::p50);
    let rate = |clients, name| samples.get(&(clients, name)).map_or(f64::NAN, Samples::rate);
    let floor = p50(1, "commit") + p50(1, "echo");
    report.number("send / (commit + echo), 1 client", p50(1, "ipcd") / floor, "", "at most 1.25");
    report.number("send / redis, 1 client", p50(1, "ipcd") / p50(1, "redis"), "", "at most 1.15");
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
    let over = (p50(1, "mcp") - p50(1, "ipcd")) / p50(1, "echo");
    report.number("(send through MCP - send) / echo", over, "", "at most 3");
}

fn others(report: &mut Report, folder: &Path, size: &Size) {
    let (world, echo) = (World::start(folder, "others"), Echo::start(folder));
    report.title("Other figures");
    report.head();
    let send = figures::waking(report, &world, size);
    figures::looking(report, &world, &echo, size);
    figures::broadcasting(report, &world, size);
    figures::a_megabyte(report, &world, size);
    figures::draining(report, &world);
    drop(world);
    // In a home of its own: below a program that holds names by the hundred a command does not know whose it is.
    figures::one_shots(report, &World::start(folder, "commands"), send);
    figures::starting(report, folder);
    figures::taking(report, folder, size);
}
