//! Conversations with the broker, text in and text out: see the `.txt` files beside this one.
//!
//! A scenario begins with `# what it shows`. A line says what somebody does; the lines after it that
//! begin with `>` are what came of it. `UPDATE_SCENARIOS=1 cargo test scenarios` writes those lines
//! anew, to be read before they are committed.

mod render;
mod script;

use std::path::Path;

use script::Stage;

macro_rules! files {
    ($($file:ident),*) => {
        $(#[test]
        fn $file() {
            check_file(stringify!($file));
        })*
    };
}

files!(
    names, auto_names, renames, leases, waits, reading, sending, limits, time, speakers, restarts, dead,
    bells
);

/// Plays one scenario and writes down what came of it. All of the broker's API that scenarios touch
/// is behind this.
fn check(script: &str) -> String {
    let mut stage = Stage::default();
    let mut seen = String::new();
    for line in script.lines().filter(|line| !line.starts_with('>')) {
        seen.push_str(line);
        seen.push('\n');
        for heard in stage.play(line) {
            seen.push_str("> ");
            seen.push_str(&heard);
            seen.push('\n');
        }
    }
    seen
}

fn check_file(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/broker/tests/scenarios/{name}.txt"));
    let written = std::fs::read_to_string(&path).expect("the scenarios are beside this file");
    let starts: Vec<usize> = written.match_indices("# ").map(|(at, _)| at).collect();
    let starts: Vec<usize> =
        starts.into_iter().filter(|at| *at == 0 || written[..*at].ends_with('\n')).collect();
    assert!(!starts.is_empty(), "{name}.txt has no scenario");
    let ends = starts.iter().skip(1).copied().chain([written.len()]);
    let played: String = starts.iter().zip(ends).map(|(start, end)| check(&written[*start..end])).collect();
    if std::env::var_os("UPDATE_SCENARIOS").is_some() {
        std::fs::write(&path, &played).expect("the scenarios can be written");
    }
    assert!(played == written, "{name}.txt:\n{}", difference(&written, &played));
}

/// The lines that differ, with the scenario that they are in.
fn difference(written: &str, played: &str) -> String {
    let mut out = String::new();
    let mut title = "";
    let (mut old, mut new) = (written.lines().peekable(), played.lines().peekable());
    while old.peek().is_some() || new.peek().is_some() {
        if old.peek() == new.peek() {
            let line = old.next().unwrap_or_default();
            new.next();
            if !line.starts_with('>') {
                title = line;
            }
            continue;
        }
        out.push_str(&format!("{title}\n"));
        while let Some(line) = old.next_if(|line| line.starts_with('>')) {
            out.push_str(&format!("  written {line}\n"));
        }
        let mut moved = false;
        while let Some(line) = new.next_if(|line| line.starts_with('>')) {
            out.push_str(&format!("  played  {line}\n"));
            moved = true;
        }
        if !moved && old.peek() != new.peek() {
            break;
        }
    }
    out
}
