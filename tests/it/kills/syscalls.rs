//! The daemon is killed by the system as it enters the n-th call of a kind.

use std::process::Stdio;

use serde_json::json;

use super::CONFIG;
use super::front_end::FrontEnd;
use super::seen::Seen;
use crate::gauge::from_env;
use crate::machine::{skip, there_is};
use crate::world::{World, until};

#[test]
fn a_kill_at_a_system_call_loses_nothing_that_was_acknowledged() {
    const CALLS: [&str; 4] = ["fdatasync", "pwrite64", "sendto", "accept4"];
    if !there_is("strace") {
        return skip("kills at system calls", "there is no strace");
    }
    let upto = from_env("IPCD_TEST_SYSCALLS", 2);
    let (mut killed, mut repeats) = (0, 0);
    for nth in 1..=upto {
        for call in CALLS {
            let (died, repeated) = kill_at(call, nth * if upto < 10 { 7 } else { 1 });
            killed += u32::from(died);
            repeats += repeated;
        }
    }
    println!(
        "lost=0 repeats_unflagged=0 reordered=0 kills={killed} repeats_flagged={repeats} of={}",
        upto * 4
    );
}

/// Whether the daemon died of it, and how many letters came again, flagged.
fn kill_at(call: &str, nth: u64) -> (bool, u64) {
    const SENDS: u64 = 12;
    let world = World::with_config(CONFIG);
    let inject = format!("--inject={call}:signal=KILL:when={nth}");
    let mut traced = std::process::Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", &format!("--trace={call}"), &inject])
        .arg(crate::world::program())
        .arg("daemon")
        .env_clear()
        .envs(world.environment())
        .current_dir(world.home())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace runs");
    // It serves, or did not live to.
    until("the daemon serves or is dead", || {
        world.socket().exists() || traced.try_wait().expect("a child").is_some()
    });
    let start = |name| FrontEnd::start(&world, name, &Default::default()).expect("nobody kills it");
    let (mut sender, mut reader) = (start("s0"), start("reader"));
    let mut seen = Seen::default();
    let mut stored = Vec::new();
    let mut check = |reader: &mut FrontEnd| {
        let id = reader.tool("check", json!({})).expect("it lives");
        let (refused, value) = reader.answer(id).expect("it lives");
        assert!(!refused, "{call} {nth}: {value}");
        let mail = value["messages"].as_array().expect("messages");
        mail.iter().for_each(|mail| seen.see(mail));
        mail.len()
    };
    for number in 1..=SENDS {
        let text = format!("0.{number}");
        let id = sender.tool("send", json!({"to_id": "reader", "content": text})).expect("it lives");
        let (refused, value) = sender.answer(id).expect("it lives");
        assert!(!refused, "{call} {nth}: {value}");
        stored.push(text);
        if number % 4 == 0 {
            check(&mut reader);
        }
    }
    while check(&mut reader) > 0 {}
    let read: Vec<String> = seen.ids.keys().cloned().collect();
    stored.sort();
    assert_eq!(read, stored, "{call} {nth}: all that was answered, and one copy of each");
    assert!(seen.is_faultless(), "{call} {nth}");
    let died = traced.try_wait().expect("a child").is_some();
    let _ = traced.kill();
    let _ = traced.wait();
    if !died {
        // strace is gone, and what it traced goes on.
        world.kill_daemon();
    }
    (died, seen.repeats)
}
