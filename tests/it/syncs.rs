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
        .args(["-f", "-qq", "-s", "120", "-e", "trace=openat,pwrite64,fdatasync,sendto,write", "-o"])
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
    let (mut unsynced, mut synced) = (false, false);
    let (mut journal, mut writing) = (None, None);
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        let begins = journal.is_some_and(|journal| call.starts_with(&format!("pwrite64({journal},")));
        // In two lines where threads meet.
        let resumes = call.starts_with("<... pwrite64 resumed") && writing == Some(thread);
        if call.starts_with("openat(") && call.contains(".journal\"") && call.contains("O_DSYNC") {
            journal = call.rsplit(' ').next();
        } else if call.contains("\\\"stored\\\":true") {
            seen.stored += 1;
            seen.early += usize::from(unsynced || !synced);
            synced = false;
        }
        if begins {
            (unsynced, writing) = (true, Some(thread));
        }
        // Written past the cache, and durable when it returns; or else synced by a call of its own.
        let is_written = (begins || resumes) && !call.contains("unfinished");
        if is_written || (journal.is_none() && call.contains("fdatasync") && call.contains("= 0")) {
            (unsynced, synced, writing) = (false, true, None);
        }
    }
    seen
}

#[test]
fn an_early_answer_would_be_noticed() {
    let good = r#"7 openat(AT_FDCWD, "/s/ipcd.redb.journal", O_WRONLY|O_DSYNC|O_DIRECT|O_CLOEXEC, 0600) = 9
7 pwrite64(9, "x", 512, 0 <unfinished ...>
8 pwrite64(4, "", 1, 0) = 1
8 fdatasync(4) = 0
7 <... pwrite64 resumed>) = 512
7 pwrite64(10, "head", 4, 0) = 4
8 sendto(5, "{\"stored\":true}", 15, 0, NULL, 0) = 15
"#;
    assert_eq!(read(good), Seen { stored: 1, early: 0 });
    let lines: Vec<&str> = good.lines().collect();
    let early = [lines[0], lines[1], lines[3], lines[6], lines[4]].join("\n");
    assert_eq!(read(&early), Seen { stored: 1, early: 1 });
    let none = [lines[0], lines[6], lines[1], lines[4], lines[6], lines[6]].join("\n");
    assert_eq!(read(&none), Seen { stored: 3, early: 2 });
    let cached = ["7 pwrite64(9, \"x\", 512, 0) = 512", "7 fdatasync(9) = 0", lines[6], lines[6]].join("\n");
    assert_eq!(read(&cached), Seen { stored: 2, early: 1 }, "where nothing goes past the cache");
}
