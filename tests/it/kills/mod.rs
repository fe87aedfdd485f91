//! Daemons, front ends and their clients are killed at random moments while mail flows; then every
//! promise is looked up.
//!
//! `IPCD_TEST_KILLS` says how often (`docs/reliability.md`), `IPCD_TEST_SEED` in which order; the last line
//! of the output is the figure.

mod diary;
mod front_end;
mod seen;
mod syscalls;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::gauge::{descriptors, figure, from_env, memory_mib};
use crate::world::{World, until};
use diary::{Diary, Recovery, quantiles, recovered_in, tell_slowest};
use front_end::{FrontEnd, Victim};
use seen::Seen;

/// Kills of one test run: what a few seconds hold.
const KILLS: u64 = 40;
/// Kills after which a long run says how it stands.
const PROGRESS: u64 = 500;
const SENDERS: usize = 3;
/// The number of the reader among the front ends.
const READER: usize = SENDERS;
/// Sends of one front end that are under way at one time.
const WINDOW: usize = 4;
/// Unread messages of the reader with which a sender takes its time: each start reads them all, and it is the kills
/// that this is about. The daemon stores faster than one front end reads.
const BACKLOG: u64 = 500;
const PAUSE: Duration = Duration::from_millis(20);
/// Mailboxes may be full of repeats here, and no mail is given up for it. Names are asked for: two front
/// ends of one folder that are killed together could take up each other's.
const CONFIG: &str = "[limits]\nsends_per_minute = 0\nmailbox_messages = 1000000\nsender_share_percent = 100\ndeliveries = 0\nhistory_s = 0\n[identity]\nauto_register = false\n";

/// What all threads of one run know.
struct Run {
    victims: [Arc<Victim>; SENDERS + 1],
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
    diary: Diary,
    /// A daemon was killed, and nobody has heard of the next one.
    recovering: AtomicBool,
}

impl Run {
    fn new() -> Run {
        Run {
            victims: Default::default(),
            vanish: Default::default(),
            sent_all: AtomicBool::default(),
            stop: AtomicBool::default(),
            answered_from: AtomicU64::default(),
            stored: Mutex::default(),
            refused: Mutex::default(),
            seen: Mutex::default(),
            diary: Diary::new(),
            recovering: AtomicBool::default(),
        }
    }

    /// A front end that has its name.
    fn front_end(&self, world: &World, me: usize) -> Option<FrontEnd> {
        let name = if me == READER { "reader".to_owned() } else { format!("s{me}") };
        self.diary.note(format!("{name} starts"));
        let started = FrontEnd::start(world, &name, &self.victims[me]);
        self.diary
            .note(format!("{name} {}", if started.is_some() { "has its name" } else { "did not live to" }));
        started
    }

    fn refuse(&self, answer: &Value) {
        let error = &answer["error"];
        let words = format!("{}: {}", error["code"], error["message"]);
        *self.refused.lock().expect("sound").entry(words).or_default() += 1;
    }

    fn stored(&self, me: usize, text: String, id: u64, began: u64) {
        if self.recovering.load(Ordering::SeqCst) {
            let age = self.diary.start.elapsed().saturating_sub(Duration::from_micros(began));
            self.diary.note(format!("s{me} hears of a send made {} ms ago", age.as_millis()));
        }
        self.stored.lock().expect("sound").insert(text, id);
        self.answered_from.fetch_max(began, Ordering::SeqCst);
    }
}

