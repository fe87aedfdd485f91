//! What is left of mail that was sent and read: a small process, a small file, and a history that costs
//! nobody anything.
//!
//! `IPCD_TEST_MESSAGES` says how much mail; the last line of the output is the figure.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::gauge::{figure, from_env, memory_mib, quantile, registered};
use crate::socket::Socket;
use crate::world::{World, kill};

const MESSAGES: u64 = 3_000;

/// Sends of one go: what may be in flight at one time, and less than a sender's share of a mailbox.
const TOGETHER: usize = 60;

/// The daemon's memory after any number of messages, in MiB.
const RESIDENT_MIB: f64 = 24.0;

/// The store's file after any number of messages, when next to nothing is unread, in bytes.
const STORE_BYTES: u64 = 16 << 20;

/// One send and one check, each alone; how long they take.
fn alone(writer: &mut Socket, reader: &mut Socket) -> (Duration, Duration) {
    let (mut sends, mut checks) = (Vec::new(), Vec::new());
    for id in 1_000..1_020 {
        let begun = Instant::now();
        let sent = writer.call(id, "send", json!({"to": ["reader"], "content": "one alone"}));
        sends.push(begun.elapsed());
        let begun = Instant::now();
        let read = reader.call(id, "check", json!({}));
        checks.push(begun.elapsed());
        assert_eq!(read["result"]["messages"][0]["id"], sent["result"]["id"], "{read}");
        reader.call(-id, "ack", json!({}));
    }
    (quantile(&mut sends, 50), quantile(&mut checks, 50))
}

fn send_and_read(writer: &mut Socket, reader: &mut Socket) {
    let text =
        "a message of some length, as agents write them to each other: two hundred bytes or so. ".repeat(2);
    let line = |id| json!({"jsonrpc": "2.0", "id": id, "method": "send", "params": {"to": ["reader"], "content": text}});
    let lines: Vec<String> = (0..TOGETHER).map(|id| line(id).to_string()).collect();
    writer.say(&lines.join("\n"));
    for _ in 0..TOGETHER {
        let answer = writer.hear().expect("an answer");
        assert!(answer.contains("\"stored\":true"), "{answer}");
    }
    let mut left = TOGETHER;
    while left > 0 {
        let read = reader.call(1, "check", json!({}));
        left -= read["result"]["messages"].as_array().expect("mail").len();
    }
    let settled = reader.call(2, "ack", json!({}));
    assert_eq!(settled["result"]["settled"], TOGETHER, "{settled}");
}

/// From the start of a daemon to its answer to a first call.
fn start(world: &World) -> Duration {
    let begun = Instant::now();
    let daemon = world.daemon();
    world.client().call(1, "list", json!({}));
    let took = begun.elapsed();
    kill(daemon.pid(), "TERM");
    assert_eq!(daemon.ends(), 0);
    took
}

fn starts(world: &World) -> Duration {
    quantile(&mut (0..5).map(|_| start(world)).collect::<Vec<_>>(), 50)
}

#[test]
fn mail_that_was_read_weighs_nothing() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    let first = starts(&world);
    let daemon = world.daemon();
    let (mut writer, mut reader) = (world.client(), world.client());
    registered(&mut writer, "writer");
    registered(&mut reader, "reader");
    let (send_before, check_before) = alone(&mut writer, &mut reader);
    let (empty, _) = memory_mib(daemon.pid());
    let (messages, begun) = (from_env("IPCD_TEST_MESSAGES", MESSAGES), Instant::now());
    for _ in 0..messages.div_ceil(TOGETHER as u64) {
        send_and_read(&mut writer, &mut reader);
    }
    let rate = messages as f64 / begun.elapsed().as_secs_f64();
    let (now, most) = memory_mib(daemon.pid());
    let (send_after, check_after) = alone(&mut writer, &mut reader);
    let store = std::fs::metadata(world.state().join("ipcd.redb")).expect("a store").len();
    let history: u64 = std::fs::read_dir(world.state().join("history"))
        .expect("a history")
        .map(|file| file.expect("a file").metadata().expect("its size").len())
        .sum();
    kill(daemon.pid(), "TERM");
    assert_eq!(daemon.ends(), 0);
    let last = starts(&world);
    let closed = std::fs::metadata(world.state().join("ipcd.redb")).expect("a store").len();
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    figure(&format!(
        "messages={messages} per_second={rate:.0} rss_mib={empty:.1}..{now:.1} most={most:.1} store_mib={:.1} closed={:.1} history_mib={:.1} send_ms={}..{} check_ms={}..{} start_ms={}..{}",
        mib(store),
        mib(closed),
        mib(history),
        ms(send_before),
        ms(send_after),
        ms(check_before),
        ms(check_after),
        ms(first),
        ms(last),
    ));
    assert!(most <= RESIDENT_MIB, "{most:.1} MiB are resident");
    assert!(store <= STORE_BYTES && closed <= STORE_BYTES, "{store} bytes, {closed} when it is closed");
}
