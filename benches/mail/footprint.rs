//! What programs take: memory, room, processor time.

use std::path::Path;
use std::time::Duration;

use crate::figures::Size;
use crate::load::run;
use crate::report::Report;
use crate::world::World;

/// Memory, size, processor time and idling.
pub fn taking(report: &mut Report, folder: &Path, size: &Size) {
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_ipcd")).expect("it is built").len();
    report.number("binary", mib(binary as f64), "MiB", "at most 8");
    let world = World::start(folder, "taking");
    report.number("daemon, idle: Pss", pss(world.daemon.id()), "MiB", "at most 8");
    let mut front_ends = world.front_ends(1);
    report.number("front end, idle: Pss", pss(front_ends.processes[0].id()), "MiB", "at most 6");
    run(&mut front_ends.clients, 100);
    report.number("front end, after 100 sends: Pss", pss(front_ends.processes[0].id()), "MiB", "at most 6");
    front_ends.end();
    for clients in [1, 16] {
        let mut crowd = world.clients(clients);
        let (before, each) = (cpu_seconds(world.daemon.id()), 4_000 / clients);
        run(&mut crowd, each);
        let micros = (cpu_seconds(world.daemon.id()) - before) * 1e6 / (each * clients) as f64;
        report.number(&format!("daemon's CPU a message, {clients} clients"), micros, "µs", "");
    }
    // The last of them is still leaving.
    std::thread::sleep(Duration::from_secs(1));
    let before = switches(world.daemon.id());
    std::thread::sleep(Duration::from_secs(size.idle));
    let woken = switches(world.daemon.id()).saturating_sub(before) as f64 * 60.0 / size.idle as f64;
    report.number("idle daemon's wake-ups a minute", woken, "", "0");
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

/// Proportional set size: what the process has for itself, and its part of what it shares.
pub fn pss(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    mib(field(&rollup, "Pss:") * 1024.0)
}

fn switches(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let of =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
    tasks.filter_map(Result::ok).map(|task| field(&of(task), "voluntary_ctxt_switches:") as u64).sum()
}

fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // Behind the name, which may hold anything: state, and with it the third field.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}
