//! The other figures: waking somebody up, looking, draining, broadcasting, starting, and what it all takes.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::floors::Echo;
use crate::load::{Client, run};
use crate::report::{Report, Samples, millis};
use crate::world::{STORED, World, call, hello, send, stop, tool};

/// How much of it: short, or long enough for the goals that name large numbers.
pub struct Size {
    pub repeats: usize,
    /// Messages that a daemon has seen.
    pub past: usize,
    /// Seconds of idling.
    pub idle: u64,
}

const CHECK: &str = r#"{"jsonrpc":"2.0","id":3,"method":"check","params":{}}"#;
const ACK: &str = r#"{"jsonrpc":"2.0","id":4,"method":"ack","params":{}}"#;

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

pub fn looking(report: &mut Report, world: &World, echo: &Echo, size: &Size) -> f64 {
    let mut reader = world.client("empty").asks(CHECK.to_owned() + "\n", "\"messages\":[]");
    let mut echo = echo.client();
    let (mut checks, mut echoes) = (Samples::default(), Samples::default());
    for _ in 0..10 {
        checks.add(run(std::slice::from_mut(&mut reader), size.repeats));
        echoes.add(run(std::slice::from_mut(&mut echo), size.repeats));
    }
    report.row("echo beside it", &echoes);
    report.row("empty check", &checks);
    report.number("empty check / echo", checks.p50() / echoes.p50(), "", "at most 1.5");
    echoes.p50()
}

pub fn draining(report: &mut Report, world: &World) {
    fill(world, "drained", 1000);
    let mut reader = world.client("drained");
    let start = Instant::now();
    let messages = drain(&mut reader);
    report.number("drain of 1,000 messages", millis(start.elapsed()), "ms", "");
    assert_eq!(messages, 1000, "all of them");
}

/// Puts messages into a mailbox, 64 at once.
fn fill(world: &World, to: &str, count: usize) {
    let mut senders: Vec<Client> =
        (0..64).map(|number| world.client(&format!("fill-{number}")).asks(send(to), STORED)).collect();
    let each = count / senders.len();
    if each > 0 {
        run(&mut senders, each);
    }
    run(&mut senders[..1], count - each * 64);
}

/// Reads and settles all there is; how much it was.
fn drain(reader: &mut Client) -> usize {
    let mut messages = 0;
    loop {
        let answer = answer(reader, CHECK, "\"id\":3");
        let found = answer.matches("\"sent_at\"").count();
        if found == 0 {
            return messages;
        }
        messages += found;
        self::answer(reader, ACK, "\"id\":4");
    }
}

/// The answer to a call, among what the daemon says unasked.
fn answer(client: &mut Client, line: &str, id: &str) -> String {
    client.write(format!("{line}\n").as_bytes());
    loop {
        let heard = client.hear();
        if let Some(line) = heard.lines().find(|line| line.contains(id)) {
            return line.to_owned();
        }
    }
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

/// From a start to the first answer.
pub fn starting(report: &mut Report, folder: &Path) {
    let mut world = World::start(folder, "start");
    let cold = restarts(&mut world);
    report.row("daemon to first answer, empty", &cold);
    report.number("daemon to first answer, empty", cold.p50(), "ms", "at most 15");
    fill(&world, "later", 10_000);
    let full = restarts(&mut world);
    report.number("daemon to first answer, 10,000 unread", full.p50(), "ms", "at most 100");
    let mut activated = Samples::default();
    world.end();
    for _ in 0..STARTS {
        activated.push(activation(folder));
    }
    report.number("activated daemon to first answer, empty", activated.p50(), "ms", "");
    world.begin();
    assert!(crate::world::ready(&mut world.daemon, &world.socket), "the daemon ended");
    let (mut hellos, mut lists) = (Samples::default(), Samples::default());
    for _ in 0..STARTS {
        let start = Instant::now();
        let (mut process, mut client) = world.front_end();
        hellos.push(start.elapsed());
        client.exchange(&tool(1, "list_instances", "{}"));
        lists.push(start.elapsed());
        drop(client);
        let _ = process.wait();
    }
    report.number("front end to its hello", hellos.p50(), "ms", "");
    report.number("front end to its first answer of a daemon", lists.p50(), "ms", "");
}

/// Starts of each kind.
const STARTS: usize = 9;

fn restarts(world: &mut World) -> Samples {
    let mut samples = Samples::default();
    for _ in 0..STARTS {
        world.end();
        let start = Instant::now();
        world.begin();
        assert!(crate::world::ready(&mut world.daemon, &world.socket), "the daemon ended");
        let mut client = Client::connect(&world.socket);
        client.write(format!("{}\n{}\n", hello("cli"), call(1, "list", "{}")).as_bytes());
        while !client.hear().contains("\"id\":1") {}
        samples.push(start.elapsed());
    }
    samples
}

/// As a service manager does it: the socket is there, and the daemon comes with the first connection.
fn activation(folder: &Path) -> Duration {
    let home = folder.join("activated");
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(home.join("run")).expect("a folder");
    for private in [&home, &home.join("run")] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(private, PermissionsExt::from_mode(0o700)).expect("our folder");
    }
    let socket = home.join("run/ipcd.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let mut client = Client::connect(&socket);
    client.write(format!("{}\n{}\n", hello("cli"), call(1, "list", "{}")).as_bytes());
    // The shell hands its own pid on, as the protocol of activation asks.
    let script = format!("exec 3<&{}; LISTEN_PID=$$ exec \"$0\" daemon", listener.as_raw_fd());
    let start = Instant::now();
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_ipcd")]);
    command.env("IPCD_HOME", &home).env("IPCD_LOG", "error").stdin(Stdio::null());
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "ipcd");
    nix::fcntl::fcntl(&listener, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))
        .expect("our descriptor");
    let mut daemon = command.spawn().expect("a daemon");
    while !client.hear().contains("\"id\":1") {}
    let time = start.elapsed();
    stop(&mut daemon);
    time
}

