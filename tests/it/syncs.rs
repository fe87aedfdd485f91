//! What the system saw: no answer that says "stored" left the daemon before the data was synced.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::machine::{skip, there_is};
use crate::world::{World, kill, until};

const SENDS: usize = 200;

/// What a trace of the daemon came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    stored: usize,
    /// Answers that left while something written was not synced, or with nothing synced for them.
    early: usize,
}

#[test]
fn every_stored_answer_follows_its_sync() {
    if !there_is("strace") {
        return skip("the order of sync and answer", "there is no strace");
    }
    let world = World::with_config(
        "[limits]\nsends_per_minute = 0\nmailbox_messages = 100000\nsender_share_percent = 100\n",
    );
    let trace = world.home().join("trace");
    let mut traced = Command::new("strace")
        .args(["-f", "-qq", "-s", "120", "-e", "trace=pwrite64,fdatasync,sendto,write", "-o"])
        .arg(&trace)
        .args([env!("CARGO_BIN_EXE_ipcd"), "daemon"])
        .env_clear()
        .envs(world.environment())
        .current_dir(world.home())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace runs");
    until("the daemon serves", || std::os::unix::net::UnixStream::connect(world.socket()).is_ok());
    let mut client = world.client();
    client.call(1, "register", json!({"name": "alice"}));
    for number in 0..SENDS {
        // One at a time: what is written between two answers belongs to the second.
        let answer = client.call(2, "send", json!({"to": ["bob"], "content": format!("{number}")}));
        assert_eq!(answer["result"]["stored"], json!(true), "{answer}");
    }
    kill(world.noted_pid(), "TERM");
    until("the daemon ends", || traced.try_wait().expect("a child").is_some());
    let seen = read(&std::fs::read_to_string(trace).expect("a trace"));
    println!("early={} of {}", seen.early, seen.stored);
    assert_eq!(seen, Seen { stored: SENDS, early: 0 });
}

fn read(trace: &str) -> Seen {
    let mut seen = Seen::default();
    let store = store_of(trace);
    let (mut unsynced, mut synced) = (false, false);
    for line in trace.lines() {
        // `12005 fdatasync(12) = 0`, or in two lines where threads meet.
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        if call.starts_with(&format!("pwrite64({store},")) {
            unsynced = true;
        } else if call.contains("fdatasync") && call.contains("= 0") {
            (unsynced, synced) = (false, true);
        } else if call.contains("\\\"stored\\\":true") {
            seen.stored += 1;
            seen.early += usize::from(unsynced || !synced);
            synced = false;
        }
    }
    seen
}

/// The descriptor that is synced.
fn store_of(trace: &str) -> &str {
    let mut calls = trace.lines().rev().filter_map(|line| line.split_once("fdatasync("));
    let descriptor = calls.next().and_then(|(_, rest)| rest.split([')', ' ']).next());
    descriptor.expect("something was synced")
}

#[test]
fn an_early_answer_would_be_noticed() {
    let good = r#"7 pwrite64(9, "x", 1, 0) = 1
7 fdatasync(9 <unfinished ...>
8 write(4, "", 1) = 1
7 <... fdatasync resumed>) = 0
7 pwrite64(10, "head", 4, 0) = 4
8 sendto(5, "{\"stored\":true}", 15, 0, NULL, 0) = 15
"#;
    assert_eq!(read(good), Seen { stored: 1, early: 0 });
    let lines: Vec<&str> = good.lines().collect();
    let early = [lines[0], lines[1], lines[5], lines[3]].join("\n");
    assert_eq!(read(&early), Seen { stored: 1, early: 1 });
    let none = [lines[5], lines[0], lines[1], lines[3], lines[5], lines[5]].join("\n");
    assert_eq!(read(&none), Seen { stored: 3, early: 2 });
}
