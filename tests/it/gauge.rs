//! What a daemon takes of its machine while something is done to it, and what others notice of that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::socket::Socket;
use crate::world::World;

/// Between two calls of a bystander: a busy agent's pace.
const PACE: Duration = Duration::from_millis(5);

/// A number that a developer may raise for a long run.
pub fn from_env(name: &str, short: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}

/// For people who run the tests by hand.
#[expect(clippy::print_stdout, reason = "a figure is what such a test is run for")]
pub fn figure(text: &str) {
    println!("{text}");
}

/// Resident memory of a process, in MiB: now, and at most so far.
pub fn memory_mib(pid: i32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let kib = |field: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux says it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    (kib("VmRSS:") / 1024.0, kib("VmHWM:") / 1024.0)
}

pub fn descriptors(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the process runs").count()
}

/// Processor time of a process so far.
pub fn processor(pid: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks =
        |field: usize| -> u64 { rest.split(' ').nth(field).and_then(|t| t.parse().ok()).expect("ticks") };
    // USER_HZ is 100 on every Linux.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

pub fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}

/// Two agents that write to each other at their own pace, whatever else goes on.
pub struct Bystanders {
    stop: Arc<AtomicBool>,
    work: JoinHandle<Vec<Duration>>,
}

impl Bystanders {
    pub fn begin(world: &World, number: usize) -> Bystanders {
        let [name, peer] = ["quiet", "calm"].map(|word| format!("{word}-{number}"));
        let (mut writer, mut reader) = (world.client(), world.client());
        registered(&mut writer, &name);
        registered(&mut reader, &peer);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = std::thread::spawn(move || converse(&mut writer, &mut reader, &peer, &stopped));
        Bystanders { stop, work }
    }

    /// Ends them: how long each call took. None of them was refused, and no mail was lost or repeated.
    pub fn end(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::SeqCst);
        self.work.join().expect("nobody disturbs them")
    }
}

pub fn registered(socket: &mut Socket, name: &str) {
    let answer = socket.call(1, "register", json!({"name": name}));
    assert_eq!(answer["result"]["name"], name, "{answer}");
}

fn converse(writer: &mut Socket, reader: &mut Socket, peer: &str, stop: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut timed = |socket: &mut Socket, id: i64, method: &str, params: Value| {
        let begun = Instant::now();
        let answer = socket.call(id, method, params);
        times.push(begun.elapsed());
        assert!(answer["error"].is_null(), "a bystander's {method}: {answer}");
        answer["result"].clone()
    };
    for number in 2.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let sent = timed(writer, number, "send", json!({"to": [peer], "content": format!("{number}")}));
        let read = timed(reader, number, "check", json!({}));
        assert_eq!(read["messages"].as_array().map(Vec::len), Some(1), "{read}");
        assert_eq!(
            (&read["messages"][0]["id"], &read["messages"][0]["redelivered"]),
            (&sent["id"], &json!(false))
        );
        timed(reader, -number, "ack", json!({"ids": [sent["id"]]}));
        std::thread::sleep(PACE);
    }
    times
}
