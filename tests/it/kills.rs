//! Daemons, front ends and their clients are killed at random moments while mail flows; then every
//! promise is looked up.
//!
//! `IPCD_TEST_KILLS` says how often (`docs/reliability.md`); the last line of the output is the figure.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::machine::{skip, there_is};
use crate::world::{SOON, World, until};

/// Kills of one test run: what a few seconds hold.
const KILLS: u64 = 40;
const SENDERS: usize = 3;
/// Sends of one front end that are under way at one time.
const WINDOW: usize = 4;
/// Mailboxes may be full of repeats here, and no mail is given up for it. Names are asked for: two front
/// ends of one folder that are killed together could take up each other's.
const CONFIG: &str = "[limits]\nsends_per_minute = 0\nmailbox_messages = 1000000\nsender_share_percent = 100\ndeliveries = 0\nhistory_s = 0\n[identity]\nauto_register = false\n";

/// One `ipcd mcp`, and its client's ends of the pipes.
struct FrontEnd {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    last_id: i64,
}

impl FrontEnd {
    /// Starts one that has its name. `None`: it was killed first.
    fn start(world: &World, name: &str, pid: &AtomicI32) -> Option<FrontEnd> {
        let mut command = world.command(&["mcp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the front end starts");
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            // A line that was cut off by a kill is no JSON, and the last one.
            let lines = stdout.lines().map_while(Result::ok);
            for value in lines.map_while(|line| serde_json::from_str(&line).ok()) {
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        pid.store(child.id() as i32, Ordering::SeqCst);
        let mut front_end = FrontEnd { child, stdin, lines, last_id: 0 };
        let info = json!({"name": "test", "version": "1"});
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
        let id = front_end.write("initialize", hello)?;
        front_end.answer(id)?;
        front_end.line(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        let id = front_end.tool("register", json!({"instance_id": name}))?;
        let (refused, answer) = front_end.answer(id)?;
        assert!(!refused, "{name}, pid {}: {answer}", front_end.child.id());
        Some(front_end)
    }

    fn tool(&mut self, tool: &str, arguments: Value) -> Option<i64> {
        self.write("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    fn write(&mut self, method: &str, params: Value) -> Option<i64> {
        self.last_id += 1;
        self.line(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))?;
        Some(self.last_id)
    }

    fn line(&mut self, line: &Value) -> Option<()> {
        self.stdin.as_mut()?.write_all(format!("{line}\n").as_bytes()).ok()
    }

    /// The next answer, as its call, whether it is a refusal, and what it says.
    fn next(&mut self) -> Option<(i64, bool, Value)> {
        loop {
            let value = match self.lines.recv_timeout(SOON) {
                Ok(value) => value,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(timeout) => panic!("no answer: {timeout}"),
            };
            if let Some(id) = value["id"].as_i64().filter(|_| value["method"].is_null()) {
                let result = &value["result"];
                return Some((id, result["isError"] == json!(true), result["structuredContent"].clone()));
            }
        }
    }

    fn answer(&mut self, id: i64) -> Option<(bool, Value)> {
        loop {
            let (found, refused, value) = self.next()?;
            if found == id {
                return Some((refused, value));
            }
        }
    }

    /// The client is gone, and its front end must go after it.
    fn abandoned(mut self) {
        self.stdin = None;
        until("a front end ends after its client", || self.child.try_wait().expect("a child").is_some());
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What all threads of one run know.
#[derive(Default)]
struct Run {
    pids: [AtomicI32; SENDERS + 1],
    /// This client is to vanish.
    vanish: [AtomicBool; SENDERS + 1],
    /// Nothing more is sent.
    sent_all: AtomicBool,
    /// What is there is read, and that is all.
    stop: AtomicBool,
    /// When the last send that was answered had begun, in microseconds of the run.
    answered_from: AtomicU64,
    stored: Mutex<BTreeMap<String, u64>>,
    /// Calls that were answered with a refusal. They promise nothing.
    refused: Mutex<BTreeMap<String, u64>>,
    seen: Mutex<Seen>,
}

impl Run {
    fn refuse(&self, answer: &Value) {
        let error = &answer["error"];
        let words = format!("{}: {}", error["code"], error["message"]);
        *self.refused.lock().expect("sound").entry(words).or_default() += 1;
    }
}

/// What the reader saw.
#[derive(Default)]
struct Seen {
    /// Texts and their ids.
    ids: BTreeMap<String, u64>,
    last: BTreeMap<usize, u64>,
    repeats_unflagged: u64,
    repeats: u64,
    second_ids: u64,
    reordered: u64,
}

impl Seen {
    fn see(&mut self, mail: &Value) {
        let text = mail["content"].as_str().expect("a text").to_owned();
        let id = mail["id"].as_u64().expect("an id");
        if let Some(known) = self.ids.get(&text) {
            self.repeats += 1;
            self.repeats_unflagged += u64::from(mail["redelivered"] != json!(true));
            self.second_ids += u64::from(*known != id);
            return;
        }
        let (sender, number) = text.split_once('.').expect("sender.number");
        let (sender, number) = (sender.parse().expect("a sender"), number.parse().expect("a number"));
        let last = self.last.insert(sender, number);
        self.reordered += u64::from(last.is_some_and(|last| last >= number));
        self.ids.insert(text, id);
    }
}

fn send_until_stopped(world: &World, run: &Run, start: Instant, me: usize) {
    let mut number = 0u64;
    while !run.sent_all.load(Ordering::SeqCst) {
        let Some(mut front_end) = FrontEnd::start(world, &format!("s{me}"), &run.pids[me]) else { continue };
        let mut under_way: BTreeMap<i64, (String, u64)> = BTreeMap::new();
        loop {
            if run.vanish[me].swap(false, Ordering::SeqCst) {
                front_end.abandoned();
                break;
            }
            let stop = run.sent_all.load(Ordering::SeqCst);
            if stop && under_way.is_empty() {
                return;
            }
            if !stop && under_way.len() < WINDOW {
                number += 1;
                let text = format!("{me}.{number}");
                let began = start.elapsed().as_micros() as u64;
                let call = front_end.tool("send", json!({"to_id": "reader", "content": text}));
                let Some(id) = call else { break };
                under_way.insert(id, (text, began));
                continue;
            }
            let Some((id, refused, value)) = front_end.next() else { break };
            let (text, began) = under_way.remove(&id).expect("an answer to a send");
            if refused {
                run.refuse(&value);
                continue;
            }
            assert_eq!(value["stored"], json!(true), "{value}");
            run.stored.lock().expect("sound").insert(text, value["id"].as_u64().expect("an id"));
            run.answered_from.fetch_max(began, Ordering::SeqCst);
        }
    }
}

/// Reads until it was told to stop and nothing is left.
fn read_until_stopped(world: &World, run: &Run) {
    let me = SENDERS;
    loop {
        let Some(mut front_end) = FrontEnd::start(world, "reader", &run.pids[me]) else { continue };
        loop {
            if run.vanish[me].swap(false, Ordering::SeqCst) {
                front_end.abandoned();
                break;
            }
            let last = run.stop.load(Ordering::SeqCst);
            let wait = u8::from(!last);
            let Some(id) = front_end.tool("check", json!({"wait_seconds": wait})) else { break };
            let Some((refused, value)) = front_end.answer(id) else { break };
            if refused {
                run.refuse(&value);
                continue;
            }
            let mail = value["messages"].as_array().expect("messages");
            mail.iter().for_each(|mail| run.seen.lock().expect("sound").see(mail));
            if last && mail.is_empty() {
                return;
            }
        }
    }
}

/// Kills one thing after another; the times from the kill of a daemon to an answer of the next one.
fn kill_about(world: &World, run: &Run, start: Instant, kills: u64, mut dice: u64) -> Vec<Duration> {
    let mut recoveries = Vec::new();
    for _ in 0..kills {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = dice >> 33;
        // No wait for a state: the moment of the kill is what is random here.
        std::thread::sleep(Duration::from_micros(random % 30_000));
        let who = (random >> 16) as usize % (SENDERS + 1);
        match (random >> 8) % 10 {
            0..=5 => {
                let began = start.elapsed();
                end(world.noted_pid());
                let from = began.as_micros() as u64;
                until("the next daemon answers", || run.answered_from.load(Ordering::SeqCst) > from);
                recoveries.push(start.elapsed().saturating_sub(began));
            }
            6..=8 => end(run.pids[who].load(Ordering::SeqCst)),
            _ => run.vanish[who].store(true, Ordering::SeqCst),
        }
    }
    recoveries
}

fn end(pid: i32) {
    if pid > 1 {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[test]
fn kills_lose_nothing_that_was_acknowledged() {
    let kills = std::env::var("IPCD_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let world = Arc::new(World::with_config(CONFIG));
    let (run, start) = (Arc::new(Run::default()), Instant::now());
    let mut threads = Vec::new();
    for me in 0..SENDERS {
        let (world, run) = (world.clone(), run.clone());
        threads.push(std::thread::spawn(move || send_until_stopped(&world, &run, start, me)));
    }
    let reader = {
        let (world, run) = (world.clone(), run.clone());
        std::thread::spawn(move || read_until_stopped(&world, &run))
    };
    until("mail flows", || run.answered_from.load(Ordering::SeqCst) > 0);
    let seed = u64::from(std::process::id());
    let mut recoveries = kill_about(&world, &run, start, kills, seed);
    // Only when the senders have ended is an empty mailbox the end of the mail.
    run.sent_all.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| thread.join().expect("a sender keeps its promises"));
    run.stop.store(true, Ordering::SeqCst);
    reader.join().expect("the reader keeps its promises");

    let (stored, seen) = (run.stored.lock().expect("sound"), run.seen.lock().expect("sound"));
    let lost: Vec<_> = stored.iter().filter(|(text, id)| seen.ids.get(*text) != Some(*id)).collect();
    recoveries.sort();
    let p99 = recoveries.get((recoveries.len() * 99 / 100).min(recoveries.len().saturating_sub(1)));
    println!(
        "lost={} repeats_unflagged={} reordered={} kills={kills} recovery_p99_ms={} stored={} repeats_flagged={} refused={:?} daemons_killed={}",
        lost.len(),
        seen.repeats_unflagged,
        seen.reordered,
        p99.map_or(0, Duration::as_millis),
        stored.len(),
        seen.repeats - seen.repeats_unflagged,
        run.refused.lock().expect("sound"),
        recoveries.len(),
    );
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!((seen.repeats_unflagged, seen.second_ids, seen.reordered), (0, 0, 0));
}

/// The daemon is killed by the system as it enters the n-th call of a kind.
#[test]
fn a_kill_at_a_system_call_loses_nothing_that_was_acknowledged() {
    const CALLS: [&str; 4] = ["fdatasync", "pwrite64", "sendto", "accept4"];
    if !there_is("strace") {
        return skip("kills at system calls", "there is no strace");
    }
    let upto = std::env::var("IPCD_TEST_SYSCALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
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
    let pid = AtomicI32::new(0);
    let mut sender = FrontEnd::start(&world, "s0", &pid).expect("nobody kills it");
    let mut reader = FrontEnd::start(&world, "reader", &pid).expect("nobody kills it");
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
    assert_eq!((seen.repeats_unflagged, seen.second_ids, seen.reordered), (0, 0, 0), "{call} {nth}");
    let died = traced.try_wait().expect("a child").is_some();
    let _ = traced.kill();
    let _ = traced.wait();
    if !died {
        // strace is gone, and what it traced goes on.
        world.kill_daemon();
    }
    (died, seen.repeats)
}