/// Whole processes of the command line.
pub fn one_shots(report: &mut Report, world: &World, send_p50: f64) {
    let timed = |command: &mut Command| {
        let start = Instant::now();
        let done = command.stdout(Stdio::null()).status();
        assert!(done.is_ok_and(|status| status.success()), "{command:?}");
        start.elapsed()
    };
    let (mut nothing, mut sends, mut checks) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..40 {
        nothing.push(timed(&mut Command::new("/bin/true")));
        sends.push(timed(&mut world.command(&["send", "to-0", "hello"])));
        checks.push(timed(&mut world.command(&["check", "--peek"])));
    }
    report.row("/bin/true, whole process", &nothing);
    report.row("ipcd send, whole process", &sends);
    report.row("ipcd check --peek, whole process", &checks);
    report.number("ipcd send, whole process", sends.p50(), "ms", "at most 5");
    let goal = 3.0 * nothing.p50() + send_p50;
    report.number("  of 3 x /bin/true + send", sends.p50() / goal, "", "at most 1");
}

/// Memory, size, processor time and idling. Then a long past, and many sessions.
pub fn taking(report: &mut Report, folder: &Path, size: &Size) {
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_ipcd")).expect("it is built").len();
    report.number("binary", mib(binary as f64), "MiB", "at most 8");
    let mut world = World::start(folder, "past");
    report.number("daemon, idle: Pss", pss(world.daemon.id()), "MiB", "at most 8");
    let mut front_ends = world.front_ends(1);
    report.number("front end, idle: Pss", pss(front_ends.processes[0].id()), "MiB", "at most 6");
    run(&mut front_ends.clients, 100);
    report.number("front end, after 100 sends: Pss", pss(front_ends.processes[0].id()), "MiB", "at most 6");
    front_ends.end();
    for clients in [1, 16] {
        let mut crowd = world.clients(clients);
        let (before, each) = (cpu_seconds(world.daemon.id()), 4_000 / clients);
        run(&mut crowd, each);
        let micros = (cpu_seconds(world.daemon.id()) - before) * 1e6 / (each * clients) as f64;
        report.number(&format!("daemon's CPU a message, {clients} clients"), micros, "µs", "");
    }
    // The last of them is still leaving.
    std::thread::sleep(Duration::from_secs(1));
    let before = switches(world.daemon.id());
    std::thread::sleep(Duration::from_secs(size.idle));
    let woken = (switches(world.daemon.id()) - before) as f64 * 60.0 / size.idle as f64;
    report.number("idle daemon's wake-ups a minute", woken, "", "0");
    long_past(report, &mut world, size);
}

fn long_past(report: &mut Report, world: &mut World, size: &Size) {
    let rounds = |world: &mut World| {
        let mut sender = world.client("one").asks(send("two"), STORED);
        let mut reader = world.client("three").asks(CHECK.to_owned() + "\n", "\"messages\":[]");
        let sends = run(std::slice::from_mut(&mut sender), size.repeats.max(100));
        let checks = run(std::slice::from_mut(&mut reader), size.repeats.max(100));
        let of = |run| {
            let mut samples = Samples::default();
            samples.add(run);
            samples.p50()
        };
        (of(sends), of(checks), restarts(world).p50())
    };
    drain_all(world, 10);
    let young = rounds(world);
    for _ in 0..size.past / 10_000 {
        drain_all(world, 10_000);
    }
    report.number(
        &format!("daemon, {} messages later: Pss", size.past),
        pss(world.daemon.id()),
        "MiB",
        "at most 24",
    );
    let old = rounds(world);
    let title = format!("after {} messages / after 10", size.past);
    report.number(&format!("{title}: send"), old.0 / young.0, "", "0.9 to 1.1");
    report.number(&format!("{title}: empty check"), old.1 / young.1, "", "0.9 to 1.1");
    report.number(&format!("{title}: start"), old.2 / young.2, "", "0.9 to 1.1");
    for others in [1, 100, 500] {
        let crowd: Vec<Client> = (0..others).map(|number| world.client(&format!("by-{number}"))).collect();
        let mut sender = world.client("amid").asks(send("two"), STORED);
        let mut samples = Samples::default();
        samples.add(run(std::slice::from_mut(&mut sender), size.repeats.max(100)));
        report.row(&format!("send with {others} other sessions"), &samples);
        drop(crowd);
    }
}

/// So many messages are sent and read.
fn drain_all(world: &World, count: usize) {
    fill(world, "past", count);
    drain(&mut world.client("past"));
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

/// Proportional set size: what the process has for itself, and its part of what it shares.
fn pss(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    mib(field(&rollup, "Pss:") * 1024.0)
}

fn switches(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let of =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
    tasks.filter_map(Result::ok).map(|task| field(&of(task), "voluntary_ctxt_switches:") as u64).sum()
}

fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // Behind the name, which may hold anything: state, and with it the third field.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}
