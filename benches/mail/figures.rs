//! Calls other than a plain send: to somebody who waits, by way of a front end, to many, of a megabyte; and looks.

use std::time::Instant;

use crate::floors::Echo;
use crate::load::Client;
use crate::mail::{ACK, CHECK, drain, fill};
use crate::places::{Place, Placed};
use crate::report::{Report, Samples, millis};
use crate::world::{STORED, World, call, send};

/// How much of it: short, or long enough for the goals that name large numbers.
pub struct Size {
    pub repeats: usize,
    /// Messages that a daemon has seen.
    pub past: usize,
    /// Seconds of idling.
    pub idle: u64,
}

/// A send to somebody who waits, until the mail is there; beside it a send to somebody who does not.
pub fn waking(report: &mut Report, world: &World, size: &Size) -> f64 {
    let mut reader = world.client("reader");
    let mut sender = world.client("sender").asks(send("reader"), STORED);
    let mut plain = world.client("plain").asks(send("nobody-there"), STORED);
    let wait = call(5, "check", r#"{"wait_ms":60000}"#) + "\n";
    let (mut sends, mut wakes) = (Samples::default(), Samples::default());
    for _ in 0..size.repeats {
        sends.push(plain.call());
        reader.write(wait.as_bytes());
        // So that the wait has begun: another call of another session is handled after it.
        plain.exchange(CHECK);
        let start = Instant::now();
        sender.ask();
        while !reader.hear().contains("\"messages\":[{") {}
        wakes.push(start.elapsed());
        sender.hear();
        reader.exchange(ACK);
    }
    report.row("send beside it", &sends);
    report.row("send until a waiting reader has it", &wakes);
    report.number("waking / send", wakes.p50() / sends.p50(), "", "at most 1.3");
    sends.p50()
}

/// The floor and an empty check, call by call, wherever the kernel puts them; then all on one processor, and those
/// who serve on another than who calls.
pub fn looking(report: &mut Report, world: &World, echo: &Echo, size: &Size) {
    look(report, world, echo, size, "");
    for (place, name) in [(Place::Together, ", one processor"), (Place::Apart, ", two processors")] {
        match Placed::put(place, &[world.daemon.id(), echo.pid()]) {
            Some(_placed) => look(report, world, echo, size, name),
            None => report.skipped(name, "processes cannot be put there"),
        }
    }
}

fn look(report: &mut Report, world: &World, echo: &Echo, size: &Size, place: &str) {
    let mut reader = world.client("empty").asks(CHECK.to_owned() + "\n", "\"messages\":[]");
    let mut echo = echo.client();
    let (mut checks, mut echoes) = (Samples::default(), Samples::default());
    for _ in 0..10 * size.repeats {
        checks.push(reader.call());
        echoes.push(echo.call());
    }
    report.row(&format!("echo{place}"), &echoes);
    report.row(&format!("empty check{place}"), &checks);
    report.number(&format!("empty check / echo{place}"), checks.p50() / echoes.p50(), "", "at most 1.5");
}

/// A send through a front end beside a send, and an echo through a process that does nothing but pass lines on
/// beside an echo: what a process between costs at the least. All on one processor, too.
pub fn passing_on(report: &mut Report, world: &World, echo: &Echo, size: &Size) {
    let (mut front_ends, mut relay) = (world.front_ends(1), echo.relay());
    let serving = [world.daemon.id(), echo.pid(), front_ends.processes[0].id(), relay.process.id()];
    let mut pass_on = |place: &str| {
        let mut sender = world.client("direct").asks(send("to-direct"), STORED);
        let mut plain = echo.client();
        let mut samples: [Samples; 4] = Default::default();
        for _ in 0..5 * size.repeats {
            samples[0].push(plain.call());
            samples[1].push(relay.client.call());
            samples[2].push(sender.call());
            samples[3].push(front_ends.clients[0].call());
        }
        let names = ["echo", "echo, passed on", "send", "send, through MCP"];
        for (name, samples) in names.iter().zip(&samples) {
            report.row(&format!("{name}{place}"), samples);
        }
        let [echo, passed_on, send, through_mcp] = samples.map(|samples| samples.p50());
        let added = through_mcp - send;
        report.number(&format!("(through MCP - send) / echo{place}"), added / echo, "", "at most 3");
        let floor = (passed_on - echo) / echo;
        report.number(&format!("(passed on - echo) / echo{place}"), floor, "", "");
    };
    pass_on(" beside");
    match Placed::put(Place::Together, &serving) {
        Some(_placed) => pass_on(", one processor"),
        None => report.skipped("one processor", "processes cannot be put there"),
    }
    drop(relay);
    front_ends.end();
}

pub fn draining(report: &mut Report, world: &World) {
    fill(world, "drained", 1000);
    let mut reader = world.client("drained");
    let start = Instant::now();
    let messages = drain(&mut reader);
    report.number("drain of 1,000 messages", millis(start.elapsed()), "ms", "");
    assert_eq!(messages, 1000, "all of them");
}

pub fn broadcasting(report: &mut Report, world: &World, size: &Size) {
    let mut readers: Vec<Client> = (0..50).map(|number| world.client(&format!("hears-{number}"))).collect();
    let cast = call(6, "broadcast", r#"{"content":"hello, all of you"}"#) + "\n";
    let mut sender = world.client("caster").asks(cast, "\"delivered\"");
    let (mut answers, mut heard) = (Samples::default(), Samples::default());
    for _ in 0..(size.repeats / 10).clamp(5, 40) {
        let start = Instant::now();
        sender.ask();
        let answer = sender.hear().to_owned();
        answers.push(start.elapsed());
        assert!(answer.contains("hears-49"), "{answer}");
        for reader in &mut readers {
            reader.hear();
        }
        heard.push(start.elapsed());
    }
    report.row("broadcast to 50, its answer", &answers);
    report.row("broadcast to 50, all have heard", &heard);
}

pub fn a_megabyte(report: &mut Report, world: &World, size: &Size) {
    let content = "x".repeat(1 << 20);
    let request = call(2, "send", &format!(r#"{{"to":["large"],"content":"{content}"}}"#)) + "\n";
    let mut sender = world.client("large-sender").asks(request, STORED);
    let mut samples = Samples::default();
    (0..(size.repeats / 10).clamp(3, 40)).for_each(|_| samples.push(sender.call()));
    report.row("send of 1 MiB", &samples);
}
