//! One copy of each message, whoever is killed: what may have been seen comes again with the same number and
//! says so, what was seen for certain does not, and what nobody survives reading is put aside for a person.

use std::io::{Read, Write};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::world::{World, kill, until};

fn send(from: &mut Agent, to: &str, text: &str) -> Value {
    from.ok("send", json!({"to_id": to, "content": text}))["id"].clone()
}

/// What one check shows: number, text, and whether it may have been seen before.
fn check(reader: &mut Agent) -> Vec<(Value, String, bool)> {
    let answer = reader.ok("check", json!({}));
    let mail = answer["messages"].as_array().expect("mail").iter();
    mail.map(|m| {
        let text = m["content"].as_str().expect("a text").to_owned();
        (m["id"].clone(), text, m["redelivered"] == true)
    })
    .collect()
}

#[test]
fn after_an_unclean_end_all_unsettled_mail_says_so_and_front_ends_keep_what_they_hold() {
    let world = World::new();
    let (mut alice, mut bob, mut carol) = (world.agent("alice"), world.agent("bob"), world.agent("carol"));
    let held = send(&mut alice, "bob", "in bob's hands");
    let waiting = send(&mut alice, "carol", "not looked at");
    assert_eq!(check(&mut bob), [(held, "in bob's hands".to_owned(), false)]);
    for _ in 0..2 {
        world.kill_daemon();
        // Bob comes back with what he holds, before anybody is handed mail.
        until("bob is back", || world.json(&["list"])["instances"][1]["state"] == "live");
    }
    let later = send(&mut alice, "carol", "from the new daemon");
    let expected =
        [(waiting, "not looked at".to_owned(), true), (later, "from the new daemon".to_owned(), false)];
    assert_eq!(check(&mut carol), expected, "flagged as far as the unclean end concerns it");
    assert_eq!(check(&mut bob), [], "his call says that he read it");
    bob.dies();
    assert_eq!(check(&mut world.agent("bob")), []);
}

#[test]
fn what_five_readers_died_of_is_for_a_person() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let poison = send(&mut alice, "bob", "poison");
    // Who leaves in order costs it nothing.
    for _ in 0..6 {
        let mut bob = world.agent("bob");
        assert_eq!(check(&mut bob)[0].0, poison);
        bob.leaves();
    }
    for death in 1..=5 {
        let mut bob = world.agent("bob");
        assert_eq!(check(&mut bob), [(poison.clone(), "poison".to_owned(), true)], "death {death}");
        bob.dies();
    }
    let mut bob = world.agent("bob");
    until("the daemon has heard of the last death", || {
        !world.json(&["dead", "list"])["dead"].as_array().expect("a list").is_empty()
    });
    assert_eq!(check(&mut bob), []);
    let dead = world.json(&["dead", "list"])["dead"].clone();
    assert_eq!((dead.as_array().map(Vec::len), &dead[0]["reason"]), (Some(1), &json!("poison")), "{dead}");
    assert_eq!((&dead[0]["message"]["id"], &dead[0]["message"]["to"]), (&poison, &json!("bob")));
    assert!(world.run(&["status"]).out.contains("1 dead letter"));
    assert!(world.run(&["dead", "show", &poison.to_string()]).out.contains("poison"));
    // It outlives the daemon, and comes back when a person says so.
    world.kill_daemon();
    assert_eq!(world.run(&["dead", "requeue", &poison.to_string()]).code, 0);
    assert_eq!(check(&mut bob), [(poison, "poison".to_owned(), true)]);
}

/// A front end whose answers nobody reads unless this test does.
fn front_end(world: &World) -> Child {
    let mut command = world.command(&["mcp", "--name", "bob"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "check", "arguments": {}}}),
    ];
    let stdin = child.stdin.as_mut().expect("piped");
    lines.iter().for_each(|line| writeln!(stdin, "{line}").expect("it reads"));
    // A page: an answer with mail does not fit, and is not written before it is read. Elsewhere a pipe is as
    // large as it is, and more of the answers are out when their reader ends.
    #[cfg(target_os = "linux")]
    {
        let stdout = child.stdout.as_ref().expect("piped");
        nix::fcntl::fcntl(stdout, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).expect("a pipe");
    }
    child
}

#[test]
fn wherever_an_answer_breaks_off_its_mail_comes_again() {
    let world = World::with_config("[limits]\ndeliveries = 0\n");
    let mut alice = world.agent("alice");
    // The front end is killed in the middle of its line.
    let text = "word ".repeat(1_900);
    let ids: Vec<Value> = (0..6).map(|_| send(&mut alice, "bob", &text)).collect();
    for length in [0, 1, 100, 1_000, 20_000, 50_000] {
        let mut reader = front_end(&world);
        // Before it has its name there is no count of bob's at all.
        let unread = || world.json(&["list"])["instances"][1]["unread"].as_u64();
        until("it has the mail", || unread().is_some_and(|unread| unread < ids.len() as u64));
        let mut begun = vec![0; length];
        reader.stdout.as_mut().expect("piped").read_exact(&mut begun).expect("so much of its answers");
        kill(i32::try_from(reader.id()).expect("a pid"), "KILL");
        reader.wait().expect("a child");
        until("its mail is back", || unread() == Some(ids.len() as u64));
    }
    let mut bob = world.agent("bob");
    let mut seen = Vec::new();
    while seen.len() < ids.len() {
        let mail = check(&mut bob);
        assert!(!mail.is_empty(), "only {seen:?} came");
        assert!(mail.iter().all(|(_, _, again)| *again) || !seen.is_empty(), "what was shown says so");
        seen.extend(mail.into_iter().map(|(id, ..)| id));
    }
    assert_eq!(seen, ids, "all of it, once, in order");
}
