//! What a durable message costs, beside what it cannot cost less than and beside what others take for it:
//! on the same disk, in the same run, in turn, round by round.
//!
//! `cargo bench` prints tables; `cargo bench -- --long` takes some minutes for the figures that need
//! numbers; `--json` prints one object. Nothing here passes or fails: read the ratios, not the times.

mod figures;
mod floors;
mod footprint;
mod load;
mod mail;
mod past;
mod places;
mod report;
mod rivals;
mod sends;
mod starts;
mod world;

use std::path::Path;

use figures::Size;
use floors::{Echo, Relay};
use report::Report;
use world::World;

/// A message of an ordinary size, in bytes.
const CONTENT: usize = 300;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [echo, path] = arguments.as_slice()
        && echo == floors::ECHO
    {
        return Echo::serve(Path::new(path));
    }
    if let [relay, path] = arguments.as_slice()
        && relay == floors::RELAY
    {
        return Relay::serve(Path::new(path));
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
        sends::measure(&mut report, &folder, if long { 24 } else { 8 });
    }
    if !asked("--sends") {
        others(&mut report, &folder, &sizes);
    }
    report.end();
    let _ = std::fs::remove_dir_all(&folder);
}

fn others(report: &mut Report, folder: &Path, size: &Size) {
    let (world, echo) = (World::start(folder, "others"), Echo::start(folder));
    report.title("Other figures");
    report.head();
    let send = figures::waking(report, &world, size);
    figures::looking(report, &world, &echo, size);
    figures::passing_on(report, &world, &echo, size);
    figures::broadcasting(report, &world, size);
    figures::a_megabyte(report, &world, size);
    figures::draining(report, &world);
    drop(world);
    // In a home of its own: below a program that holds names by the hundred a command does not know whose it is.
    starts::one_shots(report, &World::start(folder, "commands"), send);
    starts::starting(report, folder);
    footprint::taking(report, folder, size);
    past::long_past(report, folder, size);
}
