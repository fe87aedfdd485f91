//! Clients die, by the thousand if one likes, and nothing of them stays: no descriptor, no wait, no lease,
//! no process.
//!
//! `IPCD_TEST_DEATHS` says how many.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::gauge::{descriptors, figure, from_env, memory_mib, registered};
use crate::world::{World, until};

const DEATHS: u64 = 60;

/// One of so many is a real `ipcd mcp` that is killed; the others are connections that are cut.
const PROCESSES: u64 = 20;

#[test]
fn nothing_stays_of_clients_that_died() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\ndeliveries = 0\n");
    let daemon = world.daemon();
    let pid = daemon.pid();
    let mut author = world.client();
    registered(&mut author, "author");
    // That is in the audit log, which stays open from its first record on.
    until("the audit log is there", || {
        world.state().join("audit").read_dir().is_ok_and(|mut d| d.next().is_some())
    });
    let (open, (before, _)) = (descriptors(pid), memory_mib(pid));
    let deaths = from_env("IPCD_TEST_DEATHS", DEATHS);
    let mut leased = 0;
    for number in 0..deaths {
        if number % PROCESSES == 0 {
            let mut child = front_end(&world);
            child.kill().expect("a child");
            child.wait().expect("a child");
            continue;
        }
        let mut client = world.client();
        registered(&mut client, "reader");
        match number % 3 {
            // In the middle of a wait.
            0 => client.say(r#"{"jsonrpc":"2.0","id":2,"method":"check","params":{"wait_ms":3600000}}"#),
            // With mail in its hands.
            1 => {
                author.call(10, "send", json!({"to": ["reader"], "content": number.to_string()}));
                let read = client.call(2, "check", json!({}));
                assert!(!read["result"]["messages"].as_array().expect("mail").is_empty(), "{read}");
                leased += 1;
            }
            // In the middle of a line.
            _ => client.say(r#"{"jsonrpc":"2.0","id":2,"method":"che"#.trim_end()),
        }
        if leased % 20 == 19 {
            drain(&world);
            leased = 0;
        }
    }
    until("their connections are closed", || descriptors(pid) <= open);
    drain(&world);
    // A wait that had stayed behind would be given this.
    let mut reader = world.client();
    registered(&mut reader, "reader");
    author.call(11, "send", json!({"to": ["reader"], "content": "for the living"}));
    let read = reader.call(2, "check", json!({}));
    let mail = read["result"]["messages"].as_array().expect("mail");
    assert_eq!(
        (mail.len(), &mail[0]["redelivered"], &mail[0]["content"]),
        (1, &json!(false), &json!("for the living"))
    );
    let status = world.json(&["status"]);
    assert_eq!(status["sessions"], 3, "the author, the reader and who asks: {status}");
    let ours = format!("IPCD_HOME={}", world.home().display());
    let procs = processes_with(&ours);
    assert_eq!(procs, [pid], "only the daemon runs");
    let (after, _) = memory_mib(pid);
    figure(&format!("deaths={deaths} fds=+0 waiters=0 procs=0 leases=0 rss_mib={before:.1}..{after:.1}"));
    assert!(after - before < 16.0, "{before:.1} MiB became {after:.1}");
}

/// A front end that has its name and waits for mail.
fn front_end(world: &World) -> Child {
    let mut command = world.command(&["mcp", "--name", "agent"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let info = json!({"name": "test", "version": "1"});
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
    let mut stdin = child.stdin.take().expect("piped");
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "check", "arguments": {"wait_seconds": 60}}}),
    ];
    for line in lines {
        std::io::Write::write_all(&mut stdin, format!("{line}\n").as_bytes()).expect("it reads");
    }
    until("it waits for mail", || {
        let list = world.json(&["list"]);
        let instances = list["instances"].as_array().expect("a list");
        instances.iter().any(|i: &Value| i["name"] == "agent" && i["wakes"] == "waiting")
    });
    // Its pipe stays open until it is dead.
    child.stdin = Some(stdin);
    child
}

/// Everything that waits for the reader is read and settled.
fn drain(world: &World) {
    let mut reader = world.client();
    registered(&mut reader, "reader");
    for id in 2.. {
        let read = reader.call(id, "check", json!({}));
        if read["result"]["messages"].as_array().is_none_or(Vec::is_empty) {
            return;
        }
        reader.call(-id, "ack", json!({}));
    }
}

fn processes_with(variable: &str) -> Vec<i32> {
    let pids = std::fs::read_dir("/proc").expect("the process table").filter_map(Result::ok);
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|found| found == variable.as_bytes())
    })
    .collect()
}
