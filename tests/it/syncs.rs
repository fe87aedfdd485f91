//! What the system saw: no answer that says "stored" left the daemon before the data was synced.

use std::collections::HashMap;
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

/// How a descriptor of the journal is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Each write is durable when it returns.
    PastTheCache,
    /// A sync makes it so.
    Cached,
}

fn read(trace: &str) -> Seen {
    let mut seen = Seen::default();
    let mut journal: HashMap<&str, Way> = HashMap::new();
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let (mut unsynced, mut synced) = (false, false);
    for line in trace.lines() {
        let (thread, said) = line.split_once(' ').unwrap_or_default();
        let said = said.trim_start();
        // A call stands in two lines where threads meet: what began it, and what came of it.
        let call = match said.strip_prefix("<... ") {
            Some(_) => begun.remove(thread).unwrap_or_default(),
            None => said,
        };
        let Some((_, result)) = said.rsplit_once(" = ") else {
            begun.insert(thread, call);
            unsynced |= call.starts_with("pwrite64(") && journal.contains_key(descriptor(call));
            if call.contains("\\\"stored\\\":true") {
                answered(&mut seen, unsynced, &mut synced);
            }
            continue;
        };
        if call.starts_with("openat(") {
            journal.remove(result);
            if call.contains(".journal\"") && !result.starts_with('-') {
                let past_the_cache = call.contains("O_DSYNC");
                journal.insert(result, if past_the_cache { Way::PastTheCache } else { Way::Cached });
            }
        } else if call.starts_with("pwrite64(") {
            match journal.get(descriptor(call)) {
                // Whole: what it returns is the length that it was given.
                Some(Way::PastTheCache) if call.contains(&format!(", {result}, ")) => {
                    (unsynced, synced) = (false, true);
                }
                Some(_) => unsynced = true,
                None => {}
            }
        } else if call.starts_with("fdatasync(") && result == "0" && journal.contains_key(descriptor(call)) {
            (unsynced, synced) = (false, true);
        } else if call.contains("\\\"stored\\\":true") && call == said {
            answered(&mut seen, unsynced, &mut synced);
        }
    }
    seen
}

fn answered(seen: &mut Seen, unsynced: bool, synced: &mut bool) {
    seen.stored += 1;
    seen.early += usize::from(unsynced || !*synced);
    *synced = false;
}

/// The first argument of a call.
fn descriptor(call: &str) -> &str {
    let arguments = call.split_once('(').map_or("", |(_, arguments)| arguments);
    arguments.split([',', ')', ' ']).next().unwrap_or_default()
}

#[test]
fn an_early_answer_would_be_noticed() {
    let open = r#"7 openat(AT_FDCWD, "/s/ipcd.redb.journal", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 8
7 openat(AT_FDCWD, "/s/ipcd.redb.journal", O_WRONLY|O_DSYNC|O_DIRECT|O_CLOEXEC) = 9"#;
    let stored = r#"8 sendto(5, "{\"stored\":true}", 15, 0, NULL, 0) = 15"#;
    let write = r#"7 pwrite64(9, "x"..., 512, 0 <unfinished ...>
8 pwrite64(4, "", 1, 0) = 1
8 fdatasync(4) = 0"#;
    let written = "7 <... pwrite64 resumed>) = 512";
    let seen = |lines: &[&str]| read(&[&[open], lines].concat().join("\n"));
    let of = |stored, early| Seen { stored, early };
    assert_eq!(seen(&[write, written, "7 pwrite64(10, \"head\", 4, 0) = 4", stored]), of(1, 0));
    assert_eq!(seen(&[write, stored, written]), of(1, 1), "while it is written");
    assert_eq!(seen(&[stored, write, written, stored, stored]), of(3, 2), "with nothing written for it");
    let whole = r#"7 pwrite64(9, "x"..., 512, 0) = 512"#;
    assert_eq!(seen(&[whole, stored]), of(1, 0));
    assert_eq!(
        seen(&[&whole.replace("= 512", "= -1 EINVAL (Invalid argument)"), stored]),
        of(1, 1),
        "refused"
    );
    assert_eq!(seen(&[&whole.replace("= 512", "= 100"), stored]), of(1, 1), "a part of it");
    let cached = whole.replace("(9,", "(8,");
    assert_eq!(seen(&[&cached, stored]), of(1, 1));
    assert_eq!(seen(&[&cached, "7 fdatasync(8) = 0", stored]), of(1, 0));
}