fn send_until_stopped(world: &World, run: &Run, me: usize) {
    let mut number = 0u64;
    while !run.sent_all.load(Ordering::SeqCst) {
        let Some(mut front_end) = run.front_end(world, me) else { continue };
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
                let began = run.diary.start.elapsed().as_micros() as u64;
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
            run.stored(me, text, value["id"].as_u64().expect("an id"), began);
            if value["recipient"]["unread"].as_u64().is_some_and(|unread| unread > BACKLOG) {
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// Reads until it was told to stop and nothing is left.
fn read_until_stopped(world: &World, run: &Run) {
    loop {
        let Some(mut front_end) = run.front_end(world, READER) else { continue };
        loop {
            if run.vanish[READER].swap(false, Ordering::SeqCst) {
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

/// Kills one thing after another; how the next daemon came each time after one was killed.
fn kill_about(world: &World, run: &Run, kills: u64, mut dice: u64) -> Vec<Recovery> {
    let (mut recoveries, mut killed) = (Vec::new(), 0);
    while killed < kills {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = dice >> 33;
        // No wait for a state: the moment of the kill is what is random here.
        std::thread::sleep(Duration::from_micros(random % 30_000));
        let who = (random >> 16) as usize % (SENDERS + 1);
        let happened = match (random >> 8) % 10 {
            0..=5 => kill_daemon(world, run).map(|recovery| recoveries.push(recovery)).is_some(),
            6..=8 => {
                run.diary.note(format!("front end {who} is killed"));
                run.victims[who].kill()
            }
            _ => {
                run.diary.note(format!("the client of front end {who} vanishes"));
                !run.vanish[who].swap(true, Ordering::SeqCst)
            }
        };
        killed += u64::from(happened);
        if happened && killed % PROGRESS == 0 {
            progress(world, run, killed, &recoveries);
        }
    }
    recoveries
}

/// `None`: there was no daemon to kill.
fn kill_daemon(world: &World, run: &Run) -> Option<Recovery> {
    let pid = world.serving_pid()?;
    let began = run.diary.start.elapsed();
    run.diary.note(format!("the daemon {pid} is killed"));
    run.recovering.store(true, Ordering::SeqCst);
    kill(Pid::from_raw(pid), Signal::SIGKILL).ok()?;
    let from = began.as_micros() as u64;
    until("the next daemon answers", || run.answered_from.load(Ordering::SeqCst) > from);
    run.recovering.store(false, Ordering::SeqCst);
    Some(run.diary.recovery(began))
}

/// For whoever waits for a long run: how it stands, and that it leaks nothing itself.
fn progress(world: &World, run: &Run, killed: u64, recoveries: &[Recovery]) {
    let (seconds, own) = (run.diary.start.elapsed().as_secs_f64(), std::process::id() as i32);
    let store = std::fs::metadata(world.state().join("ipcd.redb")).map_or(0, |found| found.len());
    figure(&format!(
        "kills={killed} seconds={seconds:.0} per_second={:.1} recovery p50 p90 p99 max: {} ms stored={} store_kib={} own_fds={} own_rss_mib={:.0}",
        killed as f64 / seconds,
        recovered_in(recoveries),
        run.stored.lock().expect("sound").len(),
        store >> 10,
        descriptors(own),
        memory_mib(own).0,
    ));
}

#[test]
fn kills_lose_nothing_that_was_acknowledged() {
    let kills = from_env("IPCD_TEST_KILLS", KILLS);
    let seed = from_env("IPCD_TEST_SEED", u64::from(std::process::id()));
    figure(&format!("IPCD_TEST_SEED={seed}"));
    let world = Arc::new(World::with_config(CONFIG));
    let run = Arc::new(Run::new());
    let mut threads = Vec::new();
    for me in 0..SENDERS {
        let (world, run) = (world.clone(), run.clone());
        threads.push(std::thread::spawn(move || send_until_stopped(&world, &run, me)));
    }
    let reader = {
        let (world, run) = (world.clone(), run.clone());
        std::thread::spawn(move || read_until_stopped(&world, &run))
    };
    let syncs = {
        let (world, run) = (world.clone(), run.clone());
        std::thread::spawn(move || run.diary.sync_until(&run.sent_all, world.home()))
    };
    until("mail flows", || run.answered_from.load(Ordering::SeqCst) > 0);
    let mut recoveries = kill_about(&world, &run, kills, seed);
    let seconds = run.diary.start.elapsed().as_secs_f64();
    // Only when the senders have ended is an empty mailbox the end of the mail.
    run.sent_all.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| thread.join().expect("a sender keeps its promises"));
    run.stop.store(true, Ordering::SeqCst);
    reader.join().expect("the reader keeps its promises");
    let syncs = syncs.join().expect("the disk takes a page");

    let (stored, seen) = (run.stored.lock().expect("sound"), run.seen.lock().expect("sound"));
    let lost: Vec<_> = stored.iter().filter(|(text, id)| seen.ids.get(*text) != Some(*id)).collect();
    tell_slowest(&mut recoveries);
    figure(&format!(
        "lost={} repeats_unflagged={} reordered={} kills={kills} daemons_killed={} per_second={:.1} stored={} repeats_flagged={} refused={:?} recovery p50 p90 p99 max: {} ms, a bare sync: {} ms",
        lost.len(),
        seen.repeats_unflagged,
        seen.reordered,
        recoveries.len(),
        kills as f64 / seconds,
        stored.len(),
        seen.repeats - seen.repeats_unflagged,
        run.refused.lock().expect("sound"),
        recovered_in(&recoveries),
        quantiles(syncs),
    ));
    assert!(lost.is_empty(), "{lost:?}");
    assert!(seen.is_faultless(), "{} {} {}", seen.repeats_unflagged, seen.second_ids, seen.reordered);
}
