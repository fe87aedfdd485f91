//! Clients that are slow, silent, loud, half gone or out of their minds. Whatever they do, two agents beside
//! them go on: each call of theirs is taken, each message of theirs arrives once. The daemon's memory and
//! descriptors stay within bounds and come back.
//!
//! How long the bystanders' calls took is printed (`--nocapture`), and is no condition: machines are busy.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::gauge::{Bystanders, descriptors, figure, from_env, memory_mib, processor, quantile, registered};
use crate::machine::spawn;
use crate::socket::Socket;
use crate::world::{Daemon, World, program, until};

/// Nobody's sends are counted here: the daemon is to hold without that.
const CONFIG: &str = "[limits]\nsends_per_minute = 0\n";

/// What a daemon's memory may grow by under any of this, in MiB, beyond what an attack says it needs: the
/// backlog of a full mailbox, buffers of a few lines, and what an allocator keeps.
const GROWTH_MIB: f64 = 24.0;

/// Does something bad to a daemon while others work, and looks what it came to.
fn endure(what: &str, world: &World, pid: i32, mib: f64, attack: impl FnOnce()) {
    let others = Bystanders::begin(world, 1);
    let (before, open) = (memory_mib(pid).0, descriptors(pid));
    let (begun, busy) = (Instant::now(), processor(pid));
    attack();
    let (took, busy) = (begun.elapsed(), processor(pid) - busy);
    let (after, most) = memory_mib(pid);
    let mut times = others.end();
    let (p50, p99) = (quantile(&mut times, 50), quantile(&mut times, 99));
    figure(&format!(
        "{what}: bystanders_refused=0 of={} p50_ms={:.1} p99_ms={:.1} rss_mib={before:.1}..{most:.1} after={after:.1} seconds={:.1} cpu={:.0}%",
        times.len(),
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
        took.as_secs_f64(),
        100.0 * busy.as_secs_f64() / took.as_secs_f64().max(0.001),
    ));
    assert!(most - before <= mib + GROWTH_MIB, "{what}: {before:.1} MiB became {most:.1}");
    until("what was opened is closed", || descriptors(pid) <= open);
}

