//! Rows 54 and 55: many clients at once, and what a call costs. Nothing here depends on the machine's
//! speed: the figures are printed (`--nocapture`), beside those of the seed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::world::{World, runs};

/// For people who run the tests by hand.
#[expect(clippy::print_stdout, reason = "a figure is what such a test is run for")]
fn figure(name: &str, text: &str) {
    println!("{name}: {text}");
}

#[test]
fn row_54_concurrency() {
    const CLIENTS: usize = 16;
    const SENDS: usize = 20;
    let world = World::with_config("[limits]\nsends_per_minute = 0\nmailbox_messages = 1000\n");
    let mut reader = world.agent("reader");
    let agents: Vec<Agent> = (0..CLIENTS).map(|n| world.agent(&format!("c{n}"))).collect();
    let start = Instant::now();
    let work = |mut agent: Agent| {
        let mut slowest = Duration::ZERO;
        for n in 0..SENDS {
            let begin = Instant::now();
            agent.ok("send", json!({"to_id": "reader", "content": format!("{n}")}));
            slowest = slowest.max(begin.elapsed());
        }
        (agent, slowest)
    };
    let threads: Vec<_> = agents.into_iter().map(|agent| std::thread::spawn(move || work(agent))).collect();
    let done: Vec<(Agent, Duration)> =
        threads.into_iter().map(|t| t.join().expect("nobody starves")).collect();
    let seconds = start.elapsed().as_secs_f64();
    let slowest = done.iter().map(|(_, slowest)| *slowest).max().unwrap_or_default();
    let rate = (CLIENTS * SENDS) as f64 / seconds;
    figure(
        "16 clients",
        &format!("{rate:.0} sends/s, slowest {slowest:?} (the seed: 44 sends/s, p99 1.2 s)"),
    );
    let mut counts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while counts.values().map(Vec::len).sum::<usize>() < CLIENTS * SENDS {
        let answer = reader.ok("check", json!({}));
        for mail in answer["messages"].as_array().expect("messages") {
            let text = |key: &str| mail[key].as_str().expect("text").to_owned();
            counts.entry(text("from")).or_default().push(text("content"));
        }
    }
    let each: Vec<String> = (0..SENDS).map(|n| n.to_string()).collect();
    assert_eq!(counts.len(), CLIENTS);
    assert!(counts.values().all(|sent| *sent == each), "each sender's mail, all of it, in its order");
}

#[test]
fn row_55_speed() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let timed = |agent: &mut Agent, tool: &str, arguments: Value| {
        let start = Instant::now();
        let answer = agent.ok(tool, arguments);
        (start.elapsed(), answer)
    };
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (mut sends, mut checks) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let (time, sent) = timed(&mut alice, "send", json!({"to_id": "bob", "content": "x".repeat(200)}));
        sends.push(time);
        let (time, got) = timed(&mut bob, "check", json!({}));
        checks.push(time);
        assert_eq!(got["messages"][0]["id"], sent["id"]);
    }
    let (send, check) = (median(sends), median(checks));
    figure("over MCP", &format!("send {send:?}, check {check:?} (the seed: 31 ms, 28 ms on a like disk)"));
    assert!(runs(world.daemon_pid()));
}