fn call(id: usize, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// Writes as much as the other side takes within `time`, again and again from the start of `bytes`; gives
/// how much it was.
fn push(stream: &UnixStream, bytes: &[u8], time: Duration) -> usize {
    let (deadline, mut written) = (Instant::now() + time, 0);
    stream.set_nonblocking(true).expect("a socket");
    let mut stream = stream;
    while Instant::now() < deadline {
        match stream.write(&bytes[written % bytes.len()..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            // It was closed, which is an answer too.
            Err(_) => break,
        }
    }
    written
}

fn seconds() -> Duration {
    Duration::from_secs(from_env("IPCD_TEST_HOSTILE_SECONDS", 1))
}

#[test]
fn readers_that_never_read() {
    let world = World::with_config(CONFIG);
    let daemon = world.daemon();
    let mut author = world.client();
    registered(&mut author, "author");
    // Enough that each look at it is a long answer.
    for number in 0..20 {
        let text = "x".repeat(9_000);
        author.call(10 + number, "send", json!({"to": ["author"], "content": text}));
    }
    let lines: String = (0..1_000).map(|id| call(id, "status", &json!({})) + "\n").collect();
    let looks: String = (0..1_000).map(|id| call(id, "check", &json!({"peek": true})) + "\n").collect();
    endure("slow readers", &world, daemon.pid(), 16.0, || {
        let mut slow: Vec<Socket> = (0..16).map(|_| world.client()).collect();
        for (number, socket) in slow.iter_mut().enumerate() {
            let text = if number % 2 == 0 { &lines } else { &looks };
            push(socket.stream(), text.as_bytes(), seconds() / 16);
        }
        // One of them reads after all, and everything is there that it asked for, as far as it could.
        let stream = slow[0].stream();
        stream.set_nonblocking(false).expect("a socket");
        let mut first = [0u8; 64];
        stream.read_exact(&mut first).expect("an answer");
        assert!(first.starts_with(b"{\"jsonrpc\":\"2.0\""), "{}", String::from_utf8_lossy(&first));
    });
}

#[test]
fn clients_that_are_half_there() {
    let world = World::with_config(CONFIG);
    let daemon = world.daemon();
    endure("half-open clients", &world, daemon.pid(), 16.0, || {
        let clients: Vec<Socket> = (0..48)
            .map(|number| {
                let mut client = world.client();
                registered(&mut client, &format!("half-{number}"));
                client.say(&call(2, "check", &json!({"wait_ms": 3_600_000})));
                let stream = client.stream();
                match number % 3 {
                    // It says no more, and listens for what it asked.
                    0 => stream.shutdown(std::net::Shutdown::Write).expect("a socket"),
                    // It hears no more.
                    1 => stream.shutdown(std::net::Shutdown::Read).expect("a socket"),
                    // It stops in the middle of a line.
                    _ => stream.write_all(&[b'['; 100_000]).expect("the daemon reads"),
                }
                client
            })
            .collect();
        // Whoever said its last word gives up its wait with it.
        let status = || world.json(&["status"])["sessions"].as_u64().expect("a number");
        until("a third of them is gone", || status() <= 2 + 32 + 1);
        drop(clients);
    });
}

#[test]
fn hellos_that_never_come() {
    let world = World::with_config(CONFIG);
    let daemon = world.daemon();
    endure("slow-loris hellos", &world, daemon.pid(), 16.0, || {
        let hello = br#"{"jsonrpc":"2.0","id":0,"method":"hello","params":{"protocol":"#;
        let mut silent: Vec<UnixStream> = (0..400)
            .map(|number| {
                let mut stream = UnixStream::connect(world.socket()).expect("the daemon takes connections");
                // Those at the back of the queue may be closed by now.
                let _ = stream.write_all(&hello[..1 + number % hello.len()]);
                stream
            })
            .collect();
        // They take nobody's place: the next agent is served at once.
        let mut agent = world.client();
        registered(&mut agent, "in-between");
        // And none of them stays.
        for stream in &mut silent {
            stream.set_read_timeout(Some(crate::world::SOON)).expect("a socket");
            let mut rest = Vec::new();
            match stream.read_to_end(&mut rest) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it is closed in time"),
            }
        }
        assert!(agent.call(2, "list", json!({}))["error"].is_null());
    });
}

/// Lines that are no calls: what a confused, or fuzzing, program might write.
fn nonsense() -> Vec<Vec<u8>> {
    let deep = |open: &str, count: usize| open.repeat(count).into_bytes();
    let mut lines = vec![
        b"\xff\xfe\xfd".to_vec(),
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"send\",\"params\":{\"to\":[\"a\"],\"content\":\"\xc3\x28\"}}".to_vec(),
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"send\",\"params\":{\"to\":[\"a\"],\"content\":\"\\ud800\"}}".to_vec(),
        "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}".as_bytes().to_vec(),
        b"{\"jsonrpc\":\"2.0\",\"id\":1e400,\"method\":\"list\"}".to_vec(),
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"list\",\"method\":\"stop\"}".to_vec(),
        deep("[", 1 << 20),
        deep("{\"a\":", 100_000),
        deep("\"", 99_999),
        vec![0; 70_000],
        vec![b' '; 9 << 20],
        deep("x", 9 << 20),
    ];
    let fields: String = (0..100_000).map(|n| format!("\"f{n}\":{n},")).collect();
    lines.push(
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"list","params":{{{fields}"z":0}}}}"#).into_bytes(),
    );
    let data = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    lines.push(
        call(1, "send", &json!({"to": ["a"], "content": "x"}))
            .replace("\"x\"", &format!("\"x\",\"data\":{data}"))
            .into(),
    );
    lines
}

#[test]
fn lines_that_make_no_sense() {
    let world = World::with_config(CONFIG);
    let daemon = world.daemon();
    let lines = nonsense();
    let rounds = from_env("IPCD_TEST_NONSENSE", 3);
    endure("nonsense", &world, daemon.pid(), 32.0, || {
        let mut client = world.client();
        for _ in 0..rounds {
            for line in &lines {
                client
                    .stream()
                    .write_all(line)
                    .and_then(|()| client.stream().write_all(b"\n"))
                    .expect("it reads");
                let answer: Value = serde_json::from_str(&client.hear().expect("an answer")).expect("JSON");
                let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
                assert!(answer["error"]["code"].is_number(), "{shown}: {answer}");
            }
        }
        assert!(client.call(2, "list", json!({}))["error"].is_null(), "the same connection still works");
    });
    assert_eq!(world.json(&["status"])["backlog_messages"], 0, "nothing of it was stored");
    // The other door: the same lines on an agent's standard input.
    let mut alice = world.agent("alice");
    let front_end = alice.pid();
    for line in lines.iter().filter(|line| !line.iter().all(|b| *b == b' ')) {
        alice.write_bytes(line);
        let answer = alice.next_message(crate::world::SOON).expect("an answer");
        assert!(answer["error"]["code"].is_number(), "{answer}");
    }
    assert_eq!(alice.ok("check", json!({}))["messages"], json!([]));
    let (_, most) = memory_mib(front_end);
    figure(&format!("nonsense for a front end: rss_mib={most:.1}"));
    assert!(most < 64.0, "{most:.1} MiB");
}

#[test]
fn connections_without_end_and_few_descriptors() {
    let world = World::with_config(CONFIG);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg("ulimit -n 64; exec \"$IPCD\" daemon");
    shell.env_clear().envs(world.environment()).env("IPCD", program());
    let daemon = Daemon::of(spawn(shell));
    until("it serves", || UnixStream::connect(world.socket()).is_ok());
    endure("a flood of connections, 64 descriptors", &world, daemon.pid(), 16.0, || {
        let hello = json!({"protocol": {"min": 1, "max": 1}, "role": "cli", "client": "flood/1"});
        let hello = call(0, "hello", &hello) + "\n";
        let deadline = Instant::now() + seconds();
        let (mut open, mut refused) = (Vec::new(), 0);
        while Instant::now() < deadline {
            // The queue of the socket is full now and then, which is the flood's own trouble.
            let Ok(mut stream) = UnixStream::connect(world.socket()) else { break };
            let _ = stream.write_all(hello.as_bytes());
            stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
            let mut answer = [0u8; 512];
            let said = stream.read(&mut answer).unwrap_or_default();
            if String::from_utf8_lossy(&answer[..said]).contains("\"busy\"") || said == 0 {
                refused += 1;
            } else {
                open.push(stream);
            }
        }
        figure(&format!("a flood of connections: refused={refused} open={}", open.len()));
        assert!(refused > 0 && open.len() < 32, "{refused} were refused, {} are open", open.len());
    });
    // Whoever comes now is served, and nobody living has lost a name.
    let list = world.json(&["list"]);
    let names: Vec<&str> =
        list["instances"].as_array().unwrap().iter().filter_map(|i| i["name"].as_str()).collect();
    assert!(names.contains(&"quiet-1") && names.contains(&"calm-1"), "{names:?}");
}

/// Sends as fast as answers come, with as many under way as are allowed; how many were stored and refused.
fn flood(world: &World, name: &str, to: &str, size: usize, time: Duration) -> (usize, usize) {
    let mut socket = world.client();
    registered(&mut socket, name);
    let text = "x".repeat(size);
    let lines: Vec<String> =
        (2..62).map(|id| call(id, "send", &json!({"to": [to], "content": text}))).collect();
    let together = lines.join("\n");
    let (deadline, mut answered, mut stored) = (Instant::now() + time, 0, 0);
    while Instant::now() < deadline {
        socket.say(&together);
        for _ in &lines {
            let answer = socket.hear().expect("an answer");
            stored += usize::from(answer.contains("\"stored\":true"));
            answered += 1;
        }
    }
    (stored, answered - stored)
}

#[test]
fn messages_without_end() {
    let world = World::with_config(CONFIG);
    let daemon = world.daemon();
    for (what, size, mib) in
        [("a flood of messages", 200, 8.0), ("a flood of large messages", 200_000, 128.0)]
    {
        endure(what, &world, daemon.pid(), mib, || {
            std::thread::scope(|scope| {
                let floods: Vec<_> = (0..8)
                    .map(|number| {
                        let (name, sink) = (format!("loud-{number}"), format!("sink-{size}-{number}"));
                        let world = &world;
                        scope.spawn(move || flood(world, &name, &sink, size, seconds()))
                    })
                    .collect();
                let done: Vec<(usize, usize)> =
                    floods.into_iter().map(|f| f.join().expect("it is heard")).collect();
                let (stored, refused) =
                    done.iter().fold((0, 0), |(s, r), (stored, refused)| (s + stored, r + refused));
                figure(&format!("{what}: stored={stored} refused={refused}"));
                assert!(stored > 0, "{refused} were refused");
            });
        });
        let status = world.json(&["status"]);
        assert!(
            status["backlog_messages"].as_u64() <= Some(2 * 8 * 80),
            "nobody has more than its share: {status}"
        );
        let letters = status["backlog_messages"].as_u64().unwrap_or_default();
        assert!(letters > 0, "{status}");
    }
}

#[test]
fn a_flooder_leaves_room_for_a_quiet_sender() {
    let world = World::with_config(CONFIG);
    let _daemon = world.daemon();
    let mut reader = world.client();
    registered(&mut reader, "reader");
    let (stored, refused) = flood(&world, "loud", "reader", 100, seconds());
    assert!(stored == 80 && refused > 0, "{stored} stored, {refused} refused");
    // Nothing was read since, and nobody else is refused for it.
    for name in ["one", "two", "three"] {
        let mut quiet = world.client();
        registered(&mut quiet, name);
        for number in 2..8 {
            let answer = quiet.call(number, "send", json!({"to": ["reader"], "content": "a word"}));
            assert_eq!(answer["result"]["stored"], true, "{name}: {answer}");
        }
    }
}
